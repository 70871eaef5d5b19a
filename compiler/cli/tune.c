/* kiln tune. */
#include "compiler/cli/cli.h"
#include <kiln/tune.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct tune_line {
    char *name;
    kiln_tune_layer layer;
} tune_line;

typedef struct tune_call {
    kiln_tune_options options;
    const char *plan, *out;
    tune_line *lines;
    size_t count, capacity;
    bool json, quiet, failed;
} tune_call;

/* ---- What is reported ---------------------------------------------------------------------- */

static void keep_layer(void *context, const kiln_tune_layer *layer) {
    tune_call *c = context;
    if (c->count == c->capacity) {
        size_t capacity = c->capacity == 0 ? 64 : c->capacity * 2;
        tune_line *grown = realloc(c->lines, capacity * sizeof *grown);
        if (grown == NULL) {
            c->failed = true;
            return;
        }
        c->lines = grown;
        c->capacity = capacity;
    }
    char *name = strdup(layer->name);
    c->failed = c->failed || name == NULL;
    c->lines[c->count] = (tune_line){name, *layer};
    c->count += name != NULL;
}

static bool show_progress(void *context, size_t done, size_t total) {
    const tune_call *c = context;
    if (!c->quiet) {
        progress_show("tuning, runs", done, total);
    }
    return true;
}

static void print_layers(const tune_call *c) {
    printf("%-36s %-9s    %-9s %11s %11s\n", "Layer", "before", "after", "us before", "us after");
    for (size_t k = 0; k < c->count; k++) {
        const kiln_tune_layer *l = &c->lines[k].layer;
        if (l->before != l->after) {
            char name[TEXT_COLUMN(36)];
            printf("%s %-9s -> %-9s %11.1f %11.1f\n", text_column(c->lines[k].name, 36, name),
                   kiln_conv_algorithm_name(l->before), kiln_conv_algorithm_name(l->after),
                   l->seconds[l->before] * 1e6, l->seconds[l->after] * 1e6);
        }
    }
}

static const char *outcome_text(const kiln_tune_report *r) {
    switch (r->outcome) {
    case KILN_TUNE_CHANGED:
        return "changed";
    case KILN_TUNE_UNCHANGED:
        return "unchanged";
    case KILN_TUNE_SLOWER:
        return "slower";
    case KILN_TUNE_NO_CHOICE:
        return "no choice";
    default:
        return "stopped";
    }
}

static void print_report(const tune_call *c, const kiln_tune_report *r) {
    char before[32], after[32];
    switch (r->outcome) {
    case KILN_TUNE_CHANGED:
        print_layers(c);
        printf(
            "%zu of %zu convolutions changed on %s; a run: %.3f ms before, %.3f ms after; memory: "
            "%s before, %s after\n",
            r->changed, r->convolutions, r->processor, r->seconds_before * 1e3,
            r->seconds_after * 1e3,
            human_bytes(r->memory_before.total_bytes, before, sizeof before),
            human_bytes(r->memory_after.total_bytes, after, sizeof after));
        break;
    case KILN_TUNE_SLOWER:
        printf("unchanged: layers gained, but not the network (%.3f ms before, %.3f ms after)\n",
               r->seconds_before * 1e3, r->seconds_after * 1e3);
        break;
    case KILN_TUNE_NO_CHOICE:
        printf("unchanged: no convolution that has another algorithm\n");
        break;
    default:
        printf("unchanged: of %zu convolutions, none has an algorithm that is 3 %% faster\n",
               r->convolutions);
        break;
    }
    if (r->exact && c->options.precision == KILN_TUNE_AS_COMPILED) {
        printf("The plan is exact and stays so; --allow-winograd tries faster, less exact "
               "algorithms, too.\n");
    }
}

static void print_json(const tune_call *c, const kiln_tune_report *r) {
    printf("{\"outcome\": \"%s\", \"processor\": ", outcome_text(r));
    json_string(stdout, r->processor);
    printf(", \"exact\": %s, \"threads\": %u, \"batch\": %u, \"convolutions\": %zu, "
           "\"changed\": %zu, ",
           r->exact ? "true" : "false", c->options.threads, c->options.batch, r->convolutions,
           r->changed);
    printf("\"before_ms\": %.4f, \"after_ms\": %.4f, \"memory_before_bytes\": %llu, "
           "\"memory_after_bytes\": %llu, \"layers\": [",
           r->seconds_before * 1e3, r->seconds_after * 1e3,
           (unsigned long long)r->memory_before.total_bytes,
           (unsigned long long)r->memory_after.total_bytes);
    for (size_t k = 0; k < c->count; k++) {
        const kiln_tune_layer *l = &c->lines[k].layer;
        printf("%s{\"name\": ", k > 0 ? ", " : "");
        json_string(stdout, c->lines[k].name);
        printf(", \"step\": %zu, \"before\": \"%s\", \"after\": \"%s\", \"microseconds\": {",
               l->step, kiln_conv_algorithm_name(l->before), kiln_conv_algorithm_name(l->after));
        const char *comma = "";
        for (uint32_t a = 0; a < KILN_CONV_CHOICES; a++) {
            if (isfinite(l->seconds[a])) {
                printf("%s\"%s\": %.2f", comma, kiln_conv_algorithm_name(a), l->seconds[a] * 1e6);
                comma = ", ";
            }
        }
        printf("}}");
    }
    printf("]}\n");
}

