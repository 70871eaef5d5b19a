/* The network builder: names, shapes, weights. Bytes are encode.c's. */
#include "models/builder.h"

#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "models/encode.h"
#include "runtime/base/files.h"

struct builder {
    builder_options options;
    encode_buffer nodes;
    size_t node_count;
    encode_initializer *initializers;
    size_t initializer_count, initializer_capacity, weights;
    encode_value output;
    bool next_is_output;
    char scope[BUILDER_NAME];
    char error[sizeof((kiln_error *)NULL)->message];
};

builder *builder_create(const builder_options *options) {
    builder *b = calloc(1, sizeof(*b));
    if (b != NULL)
        b->options = *options;
    return b;
}

void builder_destroy(builder *b) {
    if (b == NULL)
        return;
    for (size_t i = 0; i < b->initializer_count; i++)
        free(b->initializers[i].name);
    free(b->initializers);
    encode_buffer_release(&b->nodes);
    free(b);
}

__attribute__((format(printf, 2, 3))) static void fail(builder *b, const char *format, ...) {
    va_list arguments;
    if (b->error[0] != '\0')
        return;
    va_start(arguments, format);
    vsnprintf(b->error, sizeof(b->error), format, arguments);
    va_end(arguments);
}

const char *builder_error(const builder *b) {
    return b->error[0] != '\0' ? b->error : NULL;
}

size_t builder_weights(const builder *b) {
    return b->weights;
}

size_t builder_channels(const builder *b, size_t channels) {
    double eighths = floor((double)channels * b->options.width / 8 + 0.5);
    return eighths < 1 ? 8 : 8 * (size_t)eighths;
}

size_t builder_classes(const builder *b) {
    return b->options.classes;
}

/* ---- Names --------------------------------------------------------------------------------- */

size_t builder_enter(builder *b, const char *format, ...) {
    size_t mark = strlen(b->scope);
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(b->scope + mark, sizeof(b->scope) - mark, format, arguments);
    va_end(arguments);
    if (length < 0 || mark + (size_t)length + 2 > sizeof(b->scope))
        fail(b, "scope %s: name too long", b->scope);
    else
        strcat(b->scope, ".");
    return mark;
}

void builder_leave(builder *b, size_t mark) {
    b->scope[mark] = '\0';
}

/* Declares the weights SCOPE.name.suffix and writes that name to `out`. */
static void add_weights(builder *b, const char *name, const char *suffix, const size_t *dims,
                        size_t rank, weights_distribution distribution, char out[BUILDER_NAME]) {
    int length = snprintf(out, BUILDER_NAME, "%s%s.%s", b->scope, name, suffix);
    if (b->initializer_count == b->initializer_capacity) {
        size_t capacity = 2 * b->initializer_capacity + 64;
        encode_initializer *grown = realloc(b->initializers, capacity * sizeof(*grown));
        if (grown == NULL) {
            fail(b, "out of memory");
            return;
        }
        b->initializers = grown;
        b->initializer_capacity = capacity;
    }
    encode_initializer added = {.rank = rank, .elements = 1, .distribution = distribution};
    for (size_t i = 0; i < rank; i++) {
        added.dims[i] = (int64_t)dims[i];
        if (__builtin_mul_overflow(added.elements, dims[i], &added.elements))
            fail(b, "%s: too many weights", out);
    }
    if (length >= BUILDER_NAME)
        fail(b, "%s: name too long", out);
    added.name = strdup(out);
    if (added.name == NULL)
        fail(b, "out of memory");
    else
        b->initializers[b->initializer_count++] = added;
    b->weights += added.elements;
}

/* ---- Nodes --------------------------------------------------------------------------------- */

/* Adds the node that computes `y`, whose shape is known, and names both as torch does. `layer` is
 * the layer's own name, or "" for a node without weights. */
