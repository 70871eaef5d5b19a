/* kiln bench: how long a plan takes to load and to run. */
#include "compiler/cli/cli.h"
#include "compiler/cli/elements.h"

#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static const char help_text[] =
    "usage: kiln bench PLAN [options]\n\n"
    "Times a plan on random input: load and first answer, then runs; prints median, minimum and\n"
    "90th percentile for each number of threads.\n\n"
    "  --threads 1,2    numbers of threads to try (default 1)\n"
    "  --batch N        samples a run (default 1)\n"
    "  --runs N         timed runs (default 30), after --warmup N (default 3)\n"
    "  --profile        time and speed of each kernel call, the slowest first\n"
    "  --json           everything as JSON\n\n"
    "Example: kiln bench vgg16.plan --threads 1,2 --profile\n";

enum { OPT_THREADS = 256, OPT_BATCH, OPT_RUNS, OPT_WARMUP, OPT_PROFILE, OPT_JSON };
#define MAX_CONFIGURATIONS 16

typedef struct bench_call {
    const char *path;
    uint32_t threads[MAX_CONFIGURATIONS];
    size_t thread_counts;
    unsigned long batch, runs, warmup;
    bool profile, json;
} bench_call;

typedef struct bench_result {
    double load, first, median, minimum, ninetieth; /* seconds */
    size_t arena;
} bench_result;

