/* kiln_verify: a fault is found in its own layer and in no other, small ones too; rounding that
 * saturation or cancellation makes large is no fault; an open batch is checked twice. */
#include "tests/unit/onnx_model.h"
#include "tests/unit/suite.h"
#include <kiln/compile.h>

enum { CHANNELS = 8 };

static uint64_t random_state;
static float weights[4][128 * 16];
static int64_t dims[4][4];

static void fill(float *values, size_t count, float size) {
    for (size_t k = 0; k < count; k++) {
        random_state = random_state * 6364136223846793005u + 1442695040888963407u;
        values[k] = ((float)(random_state >> 40) / (1 << 23) - 1) * size;
    }
}

/* A constant of noise in -size..size. */
static float *constant(size_t k, char *name, size_t rank, const int64_t *shape, float size) {
    size_t count = 1;
    for (size_t d = 0; d < rank; d++) {
        dims[k][d] = shape[d];
        count *= (size_t)shape[d];
    }
    ck_assert_uint_le(count, sizeof weights[k] / sizeof(float));
    fill(weights[k], count, size);
    set_raw(model_initializer(name, FLOAT, rank, dims[k]), weights[k], count * sizeof(float));
    return weights[k];
}

static void write_model(const char *path) {
    model_pack();
    write_bytes(path, m.bytes, m.size);
}

/* Three convolutions and a dense layer, with activations of one operator and of two, all fused.
 * The values of weight `damaged` at 5 is changed by `by` times the largest. */
static void make_network(const char *path, size_t damaged, float by) {
    random_state = 7;
    memset(&m.graph, 0, sizeof m.graph);
    model_begin(13);
    model_input("x", FLOAT, "N 8 9 10");
    constant(0, "w0", 4, (const int64_t[]){CHANNELS, CHANNELS, 3, 3}, 0.3f);
    constant(1, "w1", 4, (const int64_t[]){CHANNELS, CHANNELS, 1, 1}, 0.5f);
    constant(2, "w2", 4, (const int64_t[]){CHANNELS, CHANNELS, 3, 3}, 0.3f);
    constant(3, "w3", 2, (const int64_t[]){CHANNELS, 5}, 0.5f);
    if (damaged < 4) {
        weights[damaged][5] += by;
    }
    model_node("Conv", "x w0", "a");
    model_node("Relu", "a", "b");
    model_node("Conv", "b w1", "c");
    model_node("Sigmoid", "c", "d");
    model_node("Mul", "c d", "e");
    model_node("Conv", "e w2", "f");
    model_node("Tanh", "f", "g");
    model_node("GlobalAveragePool", "g", "h");
    model_node("Flatten", "h", "i");
    model_node("MatMul", "i w3", "j");
    model_node("Softmax", "j", "y");
    model_output("y", FLOAT);
    write_model(path);
}

/* ---- What was found ------------------------------------------------------------------------ */

typedef struct found_layers {
    size_t out_of_tolerance;
    char wrong[2][64]; /* the first and the last */
    bool batch_seen[8];
    size_t progress_calls;
} found_layers;

static void see_layer(void *context, const kiln_layer_difference *d) {
    found_layers *f = context;
    f->batch_seen[d->batch % 8] = true;
    if (!d->within) {
        snprintf(f->wrong[f->out_of_tolerance > 0], 64, "%s", d->name);
        f->out_of_tolerance++;
    }
}

static void see_progress(void *context, uint32_t batch, size_t done, size_t total) {
    (void)batch;
    ck_assert_uint_le(done, total);
    ((found_layers *)context)->progress_calls++;
}

static kiln_status verify(const char *model, const char *plan, uint32_t batch,
                          kiln_verify_report *report, found_layers *found) {
    kiln_compile_options compile;
    kiln_compile_options_init(&compile);
    compile.memory = KILN_MEMORY_SPEED; /* without bands every layer is seen */
    kiln_verify_options options = {.size = sizeof options,
                                   .compile = &compile,
                                   .plan_path = plan,
                                   .batch = batch,
                                   .seed = 3,
                                   .on_layer = see_layer,
                                   .on_progress = see_progress,
                                   .context = found};
    *found = (found_layers){0};
    return kiln_verify(model, &options, report, &m.error);
}

