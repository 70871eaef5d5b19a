/* kiln verify. */
#include "compiler/cli/cli.h"

#include <getopt.h>
#include <stdlib.h>
#include <string.h>

static const char help_text[] =
    "usage: kiln verify MODEL.onnx [--data DIR] [options]\n\n"
    "Compiles the model and runs it beside a naive reference evaluator: prints the largest error "
    "that\n"
    "each layer adds to its inputs', names the first one out of tolerance, and compares the "
    "outputs\n"
    "with expected ones where DIR (input_0.pb ..., output_0.pb ..., the layout of ONNX's backend\n"
    "tests) has them. Where the batch is open, all that at the batch of the data, or 1, and at a\n"
    "second one. Exit status 3 when something is out of tolerance.\n\n"
    "  --data DIR            inputs and expected outputs; without it, seeded noise\n"
    "  --plan FILE           check this plan instead of compiling one\n"
    "  --input NAME=SHAPE    settle open dimensions (see: kiln help compile)\n"
    "  --input NAME=@FILE    what the input is fed with\n"
    "  --outputs NAME,...    check a part of the model (see: kiln help compile)\n"
    "  --inputs NAME[=SHAPE],...\n"
    "  --weights f32|f16     compile with these weights\n"
    "  --fold-limit SIZE     see: kiln help compile\n"
    "  --batch N             the second batch (default 2, or 1 where the data hold several "
    "samples)\n"
    "  --threads N           compute threads (default 1)\n"
    "  --layer-tolerance T   largest error of a layer / its largest value (default 1e-4)\n"
    "  --rtol R --atol A     outputs: |ours - expected| <= R |expected| + A\n"
    "                        (default: 1e-3, 2.5e-7 + 1e-4 of the largest expected value)\n"
    "  --outputs-only        no layer-by-layer check (the reference is slow)\n"
    "  --all                 print every layer, not the ten worst\n"
    "  --json                the result as JSON\n";

enum {
    OPT_DATA = 256,
    OPT_PLAN,
    OPT_INPUT,
    OPT_PART_INPUTS,
    OPT_PART_OUTPUTS,
    OPT_WEIGHTS,
    OPT_FOLD_LIMIT,
    OPT_BATCH,
    OPT_THREADS,
    OPT_LAYER,
    OPT_RTOL,
    OPT_ATOL,
    OPT_OUTPUTS,
    OPT_ALL,
    OPT_JSON
};

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
    given_inputs given;
    model_part part;
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

static int take_option(verify_call *c, int option, const char *value, char **argv) {
    kiln_error error;
    unsigned long number = 0;
    double *real = option == OPT_LAYER  ? &c->options.layer_tolerance
                   : option == OPT_RTOL ? &c->options.relative
                                        : &c->options.absolute;
    switch (option) {
    case OPT_DATA:
        c->options.data_folder = value;
        return 0;
    case OPT_PLAN:
        c->options.plan_path = value;
        return 0;
    case OPT_INPUT:
        return given_add(&c->given, value, false, &error) == KILN_OK ? 0 : fail(&error);
    case OPT_PART_INPUTS:
    case OPT_PART_OUTPUTS:
        return part_add(&c->part, &c->given, option == OPT_PART_INPUTS, value, &error) == KILN_OK
                   ? 0
                   : fail(&error);
    case OPT_WEIGHTS:
        c->compile.weights = strcmp(value, "f16") == 0 ? KILN_F16 : KILN_F32;
        return strcmp(value, "f16") == 0 || strcmp(value, "f32") == 0
                   ? 0
                   : usage(&command_verify, "--weights %s: f32 or f16", value);
    case OPT_FOLD_LIMIT:
        return parse_size(value, &c->compile.fold_limit)
                   ? 0
                   : usage(&command_verify, "--fold-limit %s: a size as 8M or 512K", value);
    case OPT_BATCH:
    case OPT_THREADS:
        if (!parse_number(value, 1, option == OPT_BATCH ? 65536 : 256, &number)) {
            return usage(&command_verify, "'%s' is no number from 1 on", value);
        }
        *(option == OPT_BATCH ? &c->options.batch : &c->options.threads) = (uint32_t)number;
        return 0;
    case OPT_LAYER:
    case OPT_RTOL:
    case OPT_ATOL:
        return parse_real(value, real) && *real >= 0
                   ? 0
                   : usage(&command_verify, "'%s' is no tolerance", value);
    case OPT_OUTPUTS:
        c->options.outputs_only = true;
        return 0;
    case OPT_ALL:
        c->all = true;
        return 0;
    case OPT_JSON:
        c->json = true;
        return 0;
    default:
        return usage_of_option(&command_verify, option, argv);
    }
}

static int verify(verify_call *c, const char *model) {
    kiln_verify_report report = {0};
    kiln_error error = {0};
    c->compile.inputs = c->given.values;
    c->compile.input_count = c->given.count;
    part_apply(&c->part, &c->compile);
    c->options.compile = &c->compile;
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

static int run(int argc, char **argv) {
    static const struct option long_options[] = {
        {"data", required_argument, NULL, OPT_DATA},
        {"plan", required_argument, NULL, OPT_PLAN},
        {"input", required_argument, NULL, OPT_INPUT},
        {"inputs", required_argument, NULL, OPT_PART_INPUTS},
        {"outputs", required_argument, NULL, OPT_PART_OUTPUTS},
        {"weights", required_argument, NULL, OPT_WEIGHTS},
        {"fold-limit", required_argument, NULL, OPT_FOLD_LIMIT},
        {"batch", required_argument, NULL, OPT_BATCH},
        {"threads", required_argument, NULL, OPT_THREADS},
        {"layer-tolerance", required_argument, NULL, OPT_LAYER},
        {"rtol", required_argument, NULL, OPT_RTOL},
        {"atol", required_argument, NULL, OPT_ATOL},
        {"outputs-only", no_argument, NULL, OPT_OUTPUTS},
        {"all", no_argument, NULL, OPT_ALL},
        {"json", no_argument, NULL, OPT_JSON},
        {"help", no_argument, NULL, 'h'},
        {0}};
    verify_call c = {.options = {.seed = 1}};
    int status = 0, option;
    kiln_compile_options_init(&c.compile);
    while (status == 0 && (option = getopt_long(argc, argv, ":h", long_options, NULL)) != -1) {
        if (option == 'h') {
            return show_help(&command_verify);
        }
        status = take_option(&c, option, optarg, argv);
    }
    if (status == 0) {
        status = argc - optind == 1
                     ? verify(&c, argv[optind])
                     : usage(&command_verify, "expected one model, got %d", argc - optind);
    }
    for (size_t k = 0; k < c.count; k++) {
        free(c.lines[k].name);
    }
    free(c.lines);
    given_free(&c.given);
    part_free(&c.part);
    return status;
}

const command command_verify = {"verify", "check a compiled model against a reference", help_text,
                                run, false};
