/* Kiln's worker of speed.py: a process that loads a plan and runs it when it is told to, so that
 * measurements of several libraries can take turns.
 *   worker PLAN THREADS INPUT OUTPUT [PACKED]
 * INPUT holds the raw f32 elements of the input, OUTPUT gets those of the (first) output, PACKED
 * keeps packed weights (kiln_plan_options.prepacked_path). Says "ready", then answers each line of
 * standard input with one of JSON:
 *   load    seconds until the first answer
 *   run N   seconds of each of N runs, after one that does not count */
#include <kiln/kiln.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define MAX_OUTPUTS 16

typedef struct worker {
    const char *plan_path, *input_path, *output_path, *packed_path; /* the last: or NULL */
    uint32_t threads;
    kiln_plan *plan;
    kiln_session *session;
    kiln_buffer input, outputs[MAX_OUTPUTS];
    size_t output_count;
} worker;

static double now(void) {
    struct timespec time;
    (void)clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

static kiln_status run_once(worker *w, kiln_error *error) {
    return kiln_session_run(w->session, 1, &w->input, 1, w->outputs, w->output_count, error);
}

static bool read_input(worker *w, size_t bytes) {
    w->input = (kiln_buffer){malloc(bytes), bytes};
    FILE *file = fopen(w->input_path, "rb");
    bool good = file != NULL && w->input.data != NULL &&
                fread(w->input.data, 1, bytes, file) == bytes && fgetc(file) == EOF;
    if (file != NULL) {
        (void)fclose(file);
    }
    return good;
}

static kiln_status make_outputs(worker *w, kiln_error *error) {
    size_t count = kiln_plan_output_count(w->plan);
    if (count > MAX_OUTPUTS) {
        return kiln_fail(error, KILN_ERROR_UNSUPPORTED, "more than %d outputs", MAX_OUTPUTS);
    }
    for (size_t k = 0; k < count; k++) {
        kiln_tensor_info info;
        (void)kiln_plan_output(w->plan, k, &info);
        w->output_count++;
        w->outputs[k] = (kiln_buffer){malloc(info.bytes), info.bytes};
    }
    return KILN_OK;
}

static bool write_output(const worker *w) {
    const kiln_buffer *y = &w->outputs[0];
    FILE *file = fopen(w->output_path, "wb");
    bool good = file != NULL && fwrite(y->data, 1, y->size, file) == y->size;
    return file != NULL && fclose(file) == 0 && good;
}

static kiln_status open_all(worker *w, kiln_error *error) {
    kiln_plan_options plan_options = {.size = sizeof plan_options,
                                      .prepacked_path = w->packed_path};
    kiln_session_options options;
    kiln_session_options_init(&options);
    options.threads = w->threads;
    kiln_status status = kiln_plan_open(w->plan_path, &plan_options, &w->plan, error);
    return status == KILN_OK ? kiln_session_create(w->plan, &options, &w->session, error) : status;
}

static kiln_status load(worker *w, double *out_seconds, kiln_error *error) {
    double begin = now();
    kiln_tensor_info input;
    kiln_status status = open_all(w, error);
    if (status != KILN_OK) {
        return status;
    }
    *out_seconds = now() - begin;
    if (kiln_plan_input(w->plan, 0, &input) != KILN_OK || !read_input(w, input.bytes)) {
        return kiln_fail(error, KILN_ERROR_IO, "%s: not the plan's input", w->input_path);
    }
    status = make_outputs(w, error);
    if (status != KILN_OK) {
        return status;
    }
    begin = now();
    status = run_once(w, error);
    *out_seconds += now() - begin;
    if (status == KILN_OK && !write_output(w)) {
        return kiln_fail(error, KILN_ERROR_IO, "%s: cannot write", w->output_path);
    }
    return status;
}

static kiln_status run_some(worker *w, unsigned long count, kiln_error *error) {
    kiln_status status = run_once(w, error);
    putchar('[');
    for (unsigned long k = 0; k < count && status == KILN_OK; k++) {
        double begin = now();
        status = run_once(w, error);
        printf("%s%.9f", k > 0 ? ", " : "", now() - begin);
    }
    if (status == KILN_OK) {
        puts("]");
    }
    return status;
}

static kiln_status serve(worker *w, kiln_error *error) {
    char line[64];
    kiln_status status = KILN_OK;
    puts("ready");
    (void)fflush(stdout);
    while (status == KILN_OK && fgets(line, sizeof line, stdin) != NULL) {
        if (strncmp(line, "load", 4) == 0) {
            double seconds = 0;
            status = load(w, &seconds, error);
            if (status == KILN_OK) {
                printf("%.9f\n", seconds);
            }
        } else if (strncmp(line, "run ", 4) == 0 && w->session != NULL) {
            status = run_some(w, strtoul(line + 4, NULL, 10), error);
        } else {
            status = kiln_fail(error, KILN_ERROR_ARGUMENT, "'load', then 'run N' expected");
        }
        (void)fflush(stdout);
    }
    return status;
}

int main(int argc, char **argv) {
    kiln_error error;
    if (argc != 5 && argc != 6) {
        (void)fputs("usage: worker PLAN THREADS INPUT OUTPUT [PACKED]\n", stderr);
        return 2;
    }
    worker w = {.plan_path = argv[1],
                .threads = (uint32_t)strtoul(argv[2], NULL, 10),
                .input_path = argv[3],
                .output_path = argv[4],
                .packed_path = argc == 6 ? argv[5] : NULL};
    kiln_status status = serve(&w, &error);
    if (status != KILN_OK) {
        fprintf(stderr, "%s\n", error.message);
    }
    kiln_session_destroy(w.session);
    kiln_plan_close(w.plan);
    free(w.input.data);
    for (size_t k = 0; k < w.output_count; k++) {
        free(w.outputs[k].data);
    }
    return status == KILN_OK ? 0 : 1;
}
