/* Operators of com.microsoft that ONNX Runtime's optimiser writes compute what the standard's do
 * that they stand for. */
#include "tests/unit/parts.h"
#include "tests/unit/suite.h"

static float weights[4 * 4 * 9], bias[4] = {0.5f, -0.25f, 1, 0};

static void constant(const char *name, size_t rank, int64_t *dims) {
    size_t count = 1;
    for (size_t k = 0; k < rank; k++) {
        count *= (size_t)dims[k];
    }
    set_raw(model_initializer((char *)(uintptr_t)name, FLOAT, rank, dims),
            rank == 1 ? bias : weights, count * sizeof(float));
}

static void begin(const char *dims) {
    parts_begin(dims);
    for (size_t k = 0; k < sizeof weights / sizeof *weights; k++) {
        weights[k] = (float)(k * 7 % 11) * 0.1f - 0.5f;
    }
}

static Onnx__NodeProto *microsoft(const char *op, const char *inputs, const char *outputs) {
    Onnx__NodeProto *n = in_graph(part_node((char *)(uintptr_t)op, inputs, outputs));
    n->domain = (char *)(uintptr_t) "com.microsoft";
    return n;
}

static Onnx__NodeProto *standard(const char *op, const char *inputs, const char *outputs) {
    return in_graph(part_node((char *)(uintptr_t)op, inputs, outputs));
}

static void text(Onnx__NodeProto *n, char *name, const char *value) {
    Onnx__AttributeProto *a =
        part_attribute(n, name, ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__STRING);
    a->has_s = true;
    a->s = (ProtobufCBinaryData){strlen(value), (uint8_t *)(uintptr_t)value};
}

/* Both models at a batch of 2. */
static void check_same(void (*fused)(void), void (*plain)(void)) {
    static model_run a, b;
    fused();
    COMPILED(NULL, NULL);
    model_run_at(2, &a);
    ck_assert_msg(kiln_verify(m.path, NULL, NULL, &m.error) == KILN_OK, "%s", m.error.message);
    plain();
    COMPILED(NULL, NULL);
    model_run_at(2, &b);
    ck_assert_uint_eq(a.count[0], b.count[0]);
    ck_assert_uint_gt(a.count[0], 0);
    for (size_t k = 0; k < a.count[0]; k++) {
        ck_assert_float_eq_tol(a.out[0][k], b.out[0][k], 1e-5f);
    }
}

/* ---- Convolutions and products ------------------------------------------------------------- */

static int64_t conv_dims[] = {4, 4, 3, 3}, four[] = {4};

static void fused_conv(void) {
    static float slope[] = {0.3f};
    begin("N 4 5 5");
    constant("w", 4, conv_dims);
    constant("b", 1, four);
    standard("Slice", "x from to axes", "z");
    static int64_t from[] = {0, 0}, to[] = {3, 3}, axes[] = {2, 3}, two = 2;
    set_raw(model_initializer("from", INT64, 1, &two), from, sizeof from);
    set_raw(model_initializer("to", INT64, 1, &two), to, sizeof to);
    set_raw(model_initializer("axes", INT64, 1, &two), axes, sizeof axes);
    Onnx__NodeProto *n = microsoft("FusedConv", "x w b z", "y");
    text(n, "activation", "LeakyRelu");
    Onnx__AttributeProto *a = part_attribute(n, "activation_params", 6);
    a->floats = slope;
    a->n_floats = 1;
}

static void plain_conv(void) {
    fused_conv();
    m.graph.n_node = 1; /* the slice stays */
    standard("Conv", "x w b", "c");
    standard("Add", "c z", "s");
    part_float(standard("LeakyRelu", "s", "y"), "alpha", 0.3f);
}

START_TEST(convolves) {
    check_same(fused_conv, plain_conv);
}
END_TEST

static int64_t square[] = {4, 4};

