/* The trained plan: the frozen part, then the head as kernel calls. */
#include "runtime/base/files.h"
#include "runtime/base/memory.h"
#include "runtime/plan/plan.h"
#include "runtime/plan/sub_plan.h"
#include "runtime/train/trainer.h"

#include <math.h>
#include <string.h>

/* Weights of the plan, kept until it is written. */
typedef struct saving {
    kiln_trainer *t;
    sub_plan plan;
    float *weights[KILN_MAX_HEAD_LAYERS], *biases[KILN_MAX_HEAD_LAYERS];
} saving;

/* Denormals slow arithmetic and change no result that matters. */
static float flushed(float x) {
    return fabsf(x) < 1.17549435e-38f ? 0 : x;
}

/* Standardisation, y = W ((x + shift) * scale) + b, becomes part of the first layer; a cosine
 * layer's weights get length `scale`. */
static kiln_status make_weights(saving *s, size_t layer, kiln_error *error) {
    const kiln_trainer *t = s->t;
    const dense *d = &t->net.layers[layer];
    bool cosine = d->activation == KILN_ACTIVATION_COSINE;
    bool standardized = layer == 0 && t->shift != NULL;
    float *w = s->weights[layer] =
        memory_take(&t->allocator, (d->inputs * d->units + 1) * sizeof *w);
    float *b = s->biases[layer] = memory_zeros(&t->allocator, d->units, sizeof *b);
    if (w == NULL || b == NULL) {
        return memory_fail(error);
    }
    for (size_t u = 0; u < d->units; u++) {
        const float *from = d->weights + u * d->inputs;
        double bias = d->biases != NULL ? (double)d->biases[u] : 0, squares = 0;
        bias *= cosine ? (double)d->scale : 1;
        for (size_t k = 0; k < d->inputs; k++) {
            squares += (double)from[k] * (double)from[k];
        }
        double factor = cosine && squares > 0 ? (double)d->scale / sqrt(squares) : 1;
        for (size_t k = 0; k < d->inputs; k++) {
            double weight = (double)from[k] * factor;
            weight *= standardized ? (double)t->scale[k] : 1;
            bias += standardized ? weight * (double)t->shift[k] : 0;
            w[u * d->inputs + k] = flushed((float)weight);
        }
        b[u] = flushed((float)bias);
    }
    return KILN_OK;
}

static bool is_taken(sub_plan *p, const char *name) {
    size_t count =
        builder_count(&p->builder, KILN_SECTION_TENSORS, sizeof(kiln_plan_tensor_record));
    const char *strings = (const char *)p->builder.sections[KILN_SECTION_STRINGS].data;
    for (uint32_t k = 0; k < count && !sub_plan_failed(p); k++) {
        if (strcmp(strings + sub_plan_tensor_at(p, k)->name, name) == 0) {
            return true;
        }
    }
    return false;
}

enum { NAME_SIZE = 64 };

/* Makes a name of `base`, with a number behind it where the plan has that name already: of an
 * earlier head that was cut, or of another layer of this one. */
static const char *fresh_name(saving *s, const char *base, char out[NAME_SIZE]) {
    snprintf(out, NAME_SIZE, "%s", base);
    for (unsigned n = 2; is_taken(&s->plan, out); n++) {
        snprintf(out, NAME_SIZE, "%s.%u", base, n);
    }
    return out;
}

static uint32_t add_row_step(saving *s, kiln_kernel kernel, uint32_t x, uint32_t size,
                             const void *params, size_t params_bytes, const char *base,
                             const char *origin) {
    char text[NAME_SIZE];
    const char *name = fresh_name(s, base, text);
    kiln_plan_step step = {.kernel = (uint16_t)kernel, .input_count = 1, .output_count = 1};
    step.flags = kernel == KILN_KERNEL_REDUCE ? KILN_STEP_FINAL_DENSE : 0; /* a part of the layer */
    uint32_t y = sub_plan_arena_tensor(&s->plan, name, size), operands[2] = {x, y};
    sub_plan_step(&s->plan, &step, name, origin, params, params_bytes, operands);
    return y;
}

static uint32_t add_unary(saving *s, uint32_t x, uint32_t size, kiln_unary_op op, const char *base,
                          const char *origin) {
    kiln_unary_params params = {.op = op};
    return add_row_step(s, KILN_KERNEL_UNARY, x, size, &params, sizeof params, base, origin);
}