static void add_node(builder *b, const char *operator_type, const char *layer,
                     const char *const *inputs, size_t input_count,
                     const encode_attribute *attributes, size_t attribute_count, tensor *y) {
    char name[2 * BUILDER_NAME];
    snprintf(name, sizeof(name), "/%s%s", b->scope, layer);
    size_t length = strlen(name);
    if (name[length - 1] == '.')
        name[--length] = '\0';
    snprintf(name + length, sizeof(name) - length, "%s%s_%zu", length > 1 ? "/" : "", operator_type,
             b->node_count++);
    if (b->next_is_output) {
        snprintf(y->name, sizeof(y->name), "output");
        b->output = (encode_value){"output",
                                   {(int64_t)b->options.batch, (int64_t)y->channels,
                                    (int64_t)y->height, (int64_t)y->width},
                                   y->height > 0 ? 4 : 2};
        b->next_is_output = false;
    } else if (snprintf(y->name, sizeof(y->name), "%s_output_0", name) >= (int)sizeof(y->name)) {
        fail(b, "%s: name too long", name);
    }
    encode_append_node(&b->nodes, &(encode_node){.operator_type = operator_type,
                                                 .name = name,
                                                 .output = y->name,
                                                 .inputs = inputs,
                                                 .input_count = input_count,
                                                 .attributes = attributes,
                                                 .attribute_count = attribute_count});
    if (b->nodes.failed)
        fail(b, "out of memory");
}

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define INT(key, value)                                                                            \
    {                                                                                              \
        .name = (key), .kind = ENCODE_INT, .ints = {(int64_t)(value) }                             \
    }
#define INTS(key, size, ...)                                                                       \
    {                                                                                              \
        .name = (key), .kind = ENCODE_INTS, .count = (size), .ints = { __VA_ARGS__ }               \
    }
#define FLOAT(key, value)                                                                          \
    { .name = (key), .kind = ENCODE_FLOAT, .real = (float)(value) }

void builder_last(builder *b) {
    b->next_is_output = true;
}

tensor builder_input(builder *b) {
    const size_t size = b->options.size;
    return (tensor){"input", 3, size, size, 1, false};
}

/* Size of a convolution's or pool's output, after "Convolution arithmetic", arXiv:1603.07285. */
static size_t output_size(builder *b, size_t input, size_t kernel, size_t stride, size_t padding,
                          bool ceil_mode) {
    if (input + 2 * padding < kernel) {
        fail(b, "an input of %zux%zu is too small: after %zu nodes %zu rows meet a kernel of %zu",
             b->options.size, b->options.size, b->node_count, input, kernel);
        return 1;
    }
    return (input + 2 * padding - kernel + (ceil_mode ? stride - 1 : 0)) / stride + 1;
}

/* Mean square of a sum of fan_in products of He-initialised weights and inputs of mean square p. */
static double he_power(double p) {
    return 2 * p;
}

static weights_distribution he_normal(size_t fan_in) {
    return (weights_distribution){WEIGHTS_NORMAL, 0, sqrt(2 / (double)fan_in)};
}

/* Values small beside the layer's results. */
static weights_distribution small_offsets(double power) {
    double bound = 0.1 * sqrt(power);
    return (weights_distribution){WEIGHTS_UNIFORM, -bound, bound};
}

tensor builder_conv(builder *b, tensor x, conv conv, const char *name) {
    char weight[BUILDER_NAME], bias[BUILDER_NAME];
    const size_t height = conv.kernel[0] ? conv.kernel[0] : 1;
    const size_t width = conv.kernel[1] ? conv.kernel[1] : 1;
    const size_t stride = conv.stride ? conv.stride : 1, groups = conv.groups ? conv.groups : 1;
    const size_t dims[] = {conv.channels, x.channels / groups, height, width};
    tensor y = {"",
                conv.channels,
                output_size(b, x.height, height, stride, conv.padding[0], false),
                output_size(b, x.width, width, stride, conv.padding[1], false),
                he_power(x.power),
                false};
    add_weights(b, name, "weight", dims, 4, he_normal(dims[1] * height * width), weight);
    if (conv.bias)
        add_weights(b, name, "bias", dims, 1, small_offsets(y.power), bias);
    const int64_t top = (int64_t)conv.padding[0], left = (int64_t)conv.padding[1];
    const encode_attribute attributes[] = {
        INTS("dilations", 2, 1, 1),
        INT("group", groups),
        INTS("kernel_shape", 2, (int64_t)height, (int64_t)width),
        INTS("pads", 4, top, left, top, left),
        INTS("strides", 2, (int64_t)stride, (int64_t)stride),
    };
    add_node(b, "Conv", name, (const char *[]){x.name, weight, bias}, conv.bias ? 3 : 2, attributes,
             COUNT(attributes), &y);
    return y;
}

