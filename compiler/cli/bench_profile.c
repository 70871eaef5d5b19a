/* kiln bench --profile: what each kernel call takes, beside what the machine can do. */
#include "compiler/cli/bench.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- What a step does ---------------------------------------------------------------------- */

static double step_bytes(const kiln_plan_view *v, const kiln_plan_step *s, uint32_t batch) {
    double bytes = 0;
    for (uint32_t k = 0; k < (uint32_t)s->input_count + s->output_count; k++) {
        uint32_t id = v->operands[s->first_operand + k];
        if (id != KILN_PLAN_NONE) {
            const kiln_plan_tensor_record *t = &v->tensors[id];
            bytes += (double)kiln_plan_tensor_bytes(t) * (t->batched != 0 ? batch : 1);
        }
    }
    return bytes;
}

static double divided_up(double size, double m) {
    return ceil(size / m) * m;
}

/* How much less than by definition Winograd's F(m x m, 3 x 3) multiplies: a tile of (m + 2)^2
 * products, or (2m + 1)^2 of stride 2, stands for 9 m^2, and tiles at the edges jut out. */
static double winograd_saving(const kiln_plan_tensor_record *y, double m, bool strided) {
    double side = strided ? 2 * m + 1 : m + 2;
    double height = y->rank == 3 ? 1 : y->dims[2], width = y->dims[y->rank - 1];
    double tiles = divided_up(height, m) * divided_up(width, m) / (height * width);
    return tiles * side * side / (9 * m * m);
}

void step_work_of(const kiln_plan *plan, size_t step, uint32_t batch, step_work *out_work) {
    kiln_plan_view v;
    kiln_plan_inspect(plan, &v);
    const kiln_plan_step *s = &v.steps[step];
    *out_work = (step_work){
        .step = step,
        .name = v.strings + s->name,
        .kernel = kiln_kernel_describe(s->kernel)->name,
        .output = &v.tensors[v.operands[s->first_operand + s->input_count]],
        .operations = 2.0 * (double)kiln_plan_step_macs(plan, step) * batch,
        .bytes = step_bytes(&v, s, batch),
    };
    computation_text(plan, step, out_work->how, sizeof out_work->how);
    out_work->done = out_work->operations;
    const char *algorithm = kiln_plan_step_computation(plan, step).algorithm;
    for (uint32_t a = KILN_CONV_WINOGRAD_2; a <= KILN_CONV_WINOGRAD_6 && algorithm != NULL; a++) {
        if (strcmp(algorithm, kiln_conv_algorithm_name(a)) == 0) {
            const kiln_conv_params *p = (const void *)(v.params + s->params_offset);
            out_work->done *= winograd_saving(out_work->output, 2.0 * a, p->stride_height == 2);
        }
    }
}

/* ---- Figures ------------------------------------------------------------------------------- */

typedef struct figures {
    step_work work;
    double seconds; /* median of the timed runs */
} figures;

typedef struct profile {
    const kiln_plan *plan;
    figures *steps;
    size_t count;
    figures total; /* its name alone is set */
    kiln_machine machine;
    bench_scaling scaling;
} profile;

static int slowest_first(const void *a, const void *b) {
    const figures *x = a, *y = b;
    if (x->seconds != y->seconds) {
        return x->seconds > y->seconds ? -1 : 1;
    }
    return (x->work.step > y->work.step) - (x->work.step < y->work.step);
}

static double part(double value, double of) {
    return of > 0 ? value / of : 0;
}

static kiln_status take_figures(const bench_measured *b, profile *p, kiln_error *error) {
    const run_record *r = b->record;
    size_t timed = r->runs - b->untimed;
    double *times = calloc(timed + 1, sizeof *times);
    p->count = r->steps;
    p->steps = calloc(p->count + 1, sizeof *p->steps);
    if (times == NULL || p->steps == NULL) {
        free(times);
        return kiln_fail(error, KILN_ERROR_MEMORY, "out of memory");
    }
    p->total.work.name = "total";
    for (size_t step = 0; step < p->count; step++) {
        figures *f = &p->steps[step];
        step_work_of(b->plan, step, b->batch, &f->work);
        for (size_t k = 0; k < timed; k++) {
            size_t run = b->untimed + k;
            times[k] =
                1e-9 * (double)(record_step_end(r, run, step) - record_step_begin(r, run, step));
        }
        f->seconds = median_of(times, timed);
        p->total.seconds += f->seconds;
        p->total.work.operations += f->work.operations;
        p->total.work.done += f->work.done;
        p->total.work.bytes += f->work.bytes;
    }
    free(times);
    return KILN_OK;
}

