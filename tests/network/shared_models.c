/* Real models: each compiles and reproduces its expected outputs and, layer by layer, the naive
 * evaluator; within 1e-4 with exact convolutions, and in the least memory; classes come in the
 * expected order. Of the two int8 models the outputs are alike, the best class is the same.
 *
 *   shared_models FOLDER [NAME] */
#include <kiln/compile.h>

#include <dirent.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static bool is_reproduced(const char *name, const char *model, const char *data) {
    kiln_verify_options options = {.size = sizeof options, .data_folder = data, .threads = 2};
    kiln_verify_report report = {0};
    kiln_error error = {0};
    kiln_status status = kiln_verify(model, &options, &report, &error);
    bool good = status == KILN_OK && report.outputs_compared > 0 && report.layers_compared > 0;
    printf("%-24s %s: %zu layers, worst %.2e; %zu outputs, %.3f of what is allowed %s\n", name,
           good ? "ok" : "FAILED", report.layers_compared, report.worst_layer_relative,
           report.outputs_compared, report.worst_output_excess, error.message);
    return good;
}

/* In bands wherever they save memory, without Winograd: the outputs alone, ten times closer to what
 * is expected. */
static bool is_exact(const char *name, const char *model, const char *data) {
    kiln_compile_options compile;
    kiln_compile_options_init(&compile);
    compile.memory = KILN_MEMORY_MIN;
    compile.convolution = KILN_CONVOLUTION_EXACT;
    kiln_verify_options options = {.size = sizeof options,
                                   .compile = &compile,
                                   .data_folder = data,
                                   .threads = 2,
                                   .relative = 1e-4,
                                   .absolute = 2.5e-7,
                                   .scaled = 1e-4,
                                   .outputs_only = true};
    kiln_verify_report report = {0};
    kiln_error error = {0};
    kiln_status status = kiln_verify(model, &options, &report, &error);
    bool good = status == KILN_OK && report.outputs_compared > 0;
    printf("%-24s %s: exact and in the least memory, %.3f of what is allowed %s\n", name,
           good ? "ok" : "FAILED", report.worst_output_excess, error.message);
    return good;
}

/* ---- Classes ------------------------------------------------------------------------------- */

static size_t count_above(const float *scores, size_t count, float score) {
    size_t above = 0;
    for (size_t k = 0; k < count; k++) {
        above += scores[k] > score;
    }
    return above;
}

/* Each of our first five has an expected score among the first five, up to ties. */
static bool same_top_five(const float *ours, const float *expected, size_t count) {
    for (size_t k = 0; k < count; k++) {
        float margin = 1e-4f * (expected[k] < 0 ? -expected[k] : expected[k]);
        if (count_above(ours, count, ours[k]) < 5 &&
            count_above(expected, count, expected[k] + margin) >= 5) {
            return false;
        }
    }
    return true;
}

/* ---- Quantised networks -------------------------------------------------------------------- */

#define LEAST_CORRELATION 0.999

static double correlation(const float *a, const float *b, size_t count) {
    double mean_a = 0, mean_b = 0, both = 0, square_a = 0, square_b = 0;
    for (size_t k = 0; k < count; k++) {
        mean_a += (double)a[k] / (double)count;
        mean_b += (double)b[k] / (double)count;
    }
    for (size_t k = 0; k < count; k++) {
        double x = (double)a[k] - mean_a, y = (double)b[k] - mean_b;
        both += x * y;
        square_a += x * x;
        square_b += y * y;
    }
    return both / sqrt(square_a * square_b);
}

static size_t best_of(const float *scores, size_t count) {
    size_t best = 0;
    for (size_t k = 1; k < count; k++) {
        best = scores[k] > scores[best] ? k : best;
    }
    return best;
}

/* A sum that lies between two integers is rounded one way here and the other there, which the
 * layers after it make more of: outputs are alike, not the same. */
static bool is_alike(const float *ours, const float *expected, size_t count, char *text,
                     size_t size) {
    double alike = correlation(ours, expected, count);
    bool first = best_of(ours, count) == best_of(expected, count);
    snprintf(text, size, "correlation %.6f, best class %s", alike, first ? "the same" : "another");
    return alike >= LEAST_CORRELATION && first;
}