static void fused_gemm(void) {
    begin("N 4");
    constant("w", 2, square);
    constant("b", 1, four);
    Onnx__NodeProto *n = microsoft("FusedGemm", "x w b", "y");
    part_int(n, "transB", 1);
    part_float(n, "alpha", 0.5f);
    text(n, "activation", "HardSigmoid");
    part_float(n, "activation_alpha", 0.4f);
}

static void plain_gemm(void) {
    begin("N 4");
    constant("w", 2, square);
    constant("b", 1, four);
    Onnx__NodeProto *n = standard("Gemm", "x w b", "g");
    part_int(n, "transB", 1);
    part_float(n, "alpha", 0.5f);
    part_float(standard("HardSigmoid", "g", "y"), "alpha", 0.4f);
}

START_TEST(multiplies) {
    check_same(fused_gemm, plain_gemm);
}
END_TEST

static void fused_matmul(void) {
    begin("N 3 4");
    Onnx__NodeProto *n = microsoft("FusedMatMul", "x x", "y");
    part_int(n, "transA", 1);
    part_float(n, "alpha", 0.25f);
}

static void plain_matmul(void) {
    static int64_t order[] = {0, 2, 1};
    static float quarter = 0.25f;
    begin("N 3 4");
    set_raw(model_initializer("quarter", FLOAT, 0, NULL), &quarter, sizeof quarter);
    Onnx__AttributeProto *a = part_attribute(standard("Transpose", "x", "t"), "perm", 7);
    a->ints = order;
    a->n_ints = 3;
    standard("MatMul", "t x", "p");
    standard("Mul", "p quarter", "y");
}

START_TEST(multiplies_transposed) {
    check_same(fused_matmul, plain_matmul);
}
END_TEST

/* ---- Element by element -------------------------------------------------------------------- */

static float quick_gelu(float x) {
    return x / (1 + expf(-1.702f * x));
}

static float gelu(float x) {
    return 0.5f * x * (1 + erff(x * 0.70710678f));
}

static float gelu_of_more(float x) {
    return gelu(x + 0.5f);
}

static float fast_gelu(float x) {
    return 0.5f * x * (1 + tanhf(0.79788456f * (x + 0.044715f * x * x * x)));
}

START_TEST(computes_gelus) {
    static int64_t one[] = {1};
    static const struct {
        const char *op, *inputs;
        float (*expected)(float);
    } cases[] = {{"QuickGelu", "x", quick_gelu},
                 {"Gelu", "x", gelu},
                 {"BiasGelu", "x b", gelu_of_more},
                 {"FastGelu", "x", fast_gelu}};
    for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
        begin("N 3");
        constant("b", 1, one);
        microsoft(cases[k].op, cases[k].inputs, "y");
        check_elements(cases[k].expected);
    }
}
END_TEST

static void fused_norm(void) {
    begin("N 3 4");
    constant("g", 1, four);
    constant("b", 1, four);
    standard("Abs", "x", "skip");
    part_float(microsoft("SkipLayerNormalization", "x skip g b g", "n - - s"), "epsilon", 1e-5f);
    standard("Add", "n s", "y");
}

static void plain_norm(void) {
    begin("N 3 4");
    constant("g", 1, four);
    constant("b", 1, four);
    standard("Abs", "x", "skip");
    standard("Sum", "x skip g", "s");
    part_float(standard("LayerNormalization", "s g b", "n"), "epsilon", 1e-5f);
    standard("Add", "n s", "y");
}

START_TEST(normalises_sums) {
    check_same(fused_norm, plain_norm);
}
END_TEST

static void fused_root_mean_square(void) {
    begin("N 3 4");
    constant("g", 1, four);
    standard("Abs", "x", "skip");
    part_float(microsoft("SkipSimplifiedLayerNormalization", "x skip g", "n - - s"), "epsilon",
               1e-5f);
    standard("SimplifiedLayerNormalization", "s g", "m");
    standard("Add", "n m", "y");
}