static int tune(tune_call *c) {
    kiln_tune_report report;
    kiln_error error;
    c->options.read_into_memory = plans_are_read();
    c->options.on_progress = show_progress;
    c->options.on_layer = keep_layer;
    c->options.context = c;
    kiln_status status = kiln_tune(c->plan, c->out, &c->options, &report, &error);
    if (status != KILN_OK) {
        return fail(&error);
    }
    progress_clear();
    if (c->failed) {
        (void)kiln_fail(&error, KILN_ERROR_MEMORY,
                        "out of memory for the report; the plan is done");
        return fail(&error);
    }
    if (c->json) {
        print_json(c, &report);
    } else if (!c->quiet) {
        print_report(c, &report);
    }
    return 0;
}

/* ---- Options ------------------------------------------------------------------------------- */

static int take_precision(const command *self, kiln_tune_precision *precision,
                          kiln_tune_precision wanted) {
    if (*precision != KILN_TUNE_AS_COMPILED) {
        return usage(self, "one of --exact and --allow-winograd, once");
    }
    *precision = wanted;
    return 0;
}

static int take_exact(const command *self, void *at, const char *value) {
    (void)value;
    return take_precision(self, at, KILN_TUNE_EXACT);
}

static int take_winograd(const command *self, void *at, const char *value) {
    (void)value;
    return take_precision(self, at, KILN_TUNE_ANY);
}

#define AT(member) offsetof(tune_call, member)

static const option_row rows[] = {
    {.kind = OPTION_TEXT,
     .letter = 'o',
     .value = "FILE",
     .place = AT(out),
     .help = "where to write the plan (default: in PLAN's place)"},
    THREADS_ROW(AT(options.threads)),
    {.kind = OPTION_NUMBER,
     .name = "batch",
     .value = "N",
     .place = AT(options.batch),
     .low = 1,
     .high = MOST_SAMPLES,
     .help = "samples a run (default 1)"},
    {.kind = OPTION_NUMBER,
     .name = "runs",
     .value = "N",
     .place = AT(options.runs),
     .low = 1,
     .high = 65536,
     .help = "timed runs with each algorithm (default 15)"},
    {.kind = OPTION_CALL,
     .name = "exact",
     .place = AT(options.precision),
     .take = take_exact,
     .help = "no Winograd convolutions: layers that have one get an exact one, even where that is "
             "slower"},
    {.kind = OPTION_CALL,
     .name = "allow-winograd",
     .place = AT(options.precision),
     .take = take_winograd,
     .help = "for a plan compiled with --exact, which stays exact otherwise: errors of 1e-3 "
             "instead of 1e-4"},
    {.kind = OPTION_SET,
     .name = "json",
     .place = AT(json),
     .help = "every convolution with all its times, as JSON"},
    {.kind = OPTION_SET, .letter = 'q', .place = AT(quiet), .help = "print nothing"},
    OPTIONS_END,
};

static int run(const command *self, int argc, char **argv) {
    tune_call c = {.plan = NULL};
    kiln_tune_options_init(&c.options);
    c.options.threads = c.options.batch = 1;
    int status = options_read(self, &c, &argc, &argv);
    if (status == OPTIONS_READ && argc != 1) {
        status = usage(self, "expected one plan, got %d", argc);
    } else if (status == OPTIONS_READ) {
        c.plan = argv[0];
        status = tune(&c);
    }
    for (size_t k = 0; k < c.count; k++) {
        free(c.lines[k].name);
    }
    free(c.lines);
    return status;
}

const command command_tune = {
    .name = "tune",
    .summary = "choose a plan's algorithms by measuring",
    .order = 160,
    .synopsis = "PLAN [-o FILE] [options]",
    .about =
        "Measures on this machine how fast each convolution runs with each algorithm that can "
        "compute it, and with XNNPACK's, and stores the fastest in the plan, for this processor: "
        "others choose as before, and may be tuned for, too (kiln inspect lists them). The "
        "compiler "
        "chooses by a model of the costs, which knows neither this machine's caches nor how many "
        "threads there will be: tune where the plan will run, with the threads it will run with, "
        "while nothing else runs.\n"
        "\n"
        "A layer changes for a gain of 3 % or more, the plan if the network as a whole is not "
        "slower then. Until all is measured the file is as it was; stop at any time.",
    .notes =
        "Algorithms: gemm (one matrix product), winograd2, winograd4, winograd6 (3x3 with stride "
        "1 or 2: fewer multiplications, more rounding), depthwise (one channel a group), direct "
        "(other "
        "groups), all of them Kiln's, and xnnpack (XNNPACK's convolution; not where it would have "
        "to "
        "add, to apply a function or to run by rows). Layers that run "
        "together, some rows at a time (kiln compile --memory), take an algorithm only if their "
        "memory has room for its rows.",
    .examples = "kiln tune resnet50.plan --threads 4\n"
                "kiln tune exact.plan --allow-winograd -o fast.plan",
    .options = rows,
    .opens_plan = true,
    .run = run};
