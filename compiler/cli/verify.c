/* kiln verify. */
#include "compiler/cli/cli.h"
#include "compiler/cli/given.h"

#include <float.h>
#include <stdlib.h>
#include <string.h>

typedef struct layer_line {
    char *name;
    const char *kernel;
    uint32_t batch;
    double absolute, relative;
    bool within;
} layer_line;

typedef struct verify_call {
    kiln_verify_options options;
    kiln_compile_options compile;
    given_model given;
    layer_line *lines;
    size_t count, capacity;
    bool all, json;
} verify_call;

static void keep_layer(void *context, const kiln_layer_difference *d) {
    verify_call *c = context;
    if (c->count == c->capacity) {
        size_t capacity = c->capacity == 0 ? 64 : c->capacity * 2;
        layer_line *grown = realloc(c->lines, capacity * sizeof *grown);
        if (grown == NULL) {
            return;
        }
        c->lines = grown;
        c->capacity = capacity;
    }
    c->lines[c->count++] = (layer_line){strdup(d->name), d->kernel,       d->batch,
                                        d->max_absolute, d->max_relative, d->within};
}

static void show_progress(void *context, uint32_t batch, size_t done, size_t total) {
    char what[48];
    (void)context;
    snprintf(what, sizeof what, "nodes at batch %u", batch);
    progress_show(what, done, total);
}

static int by_error(const void *a, const void *b) {
    const layer_line *x = a, *y = b;
    return x->relative > y->relative ? -1 : x->relative < y->relative;
}

static void print_lines(verify_call *c) {
    size_t shown = c->all || c->count < 10 ? c->count : 10;
    if (!c->all) {
        qsort(c->lines, c->count, sizeof *c->lines, by_error);
    }
    if (shown > 0) {
        printf("%-40s %-20s %5s %12s %12s\n", c->all ? "Layer" : "Layer (the worst)", "Kernel",
               "Batch", "Largest", "Relative");
    }
    for (size_t k = 0; k < shown; k++) {
        const layer_line *line = &c->lines[k];
        char name[TEXT_COLUMN(40)];
        printf("%s %-20s %5u %12.3e %12.3e%s\n",
               text_column(line->name != NULL ? line->name : "?", 40, name), line->kernel,
               line->batch, line->absolute, line->relative,
               line->within ? "" : "  out of tolerance");
    }
}

static void print_json(const verify_call *c, const kiln_verify_report *r, kiln_status status,
                       const kiln_error *error) {
    printf("{\"ok\": %s, \"message\": ", status == KILN_OK ? "true" : "false");
    json_string(stdout, status == KILN_OK ? "" : error->message);
    printf(", \"batches_compared\": %zu, \"layers_compared\": %zu", r->batches_compared,
           r->layers_compared);
    printf(", \"worst_layer_relative\": ");
    json_number(stdout, r->worst_layer_relative);
    printf(", \"outputs_compared\": %zu, \"worst_output_excess\": ", r->outputs_compared);
    json_number(stdout, r->worst_output_excess);
    printf(", \"first_difference\": ");
    json_string(stdout, r->first_difference);
    printf(", \"first_difference_batch\": %u, \"layers\": [", r->first_difference_batch);
    for (size_t k = 0; k < c->count; k++) {
        printf("%s{\"name\": ", k > 0 ? ", " : "");
        json_string(stdout, c->lines[k].name != NULL ? c->lines[k].name : "");
        printf(", \"kernel\": \"%s\", \"batch\": %u, \"max_absolute\": ", c->lines[k].kernel,
               c->lines[k].batch);
        json_number(stdout, c->lines[k].absolute);
        printf(", \"max_relative\": ");
        json_number(stdout, c->lines[k].relative);
        printf(", \"within\": %s}", c->lines[k].within ? "true" : "false");
    }
    printf("]}\n");
}

static int verify(verify_call *c, const char *model) {
    kiln_verify_report report = {0};
    kiln_error error = {0};
    given_model_apply(&c->given, &c->compile);
    c->options.compile = &c->compile;
    c->options.read_into_memory = plans_are_read();
    c->options.on_layer = keep_layer;
    c->options.on_progress = show_progress;
    c->options.context = c;
    kiln_status status = kiln_verify(model, &c->options, &report, &error);
    progress_clear();
    bool ran = status == KILN_OK || status == KILN_ERROR_MISMATCH;
    if (c->json && ran) {
        print_json(c, &report, status, &error);
    } else if (ran) {
        print_lines(c);
        printf("%zu layers compared at %zu batch%s, largest relative error %.3e\n",
               report.layers_compared, report.batches_compared,
               report.batches_compared == 1 ? "" : "es", report.worst_layer_relative);
        if (report.outputs_compared > 0) {
            printf("%zu outputs compared with expected ones, %.3f of what is allowed\n",
                   report.outputs_compared, report.worst_output_excess);
        }
        if (status == KILN_OK) {
            printf("within tolerance\n");
        }
    }
    if (status == KILN_OK) {
        return 0;
    }
    (void)fail(&error);
    return status == KILN_ERROR_MISMATCH ? EXIT_MISMATCH : EXIT_FAILED;
}