static uint32_t add_dense(saving *s, size_t layer, uint32_t x, const char *name) {
    static const kiln_plan_step step = {.kernel = KILN_KERNEL_FULLY_CONNECTED,
                                        .input_count = 3,
                                        .output_count = 1,
                                        .flags = KILN_STEP_FINAL_DENSE};
    const dense *d = &s->t->net.layers[layer];
    char text[NAME_SIZE + 8];
    bool relu = d->activation == KILN_ACTIVATION_RELU;
    kiln_fully_connected_params params = {relu ? 0.0f : -INFINITY, INFINITY};
    uint32_t operands[4] = {x};
    snprintf(text, sizeof text, "%s.weight", name);
    operands[1] = sub_plan_constant(&s->plan, text, 2, (uint32_t)d->units, (uint32_t)d->inputs,
                                    s->weights[layer]);
    snprintf(text, sizeof text, "%s.bias", name);
    operands[2] = sub_plan_constant(&s->plan, text, 1, (uint32_t)d->units, 0, s->biases[layer]);
    operands[3] = sub_plan_arena_tensor(&s->plan, name, (uint32_t)d->units);
    sub_plan_step(&s->plan, &step, name, relu ? "Gemm + Relu" : "Gemm", &params, sizeof params,
                  operands);
    return operands[3];
}

/* Adds the largest of each class's group. */
static uint32_t add_largest(saving *s, uint32_t x, uint32_t classes, uint32_t group) {
    kiln_reduce_params params = {
        .op = KILN_REDUCE_MAX, .mask = 1u << 2, .min = -INFINITY, .max = INFINITY};
    uint32_t grouped = sub_plan_grouped(&s->plan, x, classes, group);
    return add_row_step(s, KILN_KERNEL_REDUCE, grouped, classes, &params, sizeof params,
                        "head.nearest", "ReduceMax");
}

static uint32_t add_layer(saving *s, size_t layer, uint32_t x) {
    const dense *d = &s->t->net.layers[layer];
    uint32_t units = (uint32_t)d->units, group = (uint32_t)s->t->net.group;
    char base[32], name[NAME_SIZE];
    snprintf(base, sizeof base, "head.%zu", layer + 1);
    (void)fresh_name(s, base, name);
    if (d->activation == KILN_ACTIVATION_COSINE) {
        kiln_lp_norm_params norm = {.axis = 1, .p = 2};
        x = add_row_step(s, KILN_KERNEL_LP_NORM, x, (uint32_t)d->inputs, &norm, sizeof norm,
                         "head.normalized", "LpNormalization");
    }
    uint32_t y = add_dense(s, layer, x, name);
    if (group > 1) {
        units /= group;
        y = add_largest(s, y, units, group);
    }
    switch (d->activation) {
    case KILN_ACTIVATION_TANH:
        return add_unary(s, y, units, KILN_UNARY_TANH, "head.tanh", "Tanh");
    case KILN_ACTIVATION_SIGMOID:
        return add_unary(s, y, units, KILN_UNARY_SIGMOID, "head.sigmoid", "Sigmoid");
    case KILN_ACTIVATION_SOFTMAX:
    case KILN_ACTIVATION_COSINE: {
        kiln_softmax_params softmax = {.axis = 1};
        return add_row_step(s, KILN_KERNEL_SOFTMAX, y, units, &softmax, sizeof softmax,
                            "head.softmax", "Softmax");
    }
    case KILN_ACTIVATION_LINEAR:
    case KILN_ACTIVATION_RELU: /* the dense layer clamps */
    case KILN_ACTIVATION_COUNT:
        break;
    }
    return y;
}

/* ---- The frozen part ----------------------------------------------------------------------- */

/* Without a backbone, the input as it is becomes one row. */
static uint32_t add_raw_input(saving *s) {
    const kiln_train_options *o = &s->t->options;
    s->plan.builder.header.batchable = 1;
    kiln_plan_tensor_record input = {.name = builder_string(&s->plan.builder, "input"),
                                     .dtype = KILN_F32,
                                     .stored_dtype = KILN_F32,
                                     .rank = (uint8_t)(o->input_rank + 1),
                                     .place = KILN_PLACE_INPUT,
                                     .batched = 1,
                                     .storage = KILN_PLAN_NONE,
                                     .row_stride = o->input_dims[o->input_rank - 1],
                                     .dims = {1}};
    memcpy(input.dims + 1, o->input_dims, o->input_rank * sizeof(uint32_t));
    uint32_t index = sub_plan_tensor(&s->plan, &input, NULL);
    builder_append(&s->plan.builder, KILN_SECTION_INPUTS, &index, sizeof index);
    uint32_t count = (uint32_t)s->t->feature_count;
    uint32_t row = sub_plan_arena_tensor(&s->plan, "features", count);
    if (sub_plan_failed(&s->plan)) {
        return row;
    }
    kiln_plan_tensor_record view = *sub_plan_tensor_at(&s->plan, row);
    view.rank = input.rank;
    view.row_stride = input.row_stride;
    memcpy(view.dims, input.dims, sizeof view.dims);
    uint32_t shaped = sub_plan_tensor(&s->plan, &view, NULL);
    static const kiln_plan_step step = {
        .kernel = KILN_KERNEL_COPY, .input_count = 1, .output_count = 1};
    kiln_copy_params params = {.rank = 2,
                               .batched = 1,
                               .dims = {count / input.row_stride, input.row_stride},
                               .input_strides = {input.row_stride, 1},
                               .output_strides = {input.row_stride, 1}};
    uint32_t operands[2] = {index, shaped};
    sub_plan_step(&s->plan, &step, "input as a row", "Flatten", &params, sizeof params, operands);
    return row;
}