/* ---- Forms --------------------------------------------------------------------------------- */

static void print_row(const profile *p, const figures *f) {
    double bandwidth = part(f->work.bytes, f->seconds);
    char speed[32] = "", peak[32] = "";
    if (f->work.operations > 0) {
        snprintf(speed, sizeof speed, "%.2f", part(f->work.operations, f->seconds) / 1e9);
        snprintf(peak, sizeof peak, "%.1f%%",
                 100 * part(part(f->work.done, f->seconds), p->machine.flops));
    }
    char name[TEXT_COLUMN(30)];
    printf("  %s %-19s %-25s %10.1f %6.1f%% %9s %7s %10.3f %7.1f%%\n",
           text_column(f->work.name, 30, name), f->work.kernel != NULL ? f->work.kernel : "",
           f->work.how, f->seconds * 1e6, 100 * part(f->seconds, p->total.seconds), speed, peak,
           f->work.bytes / 1e6, 100 * part(bandwidth, p->machine.bandwidth));
}

static void print_table(profile *p) {
    printf("  machine: %s, %.1f GFLOP/s, %.1f GB/s from memory (%u thread%s)\n", p->machine.vectors,
           p->machine.flops / 1e9, p->machine.bandwidth / 1e9, p->machine.threads,
           p->machine.threads > 1 ? "s" : "");
    printf("  %-30s %-19s %-25s %10s %7s %9s %7s %10s %8s\n", "Layer", "Kernel", "Computed by",
           "us", "share", "GFLOP/s", "% peak", "MB", "% memory");
    qsort(p->steps, p->count, sizeof *p->steps, slowest_first);
    for (size_t k = 0; k < p->count; k++) {
        print_row(p, &p->steps[k]);
    }
    print_row(p, &p->total);
    scaling_print(&p->scaling);
}

static void json_member(const char *name, double value) {
    printf(", \"%s\": ", name);
    json_number(stdout, value);
}

static void json_figures(const profile *p, const figures *f) {
    json_member("microseconds", f->seconds * 1e6);
    json_member("share", part(f->seconds, p->total.seconds));
    json_member("operations", f->work.operations);
    json_member("gflops", part(f->work.operations, f->seconds) / 1e9);
    json_member("operations_done", f->work.done);
    json_member("of_peak", part(part(f->work.done, f->seconds), p->machine.flops));
    json_member("bytes", f->work.bytes);
    json_member("of_memory", part(part(f->work.bytes, f->seconds), p->machine.bandwidth));
    putchar('}');
}

static void print_json(const profile *p) {
    printf(", \"machine\": {\"vectors\": \"%s\"", p->machine.vectors);
    json_member("gflops", p->machine.flops / 1e9);
    json_member("memory_gb_per_second", p->machine.bandwidth / 1e9);
    putchar('}');
    scaling_print_json(&p->scaling);
    printf(", \"profile\": [");
    for (size_t k = 0; k < p->count; k++) {
        const figures *f = &p->steps[k];
        printf("%s{\"name\": ", k > 0 ? ", " : "");
        json_string(stdout, f->work.name);
        printf(", \"kernel\": \"%s\", ", f->work.kernel);
        json_computation(stdout, p->plan, f->work.step);
        json_figures(p, f);
    }
    printf("], \"total\": {\"steps\": %zu", p->count);
    json_figures(p, &p->total);
}

kiln_status profile_print(const bench_measured *b, bool json, double *inout_alone,
                          kiln_error *error) {
    profile p = {.plan = b->plan};
    kiln_status status = kiln_machine_measure(b->threads, &p.machine, error);
    if (status == KILN_OK) {
        status = take_figures(b, &p, error);
    }
    if (status == KILN_OK) {
        status = scaling_measure(&p.machine, *inout_alone, p.total.seconds, &p.scaling, error);
        *inout_alone = b->threads == 1 ? p.total.seconds : *inout_alone;
    }
    if (status == KILN_OK && json) {
        print_json(&p);
    } else if (status == KILN_OK) {
        print_table(&p);
    }
    free(p.steps);
    return status;
}