static void plain_root_mean_square(void) {
    static int64_t last_axis[] = {-1};
    static float epsilon = 1e-5f;
    begin("N 3 4");
    constant("g", 1, four);
    set_raw(model_initializer("e", FLOAT, 0, NULL), &epsilon, sizeof epsilon);
    standard("Abs", "x", "skip");
    standard("Add", "x skip", "s");
    standard("Mul", "s s", "squares");
    Onnx__AttributeProto *a = part_attribute(standard("ReduceMean", "squares", "mean"), "axes", 7);
    a->ints = last_axis;
    a->n_ints = 1;
    standard("Add", "mean e", "sum");
    standard("Sqrt", "sum", "root");
    standard("Div", "s root", "d");
    standard("Mul", "d g", "n");
    standard("Add", "n n", "y");
}

START_TEST(normalises_by_root_mean_square) {
    check_same(fused_root_mean_square, plain_root_mean_square);
}
END_TEST

/* ---- Channels last --------------------------------------------------------------------------- */

static void rearrange(const char *from, const char *to, int64_t *order) {
    Onnx__AttributeProto *a = part_attribute(standard("Transpose", from, to), "perm", 7);
    a->ints = order;
    a->n_ints = 4;
}

static int64_t last[] = {0, 2, 3, 1}, first[] = {0, 3, 1, 2};

static void quantised(bool channels_last) {
    static float scale = 0.05f;
    static uint8_t zero = 100, integers[4 * 4 * 9];
    begin("N 4 5 5");
    for (size_t k = 0; k < sizeof integers; k++) {
        integers[k] = (uint8_t)(k * 37 % 200);
    }
    set_raw(model_initializer("w", UINT8, 4, conv_dims), integers, sizeof integers);
    set_raw(model_initializer("s", FLOAT, 0, NULL), &scale, sizeof scale);
    set_raw(model_initializer("z", UINT8, 0, NULL), &zero, 1);
    standard("QuantizeLinear", "x s z", "q");
    if (channels_last) {
        rearrange("q", "t", last);
        part_int(microsoft("QLinearConv", "t s z w s z s z", "c"), "channels_last", 1);
        Onnx__AttributeProto *a =
            part_attribute(microsoft("NhwcMaxPool", "c", "p"), "kernel_shape", 7);
        static int64_t two[] = {2, 2};
        a->ints = two;
        a->n_ints = 2;
        rearrange("p", "r", first);
    } else {
        static int64_t two[] = {2, 2};
        standard("QLinearConv", "q s z w s z s z", "c");
        Onnx__AttributeProto *a = part_attribute(standard("MaxPool", "c", "r"), "kernel_shape", 7);
        a->ints = two;
        a->n_ints = 2;
    }
    standard("DequantizeLinear", "r s z", "y");
}

static void quantised_last(void) {
    quantised(true);
}

static void quantised_first(void) {
    quantised(false);
}

/* QLinearConv is itself put together of others. */
START_TEST(takes_channels_last) {
    check_same(quantised_last, quantised_first);
}
END_TEST

START_TEST(says_who_saved_the_model) {
    begin("N 4");
    microsoft("Attention", "x x", "y");
    ASSERT_REFUSED(model_compile(NULL, NULL), KILN_ERROR_UNSUPPORTED,
                   "com.microsoft.Attention (node 'y')", "ONNX Runtime's optimiser", "original");
}
END_TEST

int main(void) {
    const suite_test tests[] = {
        TEST("convolution", convolves),          TEST("products", multiplies),
        TEST("products", multiplies_transposed), TEST("elements", computes_gelus),
        TEST("elements", normalises_sums),       TEST("elements", normalises_by_root_mean_square),
        TEST("layout", takes_channels_last),     TEST("errors", says_who_saved_the_model),
    };
    return SUITE("fused", tests, .begin = make_folder, .end = remove_folder);
}