static kiln_status add_frozen(saving *s, uint32_t *out_features, kiln_error *error) {
    uint32_t count;
    if (s->t->backbone == NULL) {
        *out_features = add_raw_input(s);
        return KILN_OK;
    }
    uint32_t taken = sub_plan_take(&s->plan, s->t->backbone, s->t->cut_tensor);
    return sub_plan_failed(&s->plan)
               ? KILN_OK
               : sub_plan_features(&s->plan, taken, out_features, &count, error);
}

/* ---- Descriptions -------------------------------------------------------------------------- */

static void add_descriptions(saving *s) {
    const kiln_trainer *t = s->t;
    const char *source = t->backbone != NULL ? kiln_plan_metadata(t->backbone, "source") : NULL;
    sub_plan_metadata(&s->plan, "compiler", "kiln " KILN_VERSION);
    sub_plan_metadata(&s->plan, "source", source != NULL ? source : "trained from scratch");
    sub_plan_metadata(&s->plan, "task", "classification");
    sub_plan_metadata(&s->plan, "cut", t->cut);
    for (size_t k = 0; k < t->description_count; k++) {
        sub_plan_metadata(&s->plan, t->descriptions[k].key, t->descriptions[k].value);
    }
    for (uint32_t k = 0; k < t->options.class_count && t->class_names != NULL; k++) {
        uint32_t label = builder_string(&s->plan.builder, t->class_names[k]);
        builder_append(&s->plan.builder, KILN_SECTION_LABELS, &label, sizeof label);
    }
    builder_preprocess(&s->plan.builder, &t->preprocess);
    for (size_t k = 0; k < t->attachment_count; k++) {
        const attachment *a = &t->attachments[k];
        builder_optional(&s->plan.builder, a->tag, (kiln_span){a->data, a->size});
    }
}

static kiln_status write_trained(kiln_trainer *t, plan_sink write, void *context,
                                 kiln_error *error) {
    saving s = {.t = t};
    builder_begin(&s.plan.builder, &t->allocator);
    uint32_t x = 0;
    kiln_status status = KILN_OK;
    for (size_t k = 0; k < t->net.count && status == KILN_OK; k++) {
        status = make_weights(&s, k, error);
    }
    if (status == KILN_OK) {
        status = add_frozen(&s, &x, error);
    }
    if (status == KILN_OK && !sub_plan_failed(&s.plan)) {
        for (size_t k = 0; k < t->net.count; k++) {
            x = add_layer(&s, k, x);
        }
        uint32_t output = sub_plan_output_tensor(&s.plan, "scores", t->options.class_count);
        sub_plan_copy(&s.plan, "scores", x, output, t->options.class_count);
        add_descriptions(&s);
    }
    if (status == KILN_OK) {
        status = sub_plan_finish(&s.plan, NULL, write, context, error);
    }
    sub_plan_free(&s.plan);
    for (size_t k = 0; k < KILN_MAX_HEAD_LAYERS; k++) {
        memory_free(s.weights[k]);
        memory_free(s.biases[k]);
    }
    return status;
}

kiln_status kiln_trainer_save(kiln_trainer *t, const char *path, kiln_error *error) {
    file_writer out;
    kiln_status status = file_begin(&out, path, error);
    return status == KILN_OK ? file_end(&out, write_trained(t, builder_to_file, &out, error), error)
                             : status;
}

kiln_status kiln_trainer_save_memory(kiln_trainer *t, void **out_bytes, size_t *out_size,
                                     kiln_error *error) {
    byte_buffer bytes = {.allocator = &t->allocator};
    kiln_status status = write_trained(t, buffer_write, &bytes, error);
    if (status != KILN_OK) {
        buffer_free(&bytes);
    }
    *out_bytes = bytes.data;
    *out_size = bytes.size;
    return status;
}