static bool run_plan(const kiln_plan *plan, const kiln_value *x, float *out, size_t bytes) {
    kiln_session *session = NULL;
    kiln_tensor_info info;
    kiln_buffer output = {out, bytes};
    bool good = kiln_plan_input(plan, 0, &info) == KILN_OK && info.dtype == x->dtype &&
                kiln_session_create(plan, NULL, &session, NULL) == KILN_OK;
    void *data;
    memcpy(&data, &x->data, sizeof data); /* inputs are not written to */
    kiln_buffer input = {data, info.bytes};
    good = good && kiln_session_run(session, 1, &input, 1, &output, 1, NULL) == KILN_OK;
    kiln_session_destroy(session);
    return good;
}

/* For networks of one input and one output [1, classes] in f32; true for others. */
static bool ranks_alike(const char *name, const char *model, const char *data, bool quantised) {
    char plan_path[64], path[5100], text[100] = "the first five";
    kiln_plan *plan = NULL;
    kiln_value *x = NULL, *expected = NULL;
    float *ours = NULL;
    bool good = !quantised;
    snprintf(plan_path, sizeof plan_path, "ranks.%ld.plan", (long)getpid());
    snprintf(path, sizeof path, "%s/input_0.pb", data);
    (void)kiln_value_load(path, &x, NULL);
    snprintf(path, sizeof path, "%s/output_0.pb", data);
    (void)kiln_value_load(path, &expected, NULL);
    bool classes = x != NULL && expected != NULL && x->dtype == KILN_F32 &&
                   expected->dtype == KILN_F32 && expected->rank == 2 && expected->dims[0] == 1 &&
                   expected->dims[1] >= 10 &&
                   kiln_compile(model, plan_path, NULL, NULL, NULL) == KILN_OK &&
                   kiln_plan_open(plan_path, NULL, &plan, NULL) == KILN_OK &&
                   kiln_plan_input_count(plan) == 1 && kiln_plan_output_count(plan) == 1;
    if (classes) {
        size_t count = expected->dims[1];
        ours = calloc(count, sizeof *ours);
        good = ours != NULL && run_plan(plan, x, ours, count * sizeof *ours) &&
               (quantised ? is_alike(ours, expected->data, count, text, sizeof text)
                          : same_top_five(ours, expected->data, count));
        printf("%-24s %s: %s of %zu classes\n", name, good ? "ok" : "FAILED", text, count);
    }
    free(ours);
    kiln_plan_close(plan);
    kiln_value_free(x);
    kiln_value_free(expected);
    (void)remove(plan_path);
    return good;
}

static bool is_right(const char *name, const char *model, const char *data) {
    if (strstr(name, "int8") != NULL) {
        return ranks_alike(name, model, data, true);
    }
    bool reproduced = is_reproduced(name, model, data);
    bool exact = is_exact(name, model, data);
    bool ranks = ranks_alike(name, model, data, false);
    return reproduced && exact && ranks;
}

int main(int argc, char **argv) {
    struct dirent **entries = NULL;
    size_t good = 0, bad = 0;
    int count = argc > 1 ? scandir(argv[1], &entries, NULL, alphasort) : -1;
    for (int k = 0; k < count; k++) {
        const char *name = entries[k]->d_name;
        char model[5000], data[5000];
        snprintf(model, sizeof model, "%s/%s/model.onnx", argv[1], name);
        snprintf(data, sizeof data, "%s/%s/test_data_set_0", argv[1], name);
        bool chosen = argc < 3 || strcmp(argv[2], name) == 0;
        if (name[0] != '.' && chosen && access(model, F_OK) == 0) {
            bool fine = is_right(name, model, data);
            good += fine;
            bad += !fine;
        }
        free(entries[k]);
    }
    free(entries);
    printf("%zu passed, %zu failed\n", good, bad);
    return bad == 0 && good > 0 ? 0 : 1;
}
