/* A reference network: every layer within 1e-4 of the naive evaluator at batch 1 and 3, on 1 and 2
 * threads; runs bit-identical; the arena near its lower bound; no copies where there should be
 * none.
 *
 *   reference_networks GENERATOR NAME [GENERATOR'S OPTIONS...] */
#include <kiln/compile.h>

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static const char *const without_copies[] = {"inception_v3", "densenet121", "squeezenet"};

static bool generate(char **argv, const char *path) {
    char *command[32] = {argv[1], argv[2], "-o", (char *)(uintptr_t)path};
    size_t used = 4;
    for (char **option = argv + 3; *option != NULL && used < 30; option++) {
        command[used++] = *option;
    }
    pid_t child = fork();
    if (child == 0) {
        (void)execv(command[0], command);
        _exit(127);
    }
    int status = -1;
    return child > 0 && waitpid(child, &status, 0) == child && status == 0;
}

static bool check_report(const char *name, const kiln_compile_report *r) {
    bool good = r->batchable && r->arena_bytes <= r->arena_lower_bound_bytes * 105 / 100;
    printf("%s: %zu operators, %zu steps, %zu copies; arena %llu, lower bound %llu, without reuse "
           "%llu "
           "(%s)\n",
           name, r->operators_imported, r->operators_planned, r->copies,
           (unsigned long long)r->arena_bytes, (unsigned long long)r->arena_lower_bound_bytes,
           (unsigned long long)r->arena_no_reuse_bytes, r->placement);
    for (size_t k = 0; k < sizeof without_copies / sizeof *without_copies; k++) {
        good = good && (strcmp(name, without_copies[k]) != 0 || r->copies == 0);
    }
    return good;
}

static bool verify(const char *model, const char *plan, uint32_t batch, uint32_t threads) {
    kiln_verify_options options = {.size = sizeof options,
                                   .plan_path = plan,
                                   .batch = batch,
                                   .threads = threads,
                                   .seed = 42,
                                   .layer_tolerance = 1e-4};
    kiln_verify_report report = {0};
    kiln_error error = {0};
    kiln_status status = kiln_verify(model, &options, &report, &error);
    printf("batches to %u, %u threads: %zu layers, worst %.2e %s\n", batch, threads,
           report.layers_compared, report.worst_layer_relative, error.message);
    return status == KILN_OK && report.layers_compared > 5;
}

/* Runs on seeded noise; returns the output, to be freed. */
static float *run(kiln_plan *plan, uint32_t batch, uint32_t threads, size_t *out_bytes) {
    kiln_tensor_info in, out;
    kiln_session *session = NULL;
    kiln_session_options options;
    (void)kiln_plan_input(plan, 0, &in);
    (void)kiln_plan_output(plan, 0, &out);
    kiln_session_options_init(&options);
    options.threads = threads;
    options.max_batch = batch;
    *out_bytes = out.bytes * batch;
    float *input = malloc(in.bytes * batch), *output = calloc(1, *out_bytes);
    uint32_t state = 1;
    for (size_t k = 0; input != NULL && k < in.bytes * batch / sizeof *input; k++) {
        state = state * 1664525u + 1013904223u;
        input[k] = (float)(state >> 8) / (float)(1 << 23) - 1.0f;
    }
    kiln_buffer from = {input, in.bytes * batch}, to = {output, *out_bytes};
    bool ran = input != NULL && output != NULL &&
               kiln_session_create(plan, &options, &session, NULL) == KILN_OK &&
               kiln_session_run(session, batch, &from, 1, &to, 1, NULL) == KILN_OK;
    for (int again = 0; again < 3 && ran; again++) {
        float *repeated = malloc(*out_bytes);
        kiln_buffer second = {repeated, *out_bytes};
        ran = repeated != NULL &&
              kiln_session_run(session, batch, &from, 1, &second, 1, NULL) == KILN_OK &&
              memcmp(repeated, output, *out_bytes) == 0;
        free(repeated);
    }
    kiln_session_destroy(session);
    free(input);
    if (!ran) {
        free(output);
        return NULL;
    }
    return output;
}

static bool is_bit_identical(const char *path) {
    kiln_plan *plan = NULL;
    size_t bytes = 0;
    if (kiln_plan_open(path, NULL, &plan, NULL) != KILN_OK) {
        return false;
    }
    float *one = run(plan, 3, 1, &bytes), *two = run(plan, 3, 2, &bytes);
    float *again = run(plan, 3, 1, &bytes);
    bool same = one != NULL && two != NULL && again != NULL && memcmp(one, again, bytes) == 0;
    printf("runs are %s; one and two threads %s\n", same ? "bit-identical" : "NOT identical",
           same && memcmp(one, two, bytes) == 0 ? "agree to the bit" : "differ in rounding");
    free(one);
    free(two);
    free(again);
    kiln_plan_close(plan);
    return same;
}

int main(int argc, char **argv) {
    char folder[] = "/tmp/kiln-reference-XXXXXX", model[64], plan[64];
    if (argc < 3 || mkdtemp(folder) == NULL) {
        return 2;
    }
    snprintf(model, sizeof model, "%s/model.onnx", folder);
    snprintf(plan, sizeof plan, "%s/model.plan", folder);
    kiln_compile_report report = {0};
    kiln_error error = {0};
    bool good =
        generate(argv, model) && kiln_compile(model, plan, NULL, &report, &error) == KILN_OK;
    printf("%s", error.message);
    good = good && check_report(argv[2], &report);
    good = good && verify(model, plan, 1, 1) && verify(model, plan, 3, 2) && is_bit_identical(plan);
    (void)unlink(model);
    (void)unlink(plan);
    (void)rmdir(folder);
    printf("%s: %s\n", argv[2], good ? "ok" : "FAILED");
    return good ? 0 : 1;
}
