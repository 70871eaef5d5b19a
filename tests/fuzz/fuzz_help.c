/* What fuzz targets share: random numbers, files, small networks. */
#include "compiler/export/model.h"
#include "tests/fuzz/fuzz.h"
#include "tests/scratch.h"

#include <kiln/compile.h>
#include <sys/mman.h>
#include <unistd.h>

uint64_t fuzz_random(uint64_t *inout_state) {
    uint64_t z = (*inout_state += 0x9e3779b97f4a7c15u);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

uint32_t fuzz_word(uint64_t *inout_state) {
    static const uint32_t values[] = {0,    1,      2,          0x7f,       0x80,
                                      0xff, 0xffff, 0x7fffffff, 0x80000000, 0xffffffff};
    uint64_t pick = fuzz_random(inout_state);
    return pick % 2 == 0 ? values[pick / 2 % (sizeof values / sizeof *values)]
                         : (uint32_t)(pick / 2 % 40);
}

const char *fuzz_file(const uint8_t *data, size_t size) {
    static char path[40];
    static int file = -1;
    if (file < 0) {
        file = memfd_create("kiln-fuzz", MFD_CLOEXEC);
    }
    if (file < 0 || ftruncate(file, 0) != 0 || pwrite(file, data, size, 0) != (ssize_t)size) {
        perror("kiln-fuzz");
        exit(2);
    }
    snprintf(path, sizeof path, "/proc/self/fd/%d", file);
    return path;
}

size_t fuzz_read(const char *path, uint8_t *out, size_t room) {
    FILE *file = fopen(path, "rb");
    size_t size = file != NULL ? fread(out, 1, room, file) : 0;
    bool whole = file != NULL && size < room;
    if (file != NULL) {
        (void)fclose(file);
    }
    return whole ? size : 0;
}

static char folder[32];

static void remove_folder(void) {
    (void)scratch_remove(folder);
}

const char *fuzz_folder(void) {
    if (folder[0] == '\0') { /* in memory, where the system has it */
        snprintf(folder, sizeof folder, "%s/kiln-fuzz-XXXXXX",
                 access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
        if (mkdtemp(folder) == NULL || atexit(remove_folder) != 0) {
            perror(folder);
            exit(2);
        }
    }
    return folder;
}

void fuzz_expect_message(const kiln_error *error) {
    if (error->message[0] == '\0') {
        fprintf(stderr, "an error without a message\n");
        abort();
    }
}

/* ---- Networks ------------------------------------------------------------------------------ */

static const char *weights(onnx_model *m, size_t rank, const int64_t *dims) {
    static float values[4096];
    for (size_t k = 0; k < 4096; k++) {
        values[k] = (float)(k * 37 % 19) / 19 - 0.5f;
    }
    return model_floats(m, NULL, rank, dims, values);
}

static const char *convolve(onnx_model *m, const char *x, int64_t inputs, int64_t outputs,
                            int64_t side, const char *name) {
    const int64_t dims[4] = {outputs, inputs, side, side}, pad = side / 2;
    Onnx__NodeProto *node;
    const char *operands[3] = {x, weights(m, 4, dims), weights(m, 1, dims)};
    const char *y = model_node(m, "Conv", name, 3, operands, &node);
    model_ints(m, node, "pads", 4, (int64_t[]){pad, pad, pad, pad});
    return y;
}

static const char *apply(onnx_model *m, const char *op, size_t count, const char *const *inputs) {
    return model_node(m, op, NULL, count, inputs, NULL);
}

/* The shape of x, computed: folds. */
static const char *reshape_to_itself(onnx_model *m, const char *x) {
    Onnx__NodeProto *node;
    const int64_t zero = 0, ends[2] = {0, 4};
    const char *shape = apply(m, "Shape", 1, &x);
    const char *first = model_node(m, "Gather", NULL, 2,
                                   (const char *[]){shape, model_integers(m, 1, &zero)}, NULL);
    const char *rest = apply(m, "Slice", 3,
                             (const char *[]){shape, model_integers(m, 1, (int64_t[]){1}),
                                              model_integers(m, 1, ends + 1)});
    const char *joined = model_node(m, "Concat", NULL, 2, (const char *[]){first, rest}, &node);
    model_int(m, node, "axis", 0);
    return apply(m, "Reshape", 2, (const char *[]){x, joined});
}

/* x and weights quantised by QLinear operators, then as Q and DQ around one in f32. */
static const char *quantize(onnx_model *m, const char *x) {
    enum { IN = 3, OUT = 8, TAPS = 9 };
    static int8_t kernel[OUT * IN * TAPS], dense[OUT * OUT];
    static const int32_t bias[OUT] = {3, -4, 0, 100, -7, 1, 0, 9};
    static const float per_channel[OUT] = {0.01f, 0.02f, 0.1f, 1, 0.5f, 0.03f, 0.01f, 0.2f};
    const int64_t kernel_dims[4] = {OUT, IN, 3, 3}, dense_dims[2] = {OUT, OUT}, out = OUT;
    const int8_t none[OUT] = {0};
    const uint8_t zero = 128;
    for (size_t k = 0; k < sizeof kernel; k++) {
        kernel[k] = (int8_t)(k * 53 % 251 - 125);
        dense[k % sizeof dense] = kernel[k];
    }
    Onnx__NodeProto *node;
    const char *s = model_floats(m, NULL, 0, NULL, (float[]){0.05f});
    const char *z = model_elements(m, NULL, KILN_U8, 0, NULL, &zero);
    const char *q = apply(m, "QuantizeLinear", 3, (const char *[]){x, s, z});
    q = model_node(m, "QLinearConv", NULL, 9,
                   (const char *[]){q, s, z,
                                    model_elements(m, NULL, KILN_I8, 4, kernel_dims, kernel),
                                    model_floats(m, NULL, 1, &out, per_channel),
                                    model_elements(m, NULL, KILN_I8, 1, &out, none), s, z,
                                    model_elements(m, NULL, KILN_I32, 1, &out, bias)},
                   &node);
    const char *y = apply(m, "DequantizeLinear", 3, (const char *[]){q, s, z});
    y = apply(m, "GlobalAveragePool", 1, &y);
    y = apply(m, "Flatten", 1, &y);
    q = apply(m, "QuantizeLinear", 3, (const char *[]){y, s, z});
    y = apply(m, "DequantizeLinear", 3, (const char *[]){q, s, z});
    const char *w =
        apply(m, "DequantizeLinear", 2,
              (const char *[]){model_elements(m, NULL, KILN_I8, 2, dense_dims, dense), s});
    return apply(m, "MatMul", 2, (const char *[]){y, w});
}

/* Two convolutions and a sum. */
static const char *convolve_twice(onnx_model *m, size_t k) {
    const char *y = convolve(m, "x", 3, 8, 3, "first");
    y = apply(m, k == 2 ? "Sigmoid" : "Relu", 1, &y);
    y = k == 2 ? reshape_to_itself(m, y) : y;
    const char *z = convolve(m, y, 8, 8, k == 0 ? 1 : 3, NULL);
    y = apply(m, "Add", 2, (const char *[]){y, z});
    y = k == 1 ? convolve(m, y, 8, 8, 3, NULL) : y;
    y = apply(m, "GlobalAveragePool", 1, &y);
    return apply(m, "Flatten", 1, &y);
}

static const char *excite(onnx_model *m, const char *x) {
    const char *y = apply(m, "GlobalAveragePool", 1, &x);
    y = convolve(m, y, 8, 4, 1, NULL);
    y = apply(m, "HardSwish", 1, &y);
    y = convolve(m, y, 4, 8, 1, NULL);
    y = apply(m, "Sigmoid", 1, &y);
    return apply(m, "Mul", 2, (const char *[]){x, y});
}

/* Squeeze-and-excitation, whose scale a convolution takes over, and then a sum. */
static const char *excite_twice(onnx_model *m) {
    const char *y = convolve(m, "x", 3, 8, 3, NULL);
    y = apply(m, "Relu", 1, &y);
    y = convolve(m, excite(m, y), 8, 8, 1, NULL);
    y = apply(m, "Add", 2, (const char *[]){y, excite(m, y)});
    y = apply(m, "GlobalAveragePool", 1, &y);
    return apply(m, "Flatten", 1, &y);
}

bool fuzz_write_model(size_t k, const char *path) {
    onnx_model m;
    const uint32_t side = k == 1 ? 24 : 6, in[4] = {1, 3, side, side}, out[2] = {1, 5};
    const int64_t dense[2] = {8, 5};
    model_init(&m);
    model_end(&m, true, "x", KILN_F32, 4, in, true);
    const char *y = k == 3 ? quantize(&m, "x") : k == 4 ? excite_twice(&m) : convolve_twice(&m, k);
    y = apply(&m, "Gemm", 2, (const char *[]){y, weights(&m, 2, dense)});
    (void)model_node(&m, "Softmax", "y", 1, &y, NULL);
    model_end(&m, false, "y", KILN_F32, 2, out, true);
    bool good = !m.failed && model_write(&m, path, NULL) == KILN_OK;
    model_free(&m);
    return good;
}

bool fuzz_write_plan(size_t k, const char *path) {
    char model[64];
    kiln_compile_options options;
    kiln_compile_options_init(&options);
    options.memory = k == 1 ? KILN_MEMORY_MIN : KILN_MEMORY_BALANCED; /* bands, to be damaged */
    snprintf(model, sizeof model, "%s/model.onnx", fuzz_folder());
    return fuzz_write_model(k, model) && kiln_compile(model, path, &options, NULL, NULL) == KILN_OK;
}
