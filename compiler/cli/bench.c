/* kiln bench: how long a plan takes to load and to run. */
#include "compiler/cli/bench.h"
#include <kiln/element.h>

#include <stdlib.h>
#include <string.h>

#define MAX_CONFIGURATIONS 16

typedef struct bench_call {
    const char *path;
    uint32_t threads[MAX_CONFIGURATIONS];
    size_t thread_counts;
    uint32_t batch, runs, warmup;
    const char *trace_path;
    trace_file trace;
    packed_place prepacked;
    bool profile, json;
    double alone; /* seconds of all steps on one thread; 0: not measured */
} bench_call;

typedef struct bench_result {
    double load, first, median, minimum, ninetieth; /* seconds */
    size_t arena;
} bench_result;

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
        size_t count = kiln_element_count(&info) * (info.batched ? batch : 1);
        for (size_t i = 0; input && i < count; i++) {
            state = state * 1664525u + 1013904223u;
            double uniform = (double)(state >> 8) / (double)(1 << 23) - 1;
            kiln_element_put_nearest(info.dtype, buffer->data, i, uniform);
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

typedef struct bench_state {
    kiln_plan *plan;
    kiln_session *session;
    bench_buffers buffers;
    run_record record;
    bench_measured measured;
} bench_state;

static kiln_status load(bench_call *c, bench_state *s, kiln_error *error) {
    kiln_session_options options;
    bench_measured *m = &s->measured;
    kiln_session_options_init(&options);
    options.threads = m->threads;
    options.max_batch = m->batch;
    options.profile = c->profile || c->trace_path != NULL;
    m->begin = clock_now();
    kiln_status status = open_plan(c->path, c->prepacked, &s->plan, error);
    m->opened = clock_now();
    if (status == KILN_OK) {
        status = kiln_session_create(s->plan, &options, &s->session, error);
    }
    m->prepared = clock_now();
    m->plan = s->plan;
    m->record = &s->record;
    m->untimed = (size_t)1 + c->warmup;
    if (status == KILN_OK && options.profile) {
        status = record_create(&s->record, kiln_session_step_count(s->session),
                               m->untimed + c->runs, error);
    }
    return status;
}

static kiln_status run_once(bench_state *s, double *out_seconds, kiln_error *error) {
    bench_buffers *b = &s->buffers;
    uint64_t begin = clock_now();
    record_begin_run(&s->record);
    kiln_status status = kiln_session_run(s->session, s->measured.batch, b->in, b->inputs, b->out,
                                          b->outputs, error);
    *out_seconds = 1e-9 * (double)(clock_now() - begin);
    record_end_run(&s->record, s->session);
    return status;
}

static kiln_status time_runs(const bench_call *c, bench_state *s, bench_result *r,
                             kiln_error *error) {
    double *times = calloc(c->runs, sizeof *times), unused;
    kiln_status status =
        times != NULL ? KILN_OK : kiln_fail(error, KILN_ERROR_MEMORY, "out of memory");
    for (uint32_t k = 0; k < c->warmup + c->runs && status == KILN_OK; k++) {
        status = run_once(s, k >= c->warmup ? &times[k - c->warmup] : &unused, error);
        progress_show("runs", k + 1, c->warmup + c->runs);
    }
    progress_clear();
    if (status == KILN_OK) {
        r->median = median_of(times, c->runs);
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
        printf("{\"threads\": %u, \"batch\": %u, \"runs\": %u, \"load_ms\": %.3f, "
               "\"load_and_first_ms\": %.3f, \"median_ms\": %.4f, \"minimum_ms\": %.4f, "
               "\"p90_ms\": %.4f, \"samples_per_second\": %.2f, \"arena_bytes\": %zu",
               threads, c->batch, c->runs, r->load * 1e3, r->first * 1e3, r->median * 1e3,
               r->minimum * 1e3, r->ninetieth * 1e3, rate, r->arena);
        return;
    }
    printf("%u thread%s, batch %u: median %.3f ms, minimum %.3f, 90th percentile %.3f; %.1f "
           "samples/s\n  load %.2f ms, with the first answer %.2f ms; arena %s\n",
           threads, threads > 1 ? "s" : "", c->batch, r->median * 1e3, r->minimum * 1e3,
           r->ninetieth * 1e3, rate, r->load * 1e3, r->first * 1e3,
           human_bytes(r->arena, arena, sizeof arena));
}

static kiln_status measure(bench_call *c, bench_state *s, bench_result *r, kiln_error *error) {
    kiln_status status = load(c, s, error);
    r->load = 1e-9 * (double)(s->measured.prepared - s->measured.begin);
    if (status == KILN_OK) {
        status = make_buffers(s->plan, s->measured.batch, &s->buffers, error);
    }
    if (status == KILN_OK) {
        status = run_once(s, &r->first, error);
        r->first += r->load;
        r->arena = kiln_session_arena_bytes(s->session);
    }
    return status == KILN_OK ? time_runs(c, s, r, error) : status;
}

static kiln_status bench_threads(bench_call *c, uint32_t threads, kiln_error *error) {
    bench_state s = {.measured = {.threads = threads, .batch = c->batch}};
    bench_result r = {0};
    kiln_status status = measure(c, &s, &r, error);
    if (status == KILN_OK) {
        print_result(c, threads, &r);
        if (c->trace_path != NULL) {
            trace_add(&c->trace, &s.measured);
        }
        if (c->profile) {
            status = profile_print(&s.measured, c->json, &c->alone, error);
        }
        if (c->json) {
            putchar('}');
        }
    }
    free_buffers(&s.buffers);
    kiln_session_destroy(s.session);
    kiln_plan_close(s.plan);
    record_free(&s.record);
    return status;
}

static kiln_status bench_all(bench_call *c, kiln_error *error) {
    kiln_status status = KILN_OK;
    if (c->trace_path != NULL) {
        status = check_outputs(&c->trace_path, 1, &c->path, 1, error);
        if (status == KILN_OK) {
            status = trace_begin(&c->trace, c->trace_path, error);
        }
        if (status != KILN_OK) {
            return status;
        }
    }
    for (size_t k = 0; k < c->thread_counts && status == KILN_OK; k++) {
        if (c->json) {
            printf("%s", k > 0 ? ", " : "[");
        }
        status = bench_threads(c, c->threads[k], error);
    }
    if (c->json && status == KILN_OK) {
        printf("]\n");
    }
    if (c->trace_path != NULL && status == KILN_OK) {
        return trace_commit(&c->trace, error);
    }
    if (c->trace_path != NULL) {
        trace_abandon(&c->trace);
    }
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

static int take_threads(const command *self, void *at, const char *value) {
    return parse_threads(value, at)
               ? 0
               : option_wrong(self, "threads", value, "numbers from 1 to 256, as 1,2");
}

#define AT(member) offsetof(bench_call, member)

static const option_row rows[] = {
    {.kind = OPTION_CALL,
     .name = "threads",
     .value = "1,2",
     .take = take_threads,
     .help = "numbers of threads to try (default 1)"},
    {.kind = OPTION_NUMBER,
     .name = "batch",
     .value = "N",
     .place = AT(batch),
     .low = 1,
     .high = MOST_SAMPLES,
     .help = "samples a run (default 1)"},
    {.kind = OPTION_NUMBER,
     .name = "runs",
     .value = "N",
     .place = AT(runs),
     .low = 1,
     .high = 65536,
     .help = "timed runs (default 30)"},
    {.kind = OPTION_NUMBER,
     .name = "warmup",
     .value = "N",
     .place = AT(warmup),
     .low = 0,
     .high = 65536,
     .help = "runs before those (default 3)"},
    {.kind = OPTION_SET,
     .name = "profile",
     .place = AT(profile),
     .help = "each kernel call's time (median) and speed, the slowest first, beside the machine's "
             "peaks, which are measured too"},
    {.kind = OPTION_TEXT,
     .name = "trace",
     .value = "FILE",
     .place = AT(trace_path),
     .help = "every kernel call of every run, for chrome://tracing or Perfetto"},
    {.kind = OPTION_CALL,
     .name = "prepacked",
     .place = AT(prepacked),
     .take = take_prepacked,
     .help = "keep packed weights in PLAN.packed, and load what an earlier start has kept there "
             "(default: load as if there had been none)"},
    {.kind = OPTION_SET, .name = "json", .place = AT(json), .help = "everything as JSON"},
    OPTIONS_END,
};

static int run(const command *self, int argc, char **argv) {
    bench_call c = {.threads = {1}, .thread_counts = 1, .batch = 1, .runs = 30, .warmup = 3};
    kiln_error error = {0};
    int status = options_read(self, &c, &argc, &argv);
    if (status != OPTIONS_READ || argc != 1) {
        return status != OPTIONS_READ ? status : usage(self, "expected one plan, got %d", argc);
    }
    c.path = argv[0];
    return bench_all(&c, &error) == KILN_OK ? 0 : fail(&error);
}

const command command_bench = {
    .name = "bench",
    .summary = "time a plan",
    .order = 150,
    .synopsis = "PLAN [options]",
    .about = "Times a plan on random input: load and first answer, then runs; prints median, "
             "minimum and 90th percentile for each number of threads.",
    .notes =
        "GFLOP/s count what a layer's definition says, % peak what is multiplied in the end: "
        "Winograd's convolutions multiply less. MB are inputs, weights and outputs, once "
        "each, and % memory that beside memory's speed: what lies in caches passes it. Of several "
        "threads it says what the machine's peak was beside one thread's in the same seconds, "
        "and, after one thread (--threads 1,2), what part of the network does not scale and how "
        "fast 4 and 8 threads could be at most (Karp and Flatt; Amdahl).",
    .examples = "kiln bench vgg16.plan --threads 1,2 --profile",
    .options = rows,
    .opens_plan = true,
    .run = run};