/* The plan of a network that differs in one weight of one layer. */
static void find_damage(size_t damaged, float by, const char *layer) {
    char plan[160];
    kiln_compile_options compile;
    kiln_compile_options_init(&compile);
    compile.memory = KILN_MEMORY_SPEED;
    snprintf(plan, sizeof plan, "%s/damaged.plan", m.folder);
    make_network(m.path, damaged, by);
    ck_assert_msg(kiln_compile(m.path, plan, &compile, NULL, &m.error) == KILN_OK, "%s",
                  m.error.message);
    make_network(m.path, 4, 0);
    kiln_verify_report report;
    found_layers found;
    ck_assert_int_eq(verify(m.path, plan, 0, &report, &found), KILN_ERROR_MISMATCH);
    ck_assert_str_eq(report.first_difference, layer);
    ck_assert_uint_eq(report.first_difference_batch, 1);
    /* At both batches, and no layer after it. */
    ck_assert_uint_eq(found.out_of_tolerance, 2);
    ck_assert_str_eq(found.wrong[0], layer);
    ck_assert_str_eq(found.wrong[1], layer);
}

START_TEST(a_fault_is_named_and_its_followers_are_not) {
    find_damage(0, 2.0f, "b");
    find_damage(1, 2.0f, "e");
    find_damage(2, 2.0f, "g");
    find_damage(3, 2.0f, "j");
}
END_TEST

START_TEST(small_faults_are_found) {
    find_damage(0, 0.003f, "b");
    find_damage(1, 0.003f, "e");
    find_damage(2, 0.003f, "g");
    find_damage(3, 0.003f, "j");
}
END_TEST

START_TEST(a_sound_network_is_checked_at_two_batches) {
    kiln_verify_report report;
    found_layers found;
    make_network(m.path, 4, 0);
    ck_assert_msg(verify(m.path, NULL, 0, &report, &found) == KILN_OK, "%s", m.error.message);
    ck_assert_uint_eq(report.batches_compared, 2);
    ck_assert(found.batch_seen[1] && found.batch_seen[2]);
    ck_assert_uint_ge(found.progress_calls, 22);
    ck_assert_uint_eq(found.out_of_tolerance, 0);
    ck_assert(report.worst_layer_relative < 1e-5);
    ck_assert_int_eq(verify(m.path, NULL, 3, &report, &found), KILN_OK);
    ck_assert(found.batch_seen[1] && found.batch_seen[3] && !found.batch_seen[2]);
    ck_assert_int_eq(verify(m.path, NULL, 1, &report, &found), KILN_OK);
    ck_assert_uint_eq(report.batches_compared, 1);
}
END_TEST

/* ---- Condition ----------------------------------------------------------------------------- */

/* The convolution's values are thousands of times as large as what the activation lets through,
 * and so is their rounding. `by` is added to one weight. */
static void make_saturating(const char *path, char *activation, float by) {
    random_state = 5;
    memset(&m.graph, 0, sizeof m.graph);
    model_begin(13);
    model_input("x", FLOAT, "1 128 32 32");
    constant(0, "w", 4, (const int64_t[]){16, 128, 1, 1}, 9000)[5] += by;
    constant(1, "low", 0, NULL, 0);
    constant(2, "high", 0, NULL, 0)[0] = 1;
    model_node("Conv", "x w", "a");
    model_node(activation, strcmp(activation, "Clip") == 0 ? "a low high" : "a", "y");
    model_output("y", FLOAT);
    write_model(path);
}

START_TEST(saturation_is_no_fault) {
    kiln_verify_report report;
    found_layers found;
    make_saturating(m.path, "HardSigmoid", 0); /* a step of its own */
    ck_assert_msg(verify(m.path, NULL, 0, &report, &found) == KILN_OK, "%s", m.error.message);
    ck_assert_uint_eq(report.batches_compared, 1);
    make_saturating(m.path, "Clip", 0); /* fused: what it saturates is not seen */
    ck_assert_msg(verify(m.path, NULL, 0, &report, &found) == KILN_OK, "%s", m.error.message);
}
END_TEST

