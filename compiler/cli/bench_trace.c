/* kiln bench --trace: what happened when, in the Trace Event Format ("JSON Object Format") that
 * chrome://tracing and Perfetto read. Complete events (phase X) nest by their times. */
#include "compiler/cli/bench.h"

kiln_status trace_begin(trace_file *t, const char *path, kiln_error *error) {
    *t = (trace_file){.start = clock_now()};
    kiln_status status = file_begin(&t->out, path, error);
    if (status == KILN_OK) {
        fputs("{\"displayTimeUnit\": \"ms\", \"traceEvents\": [", t->out.file);
    }
    return status;
}

kiln_status trace_commit(trace_file *t, kiln_error *error) {
    fputs("\n]}\n", t->out.file);
    return file_end(&t->out, KILN_OK, error);
}

void trace_abandon(trace_file *t) {
    (void)file_end(&t->out, KILN_ERROR_IO, NULL);
}

static void begin_event(trace_file *t, const char *name, char phase) {
    fputs(t->events++ > 0 ? ",\n" : "\n", t->out.file);
    fputs("{\"name\": ", t->out.file);
    json_string(t->out.file, name);
    fprintf(t->out.file, ", \"ph\": \"%c\", \"pid\": %zu, \"tid\": 1", phase, t->processes);
}

/* Leaves the object open, for its arguments. Times are in microseconds. */
static void begin_span(trace_file *t, const char *name, const char *category, uint64_t begin,
                       uint64_t end) {
    begin_event(t, name, 'X');
    fprintf(t->out.file, ", \"cat\": \"%s\", \"ts\": %.3f, \"dur\": %.3f", category,
            (double)(begin - t->start) / 1e3, (double)(end - begin) / 1e3);
}

static void add_span(trace_file *t, const char *name, const char *category, uint64_t begin,
                     uint64_t end) {
    begin_span(t, name, category, begin, end);
    fputc('}', t->out.file);
}

static void add_step(trace_file *t, const kiln_plan *plan, const step_work *w, uint64_t begin,
                     uint64_t end) {
    char shape[96];
    FILE *out = t->out.file;
    const kiln_plan_tensor_record *y = w->output;
    begin_span(t, w->name, w->kernel, begin, end);
    fprintf(out, ", \"args\": {\"step\": %zu, \"kernel\": \"%s\", \"output\": \"%s\"", w->step,
            w->kernel, shape_text(y->dims, y->rank, y->batched != 0, shape, sizeof shape));
    fputs(", ", out);
    json_computation(out, plan, w->step);
    if (w->operations > 0 && end > begin) {
        fputs(", \"GFLOP/s\": ", out);
        json_number(out, w->operations / (double)(end - begin));
    }
    fprintf(out, ", \"bytes\": %.0f}}", w->bytes);
}

static void add_run(trace_file *t, const bench_measured *b, size_t run) {
    const run_record *r = b->record;
    char name[64] = "first run";
    if (r->steps == 0) {
        return;
    }
    if (run > 0) {
        bool timed = run >= b->untimed;
        snprintf(name, sizeof name, timed ? "run %zu" : "warm-up %zu",
                 timed ? run - b->untimed + 1 : run);
    }
    add_span(t, name, "run", r->begins[run], record_step_end(r, run, r->steps - 1));
    for (size_t step = 0; step < r->steps; step++) {
        step_work w;
        step_work_of(b->plan, step, b->batch, &w);
        add_step(t, b->plan, &w, record_step_begin(r, run, step), record_step_end(r, run, step));
    }
}

void trace_add(trace_file *t, const bench_measured *b) {
    t->processes++;
    begin_event(t, "process_name", 'M');
    fprintf(t->out.file, ", \"args\": {\"name\": \"%u thread%s, batch %u\"}}", b->threads,
            b->threads > 1 ? "s" : "", b->batch);
    add_span(t, "load", "load", b->begin, b->prepared);
    add_span(t, "open the plan", "load", b->begin, b->opened);
    add_span(t, "create the session", "load", b->opened, b->prepared);
    for (size_t run = 0; run < b->record->runs; run++) {
        add_run(t, b, run);
    }
}