tensor builder_batch_norm(builder *b, tensor x, batch_norm options, const char *name) {
    static const char *const suffixes[] = {"weight", "bias", "running_mean", "running_var"};
    const double gamma = options.gamma;
    const weights_distribution distributions[] = {
        {WEIGHTS_UNIFORM, 0.8 * gamma, 1.2 * gamma},
        small_offsets(gamma * gamma),
        small_offsets(x.power),
        {WEIGHTS_UNIFORM, 0.8 * x.power, 1.2 * x.power},
    };
    char names[4][BUILDER_NAME];
    const char *inputs[5] = {x.name};
    for (size_t i = 0; i < 4; i++) {
        add_weights(b, name, suffixes[i], &x.channels, 1, distributions[i], names[i]);
        inputs[1 + i] = names[i];
    }
    const encode_attribute attributes[] = {FLOAT("epsilon", options.epsilon),
                                           FLOAT("momentum", 0.9), INT("training_mode", 0)};
    tensor y = x;
    y.power = gamma * gamma;
    y.rectified = false;
    add_node(b, "BatchNormalization", name, inputs, 5, attributes, COUNT(attributes), &y);
    return y;
}

/* Of values spread evenly about 0, half go: so does half of the mean square. */
static tensor rectified(tensor x) {
    tensor y = x;
    y.power = x.rectified ? x.power : x.power / 2;
    y.rectified = true;
    return y;
}

tensor builder_relu(builder *b, tensor x) {
    tensor y = rectified(x);
    add_node(b, "Relu", "", (const char *[]){x.name}, 1, NULL, 0, &y);
    return y;
}

tensor builder_relu6(builder *b, tensor x) {
    tensor bounds[2] = {0}, y = rectified(x);
    for (size_t i = 0; i < 2; i++) {
        encode_attribute value = {.name = "value", .kind = ENCODE_SCALAR, .real = i == 0 ? 0 : 6};
        add_node(b, "Constant", "", NULL, 0, &value, 1, &bounds[i]);
    }
    add_node(b, "Clip", "", (const char *[]){x.name, bounds[0].name, bounds[1].name}, 3, NULL, 0,
             &y);
    return y;
}

static tensor pooled(builder *b, tensor x, pool pool) {
    tensor y = x;
    y.height = output_size(b, x.height, pool.kernel, pool.stride, pool.padding, pool.ceil);
    y.width = output_size(b, x.width, pool.kernel, pool.stride, pool.padding, pool.ceil);
    return y;
}

/* The attributes that both kinds of pool have. */
#define POOL_ATTRIBUTES(pool)                                                                      \
    INT("ceil_mode", (pool).ceil),                                                                 \
        INTS("kernel_shape", 2, (int64_t)(pool).kernel, (int64_t)(pool).kernel),                   \
        INTS("pads", 4, (int64_t)(pool).padding, (int64_t)(pool).padding, (int64_t)(pool).padding, \
             (int64_t)(pool).padding),                                                             \
        INTS("strides", 2, (int64_t)(pool).stride, (int64_t)(pool).stride)

tensor builder_max_pool(builder *b, tensor x, pool pool) {
    const encode_attribute attributes[] = {POOL_ATTRIBUTES(pool), INTS("dilations", 2, 1, 1)};
    tensor y = pooled(b, x, pool);
    y.power = 2 * x.power; /* as measured, on the average */
    add_node(b, "MaxPool", "", (const char *[]){x.name}, 1, attributes, COUNT(attributes), &y);
    return y;
}

tensor builder_average_pool(builder *b, tensor x, pool pool) {
    const encode_attribute attributes[] = {POOL_ATTRIBUTES(pool), INT("count_include_pad", 1)};
    tensor y = pooled(b, x, pool);
    add_node(b, "AveragePool", "", (const char *[]){x.name}, 1, attributes, COUNT(attributes), &y);
    return y;
}