START_TEST(saturation_hides_no_fault) {
    kiln_verify_report report;
    found_layers found;
    char plan[160];
    snprintf(plan, sizeof plan, "%s/other.plan", m.folder);
    make_saturating(m.path, "Clip", 3000);
    ck_assert_int_eq(kiln_compile(m.path, plan, NULL, NULL, &m.error), KILN_OK);
    make_saturating(m.path, "Clip", 0);
    ck_assert_int_eq(verify(m.path, plan, 0, &report, &found), KILN_ERROR_MISMATCH);
    ck_assert_str_eq(report.first_difference, "y");
}
END_TEST

/* ---- Data ---------------------------------------------------------------------------------- */

/* Data do not fix the batch that the model leaves open: the other of one and several is checked,
 * too.
 */
static void check_data(int64_t samples, uint32_t other) {
    static uint8_t bytes[2 * 8 * 9 * 10 * 4 + 64];
    static float values[2 * 8 * 9 * 10];
    int64_t shape[4] = {samples, 8, 9, 10};
    size_t count = (size_t)samples * 8 * 9 * 10;
    char path[192];
    make_network(m.path, 4, 0);
    fill(values, count, 1);
    Onnx__TensorProto t;
    onnx__tensor_proto__init(&t);
    t.name = "x";
    t.has_data_type = true;
    t.data_type = FLOAT;
    t.n_dims = 4;
    t.dims = shape;
    set_raw(&t, values, count * sizeof(float));
    snprintf(path, sizeof path, "%s/input_0.pb", m.folder);
    write_bytes(path, bytes, onnx__tensor_proto__pack(&t, bytes));
    found_layers found = {0};
    kiln_verify_options options = {
        .size = sizeof options, .data_folder = m.folder, .on_layer = see_layer, .context = &found};
    kiln_verify_report report;
    ck_assert_msg(kiln_verify(m.path, &options, &report, &m.error) == KILN_OK, "%s",
                  m.error.message);
    ck_assert_uint_eq(report.batches_compared, 2);
    ck_assert(found.batch_seen[samples] && found.batch_seen[other]);
}

START_TEST(data_leave_the_batch_open) {
    check_data(1, 2);
    check_data(2, 1);
}
END_TEST

/* As legacy exporters write: shapes of a tensor that is computed, read again and again. */
START_TEST(shapes_may_be_read_often) {
    static const char *const reads[][3] = {{"s0", "r s0", "y0"}, {"s1", "r s1", "y1"},
                                           {"s2", "r s2", "y2"}, {"s3", "r s3", "y3"},
                                           {"s4", "r s4", "y4"}, {"s5", "r s5", "y5"}};
    kiln_verify_report report;
    found_layers found;
    model_begin(13);
    model_input("x", FLOAT, "N 8");
    model_node("Relu", "x", "r");
    for (size_t k = 0; k < sizeof reads / sizeof *reads; k++) {
        model_node("Shape", "r", reads[k][0]);
        model_node("Reshape", reads[k][1], reads[k][2]);
    }
    model_node("Sum", "y0 y1 y2 y3 y4 y5", "y");
    model_output("y", FLOAT);
    write_model(m.path);
    ck_assert_msg(verify(m.path, NULL, 0, &report, &found) == KILN_OK, "%s", m.error.message);
    ck_assert_uint_eq(report.batches_compared, 2);
    ck_assert_uint_eq(found.out_of_tolerance, 0);
}
END_TEST

int main(void) {
    const suite_test tests[] = {
        TEST("faults", a_fault_is_named_and_its_followers_are_not),
        TEST("faults", small_faults_are_found),
        TEST("sound", a_sound_network_is_checked_at_two_batches),
        TEST("sound", data_leave_the_batch_open),
        TEST("sound", shapes_may_be_read_often),
        TEST("saturation", saturation_is_no_fault),
        TEST("saturation", saturation_hides_no_fault),
    };
    return SUITE("verify", tests, .begin = make_folder, .end = remove_folder);
}
