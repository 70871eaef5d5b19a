/* Real models: each compiles and reproduces its expected outputs and, layer by layer, the naive
 * evaluator; within 1e-4 with exact convolutions, and in the least memory; classes come in the
 * expected order. The two int8 models are refused with an operator named.
 *
 *   shared_models FOLDER [NAME] */
#include <kiln/compile.h>

#include <dirent.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static bool is_refused(const char *name, const char *model) {
    kiln_error error = {0};
    kiln_status status = kiln_compile(model, "/tmp/kiln-refused.plan", NULL, NULL, &error);
    bool good = status == KILN_ERROR_UNSUPPORTED && strstr(error.message, "Linear") != NULL;
    printf("%-24s %s: %s\n", name, good ? "refused" : "FAILED", error.message);
    return good;
}

static bool is_reproduced(const char *name, const char *model, const char *data) {
    kiln_verify_options options = {.data_folder = data, .threads = 2};
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
    kiln_verify_options options = {.compile = &compile,
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
static bool ranks_alike(const char *name, const char *model, const char *data) {
    char plan_path[64], path[5100];
    kiln_plan *plan = NULL;
    kiln_value *x = NULL, *expected = NULL;
    float *ours = NULL;
    bool good = true;
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
               same_top_five(ours, expected->data, count);
        printf("%-24s %s: the first five of %zu classes\n", name, good ? "ok" : "FAILED", count);
    }
    free(ours);
    kiln_plan_close(plan);
    kiln_value_free(x);
    kiln_value_free(expected);
    (void)remove(plan_path);
    return good;
}

static bool is_right(const char *name, const char *model, const char *data) {
    bool reproduced = is_reproduced(name, model, data);
    bool exact = is_exact(name, model, data);
    bool ranks = ranks_alike(name, model, data);
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
            const char *int8 = strstr(name, "int8");
            bool fine = int8 != NULL ? is_refused(name, model) : is_right(name, model, data);
            good += fine;
            bad += !fine;
        }
        free(entries[k]);
    }
    free(entries);
    printf("%zu passed, %zu failed\n", good, bad);
    return bad == 0 && good > 0 ? 0 : 1;
}