tensor builder_adaptive_average_pool(builder *b, tensor x, size_t size) {
    size_t grid = size;
    while (x.height % grid != 0)
        grid--;
    const size_t kernel = x.height / grid;
    return builder_average_pool(b, x, (pool){kernel, kernel, 0, false});
}

tensor builder_global_average_pool(builder *b, tensor x) {
    tensor y = x;
    y.height = y.width = 1;
    add_node(b, "GlobalAveragePool", "", (const char *[]){x.name}, 1, NULL, 0, &y);
    return y;
}

tensor builder_add(builder *b, tensor x, tensor y) {
    tensor sum = x;
    sum.power = x.power + y.power;
    sum.rectified = x.rectified || y.rectified;
    if (x.channels != y.channels || x.height != y.height)
        fail(b, "%s + %s: shapes differ", x.name, y.name);
    add_node(b, "Add", "", (const char *[]){x.name, y.name}, 2, NULL, 0, &sum);
    return sum;
}

tensor builder_concat(builder *b, const tensor *parts, size_t count) {
    const char **names = calloc(count, sizeof(*names));
    tensor y = parts[0];
    y.channels = 0;
    y.power = 0;
    if (names == NULL) {
        fail(b, "out of memory");
        return parts[0];
    }
    for (size_t i = 0; i < count; i++) {
        if (parts[i].height != y.height || parts[i].width != y.width)
            fail(b, "concat of %s: shapes differ", parts[i].name);
        names[i] = parts[i].name;
        y.channels += parts[i].channels;
        y.power += parts[i].power * (double)parts[i].channels;
        y.rectified = y.rectified && parts[i].rectified;
    }
    y.power /= (double)y.channels;
    const encode_attribute axis = INT("axis", 1);
    add_node(b, "Concat", "", names, count, &axis, 1, &y);
    free(names);
    return y;
}

tensor builder_flatten(builder *b, tensor x) {
    const encode_attribute axis = INT("axis", 1);
    tensor y = {"", x.channels * x.height * x.width, 0, 0, x.power, x.rectified};
    add_node(b, "Flatten", "", (const char *[]){x.name}, 1, &axis, 1, &y);
    return y;
}

tensor builder_gemm(builder *b, tensor x, size_t channels, const char *name) {
    char weight[BUILDER_NAME], bias[BUILDER_NAME];
    const size_t dims[] = {channels, x.channels};
    tensor y = {"", channels, 0, 0, he_power(x.power), false};
    add_weights(b, name, "weight", dims, 2, he_normal(x.channels), weight);
    add_weights(b, name, "bias", dims, 1, small_offsets(y.power), bias);
    const encode_attribute attributes[] = {FLOAT("alpha", 1), FLOAT("beta", 1), INT("transB", 1)};
    add_node(b, "Gemm", name, (const char *[]){x.name, weight, bias}, 3, attributes,
             COUNT(attributes), &y);
    return y;
}

/* ---- The file ------------------------------------------------------------------------------ */

bool builder_write(builder *b, const char *path) {
    const size_t size = b->options.size;
    const encode_model model = {
        .name = b->options.name,
        .nodes = &b->nodes,
        .initializers = b->initializers,
        .initializer_count = b->initializer_count,
        .input = {"input", {(int64_t)b->options.batch, 3, (int64_t)size, (int64_t)size}, 4},
        .output = b->output,
        .seed = b->options.seed,
    };
    if (builder_error(b) != NULL)
        return false;
    file_writer out;
    kiln_error error;
    kiln_status status = file_begin(&out, path, &error);
    if (status == KILN_OK) {
        errno = 0;
        if (!encode_write_model(&model, out.file))
            status = kiln_fail(&error, KILN_ERROR_IO, "%s: cannot write: %s", path,
                               strerror(errno != 0 ? errno : EIO));
        status = file_end(&out, status, &error);
    }
    if (status != KILN_OK)
        fail(b, "%s", error.message);
    return status == KILN_OK;
}