static double now(void) {
    struct timespec time;
    (void)clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

static int by_time(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* ---- Profile ------------------------------------------------------------------------------- */

static int by_nanoseconds(const void *a, const void *b) {
    const kiln_step_profile *x = a, *y = b;
    return x->nanoseconds > y->nanoseconds ? -1 : x->nanoseconds < y->nanoseconds;
}

static kiln_status print_profile(const bench_call *c, const kiln_session *session,
                                 kiln_error *error) {
    size_t steps = kiln_session_step_count(session);
    kiln_step_profile *profiles = calloc(steps + 1, sizeof *profiles);
    double total = 0;
    if (profiles == NULL) {
        return kiln_fail(error, KILN_ERROR_MEMORY, "out of memory");
    }
    for (size_t k = 0; k < steps; k++) {
        (void)kiln_session_profile(session, k, &profiles[k]);
        total += (double)profiles[k].nanoseconds;
    }
    qsort(profiles, steps, sizeof *profiles, by_nanoseconds);
    if (c->json) {
        printf(", \"profile\": [");
    } else {
        printf("  %-36s %-20s %10s %7s %9s\n", "Layer", "Kernel", "us", "share", "GMAC/s");
    }
    for (size_t k = 0; k < steps; k++) {
        const kiln_step_profile *p = &profiles[k];
        double each = p->runs > 0 ? (double)p->nanoseconds / (double)p->runs : 0;
        double speed = each > 0 ? (double)p->macs * (double)c->batch / each : 0;
        if (c->json) {
            printf("%s{\"name\": ", k > 0 ? ", " : "");
            json_string(stdout, p->name);
            printf(", \"kernel\": \"%s\", \"microseconds\": ", p->kernel);
            json_number(stdout, each / 1e3);
            printf(", \"macs\": %llu}", (unsigned long long)p->macs);
        } else {
            printf("  %-36.36s %-20s %10.1f %6.1f%% %9.2f\n", p->name, p->kernel, each / 1e3,
                   total > 0 ? 100 * (double)p->nanoseconds / total : 0, speed);
        }
    }
    if (c->json) {
        putchar(']');
    }
    free(profiles);
    return KILN_OK;
}

/* ---- Timing -------------------------------------------------------------------------------- */

typedef struct bench_buffers {
    kiln_buffer in[64], out[64];
    size_t inputs, outputs;
} bench_buffers;

static kiln_status make_buffers(const kiln_plan *plan, uint32_t batch, bench_buffers *b,
                                kiln_error *error) {
    b->inputs = kiln_plan_input_count(plan);
    b->outputs = kiln_plan_output_count(plan);
    if (b->inputs > 64 || b->outputs > 64) {
        return kiln_fail(error, KILN_ERROR_UNSUPPORTED, "more than 64 inputs or outputs");
    }
    uint32_t state = 1;
    for (size_t k = 0; k < b->inputs + b->outputs; k++) {
        kiln_tensor_info info;
        bool input = k < b->inputs;
        kiln_buffer *buffer = input ? &b->in[k] : &b->out[k - b->inputs];
        (void)(input ? kiln_plan_input(plan, k, &info)
                     : kiln_plan_output(plan, k - b->inputs, &info));
        buffer->size = info.bytes * (info.batched ? batch : 1);
        buffer->data = calloc(1, buffer->size + 1);
        if (buffer->data == NULL) {
            return kiln_fail(error, KILN_ERROR_MEMORY, "out of memory");
        }
        size_t count = element_count(&info) * (info.batched ? batch : 1);
        for (size_t i = 0; input && i < count; i++) {
            state = state * 1664525u + 1013904223u;
            double uniform = (double)(state >> 8) / (double)(1 << 23) - 1;
            element_set(buffer->data, info.dtype, i, uniform);
        }
    }
    return KILN_OK;
}

static void free_buffers(bench_buffers *b) {
    for (size_t k = 0; k < 64; k++) {
        free(b->in[k].data);
        free(b->out[k].data);
    }
}

static kiln_status time_runs(const bench_call *c, kiln_session *session, bench_buffers *b,
                             bench_result *r, kiln_error *error) {
    double *times = calloc(c->runs, sizeof *times);
    kiln_status status =
        times != NULL ? KILN_OK : kiln_fail(error, KILN_ERROR_MEMORY, "out of memory");
    for (unsigned long k = 0; k < c->warmup + c->runs && status == KILN_OK; k++) {
        double begin = now();
        status = kiln_session_run(session, (uint32_t)c->batch, b->in, b->inputs, b->out, b->outputs,
                                  error);
        if (k >= c->warmup) {
            times[k - c->warmup] = now() - begin;
        }
        progress_show("runs", k + 1, c->warmup + c->runs);
    }
    progress_clear();
    if (status == KILN_OK) {
        qsort(times, c->runs, sizeof *times, by_time);
        r->median = times[c->runs / 2];
        r->minimum = times[0];
        r->ninetieth = times[c->runs * 9 / 10];
    }
    free(times);
    return status;
}

static void print_result(const bench_call *c, uint32_t threads, const bench_result *r) {
    char arena[32];
    double rate = (double)c->batch / r->median;
    if (c->json) {
        printf("{\"threads\": %u, \"batch\": %lu, \"runs\": %lu, \"load_ms\": %.3f, "
               "\"load_and_first_ms\": %.3f, \"median_ms\": %.4f, \"minimum_ms\": %.4f, "
               "\"p90_ms\": %.4f, \"samples_per_second\": %.2f, \"arena_bytes\": %zu",
               threads, c->batch, c->runs, r->load * 1e3, r->first * 1e3, r->median * 1e3,
               r->minimum * 1e3, r->ninetieth * 1e3, rate, r->arena);
        return;
    }
    printf("%u thread%s, batch %lu: median %.3f ms, minimum %.3f, 90th percentile %.3f; %.1f "
           "samples/s\n  load %.2f ms, with the first answer %.2f ms; arena %s\n",
           threads, threads > 1 ? "s" : "", c->batch, r->median * 1e3, r->minimum * 1e3,
           r->ninetieth * 1e3, rate, r->load * 1e3, r->first * 1e3,
           human_bytes(r->arena, arena, sizeof arena));
}

static kiln_status bench_threads(const bench_call *c, uint32_t threads, kiln_error *error) {
    kiln_plan *plan = NULL;
    kiln_session *session = NULL;
    kiln_session_options options;
    bench_buffers buffers = {0};
    bench_result r = {0};
    kiln_session_options_init(&options);
    options.threads = threads;
    options.max_batch = (uint32_t)c->batch;
    options.profile = c->profile;
    double begin = now();
    kiln_status status = kiln_plan_open(c->path, NULL, &plan, error);
    if (status == KILN_OK) {
        status = kiln_session_create(plan, &options, &session, error);
    }
    r.load = now() - begin;
    if (status == KILN_OK) {
        status = make_buffers(plan, (uint32_t)c->batch, &buffers, error);
    }
    if (status == KILN_OK) {
        double first = now();
        status = kiln_session_run(session, (uint32_t)c->batch, buffers.in, buffers.inputs,
                                  buffers.out, buffers.outputs, error);
        r.first = r.load + now() - first;
        r.arena = kiln_session_arena_bytes(session);
    }
    if (status == KILN_OK) {
        status = time_runs(c, session, &buffers, &r, error);
    }
    if (status == KILN_OK) {
        print_result(c, threads, &r);
        if (c->profile) {
            status = print_profile(c, session, error);
        }
        if (c->json) {
            putchar('}');
        }
    }
    free_buffers(&buffers);
    kiln_session_destroy(session);
    kiln_plan_close(plan);
    return status;
}

/* ---- Options ------------------------------------------------------------------------------- */

static bool parse_threads(const char *text, bench_call *c) {
    char copy[128], *save = NULL;
    snprintf(copy, sizeof copy, "%s", text);
    c->thread_counts = 0;
    for (char *part = strtok_r(copy, ",", &save); part != NULL; part = strtok_r(NULL, ",", &save)) {
        unsigned long number;
        if (c->thread_counts == MAX_CONFIGURATIONS || !parse_number(part, 1, 256, &number)) {
            return false;
        }
        c->threads[c->thread_counts++] = (uint32_t)number;
    }
    return c->thread_counts > 0;
}

static int take_option(bench_call *c, int option, const char *value, char **argv) {
    unsigned long *number = option == OPT_BATCH  ? &c->batch
                            : option == OPT_RUNS ? &c->runs
                                                 : &c->warmup;
    switch (option) {
    case OPT_THREADS:
        return parse_threads(value, c)
                   ? 0
                   : usage(&command_bench, "--threads %s: numbers from 1 to 256, as 1,2", value);
    case OPT_BATCH:
    case OPT_RUNS:
    case OPT_WARMUP:
        return parse_number(value, option == OPT_WARMUP ? 0 : 1, 65536, number)
                   ? 0
                   : usage(&command_bench, "'%s' is no number up to 65536", value);
    case OPT_PROFILE:
        c->profile = true;
        return 0;
    case OPT_JSON:
        c->json = true;
        return 0;
    default:
        return usage_of_option(&command_bench, option, argv);
    }
}

static int run(int argc, char **argv) {
    static const struct option long_options[] = {{"threads", required_argument, NULL, OPT_THREADS},
                                                 {"batch", required_argument, NULL, OPT_BATCH},
                                                 {"runs", required_argument, NULL, OPT_RUNS},
                                                 {"warmup", required_argument, NULL, OPT_WARMUP},
                                                 {"profile", no_argument, NULL, OPT_PROFILE},
                                                 {"json", no_argument, NULL, OPT_JSON},
                                                 {"help", no_argument, NULL, 'h'},
                                                 {0}};
    bench_call c = {.threads = {1}, .thread_counts = 1, .batch = 1, .runs = 30, .warmup = 3};
    int status = 0, option;
    kiln_error error = {0};
    while (status == 0 && (option = getopt_long(argc, argv, ":h", long_options, NULL)) != -1) {
        if (option == 'h') {
            return show_help(&command_bench);
        }
        status = take_option(&c, option, optarg, argv);
    }
    if (status == 0 && argc - optind != 1) {
        status = usage(&command_bench, "expected one plan, got %d", argc - optind);
    }
    c.path = status == 0 ? argv[optind] : NULL;
    for (size_t k = 0; k < c.thread_counts && status == 0; k++) {
        if (c.json) {
            printf("%s", k > 0 ? ", " : "[");
        }
        status = bench_threads(&c, c.threads[k], &error) == KILN_OK ? 0 : fail(&error);
    }
    if (c.json && status == 0) {
        printf("]\n");
    }
    return status;
}

const command command_bench = {"bench", "time a plan", help_text, run};