#define AT(member) offsetof(verify_call, member)
#define TOLERANCE(member)                                                                          \
    .kind = OPTION_REAL, .place = AT(options.member), .low = 0, .high = DBL_MAX,                   \
    .expected = "a tolerance from 0 on"

static const option_row rows[] = {
    {.kind = OPTION_TEXT,
     .name = "data",
     .value = "DIR",
     .place = AT(options.data_folder),
     .help = "inputs and expected outputs; without it, seeded noise"},
    {.kind = OPTION_TEXT,
     .name = "plan",
     .value = "FILE",
     .place = AT(options.plan_path),
     .help = "check this plan instead of compiling one"},
    {.kind = OPTION_CALL,
     .name = "input",
     .value = "NAME=SHAPE",
     .place = AT(given.inputs),
     .take = take_input_shape,
     .help = "settle open dimensions (see: kiln help compile); or, NAME=@FILE, what the input is "
             "fed with"},
    {.kind = OPTION_CALL,
     .name = "outputs",
     .value = "NAME,...",
     .place = AT(given),
     .take = take_part_outputs,
     .help = "check a part of the model (see: kiln help compile)"},
    {.kind = OPTION_CALL,
     .name = "inputs",
     .value = "NAME[=SHAPE],...",
     .place = AT(given),
     .take = take_part_inputs,
     .help = "that begins at these tensors"},
    {.kind = OPTION_CALL,
     .name = "weights",
     .value = "TYPE",
     .place = AT(compile.weights),
     .word = weights_word,
     .take = take_weights,
     .help = "compile with these weights"},
    {.kind = OPTION_SIZE,
     .name = "fold-limit",
     .value = "SIZE",
     .place = AT(compile.fold_limit),
     .help = "see: kiln help compile"},
    {.kind = OPTION_NUMBER,
     .name = "batch",
     .value = "N",
     .place = AT(options.batch),
     .low = 1,
     .high = MOST_SAMPLES,
     .help = "the second batch (default 2, or 1 where the data hold several samples)"},
    THREADS_ROW(AT(options.threads)),
    {TOLERANCE(layer_tolerance), .name = "layer-tolerance", .value = "T",
     .help = "largest error of a layer / its largest value (default 1e-4)"},
    {TOLERANCE(relative), .name = "rtol", .value = "R",
     .help = "outputs: |ours - expected| <= R |expected| + A (default 1e-3)"},
    {TOLERANCE(absolute), .name = "atol", .value = "A",
     .help = "(default 2.5e-7 + 1e-4 of the largest expected value)"},
    {.kind = OPTION_SET,
     .name = "outputs-only",
     .place = AT(options.outputs_only),
     .help = "no layer-by-layer check (the reference is slow)"},
    {.kind = OPTION_SET,
     .name = "all",
     .place = AT(all),
     .help = "print every layer, not the ten worst"},
    {.kind = OPTION_SET, .name = "json", .place = AT(json), .help = "the result as JSON"},
    OPTIONS_END,
};

static int run(const command *self, int argc, char **argv) {
    verify_call c = {.options = {.size = sizeof c.options, .seed = 1}};
    kiln_compile_options_init(&c.compile);
    int status = options_read(self, &c, &argc, &argv);
    if (status == OPTIONS_READ) {
        status = argc == 1 ? verify(&c, argv[0]) : usage(self, "expected one model, got %d", argc);
    }
    for (size_t k = 0; k < c.count; k++) {
        free(c.lines[k].name);
    }
    free(c.lines);
    given_model_free(&c.given);
    return status;
}

const command command_verify = {
    .name = "verify",
    .summary = "check a compiled model against a reference",
    .order = 140,
    .synopsis = "MODEL.onnx [--data DIR] [options]",
    .about =
        "Compiles the model and runs it beside a naive reference evaluator: prints the largest "
        "error that each layer adds to its inputs', names the first one out of tolerance, and "
        "compares the outputs with expected ones where DIR (input_0.pb ..., output_0.pb ..., "
        "the layout of ONNX's backend tests) has them. Where the batch is open, all that at "
        "the batch of the data, or 1, and at a second one. Exit status 3 when something is "
        "out of tolerance.",
    .options = rows,
    .opens_plan = true,
    .run = run};
