/* kiln compile. */
#include "compiler/cli/cli.h"
#include "compiler/cli/compile_report.h"
#include "compiler/cli/given.h"
#include "compiler/cli/kernel_list.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct compile_call {
    kiln_compile_options options;
    given_model given;
    const char *model, *plan, *label_path, *kernels;
    char *default_plan, *label_text, **labels;
    double mean[3], deviation[3], scale; /* NaN: not given */
    bool json, quiet, trains;
} compile_call;

/* ---- Options ------------------------------------------------------------------------------- */

/* The lists are in the order of the enumerations. */
static const char *convolution_word(unsigned k) {
    static const char *const words[] = {"auto",      "exact",     "winograd2",
                                        "winograd4", "winograd6", "direct"};
    return k < sizeof words / sizeof *words ? words[k] : NULL;
}

static const char *memory_word(unsigned k) {
    static const char *const words[] = {"balanced", "min", "speed"};
    return k < sizeof words / sizeof *words ? words[k] : NULL;
}

static const char *resize_word(unsigned k) {
    static const char *const words[] = {"stretch", "centre-crop"};
    return k < sizeof words / sizeof *words ? words[k] : NULL;
}

static int take_resize(const command *self, void *at, const char *value) {
    kiln_preprocess *preprocess = at;
    (void)self;
    preprocess->present = true;
    preprocess->resize =
        strcmp(value, "stretch") == 0 ? KILN_RESIZE_STRETCH : KILN_RESIZE_CENTRE_CROP;
    return 0;
}

static int take_bgr(const command *self, void *at, const char *value) {
    kiln_preprocess *preprocess = at;
    (void)self;
    (void)value;
    preprocess->bgr = preprocess->present = true;
    return 0;
}

static int take_exact(const command *self, void *at, const char *value) {
    kiln_convolution *convolution = at;
    (void)self;
    (void)value;
    *convolution = KILN_CONVOLUTION_EXACT;
    return 0;
}

/* Three numbers with commas between, or one for all three channels. */
static bool parse_channels(const char *text, double out[3]) {
    if (parse_real(text, &out[0])) {
        out[1] = out[2] = out[0];
        return true;
    }
    for (int k = 0; k < 3; k++) {
        char *end = NULL;
        out[k] = strtod(text, &end);
        if (end == text || *end != (k < 2 ? ',' : '\0')) {
            return false;
        }
        text = end + 1;
    }
    return true;
}

#define MAX_LABEL_BYTES ((size_t)64 << 20)

static kiln_status load_labels(compile_call *c, const char *path, kiln_error *error) {
    size_t size;
    kiln_free(c->label_text);
    c->options.label_count = 0;
    kiln_status status = file_read(path, MAX_LABEL_BYTES, &c->label_text, &size, error);
    if (status != KILN_OK) {
        return status;
    }
    size_t lines = 1;
    for (size_t k = 0; k < size; k++) {
        lines += c->label_text[k] == '\n';
    }
    char **labels = realloc(c->labels, lines * sizeof *labels);
    if (labels == NULL) {
        return kiln_fail(error, KILN_ERROR_MEMORY, "%s: out of memory", path);
    }
    c->labels = labels;
    for (char *line = c->label_text, *end = line + size; line < end;) {
        char *next = memchr(line, '\n', (size_t)(end - line));
        next = next != NULL ? next : end;
        *next = '\0';
        line[strcspn(line, "\r")] = '\0';
        labels[c->options.label_count++] = line;
        line = next + 1;
    }
    c->options.labels = (const char *const *)labels;
    return c->options.label_count > 0
               ? KILN_OK
               : kiln_fail(error, KILN_ERROR_FORMAT, "%s: no labels in it", path);
}

static int take_channels(const command *self, void *at, const char *value) {
    return parse_channels(value, at)
               ? 0
               : usage(self, "'%s' is neither a number nor three, as 0.5,0.4,0.3", value);
}

static int take_labels(const command *self, void *at, const char *value) {
    compile_call *c = at;
    kiln_error error;
    (void)self;
    c->label_path = value;
    return load_labels(c, value, &error) == KILN_OK ? 0 : fail(&error);
}

#define AT(member) offsetof(compile_call, member)

static const option_row rows[] = {
    {.kind = OPTION_TEXT,
     .letter = 'o',
     .value = "FILE",
     .place = AT(plan),
     .help = "where to write the plan"},
    {.kind = OPTION_CALL,
     .name = "input",
     .value = "NAME=SHAPE",
     .place = AT(given.inputs),
     .take = take_input_shape,
     .help = "settle an input's shape: 1x3x224x224, or Nx3x224x224 to leave the batch to whoever "
             "runs the plan; or, NAME=@FILE, make it a constant of this value (.npy, .pb)"},
    {.kind = OPTION_CALL,
     .name = "outputs",
     .value = "NAME,...",
     .place = AT(given),
     .take = take_part_outputs,
     .help = "compile the part of the model that makes these tensors"},
    {.kind = OPTION_CALL,
     .name = "inputs",
     .value = "NAME[=SHAPE],...",
     .place = AT(given),
     .take = take_part_inputs,
     .help = "and that begins at these; a shape is needed where the model does not tell it"},
    {.kind = OPTION_CALL,
     .name = "weights",
     .value = "TYPE",
     .place = AT(options.weights),
     .word = weights_word,
     .take = take_weights,
     .help = "how weights are stored (f16 halves the file; computation stays f32)"},
    {.kind = OPTION_CALL,
     .name = "labels",
     .value = "FILE",
     .take = take_labels,
     .help = "class labels, one a line"},
    {.kind = OPTION_CALL,
     .name = "preprocess",
     .value = "PRESET",
     .place = AT(options.preprocess),
     .word = preset_word,
     .take = take_preset,
     .help = "how pictures become the input (imagenet: as torchvision)"},
    {.kind = OPTION_CALL,
     .name = "mean",
     .value = "R,G,B",
     .place = AT(mean),
     .take = take_channels,
     .help = "with --std, --scale: x = (pixel * scale - mean) / std, pixel 0..255; one number "
             "stands for all three channels"},
    {.kind = OPTION_CALL,
     .name = "std",
     .value = "R,G,B",
     .place = AT(deviation),
     .take = take_channels,
     .help = "(default 1,1,1)"},
    {.kind = OPTION_REAL,
     .name = "scale",
     .value = "S",
     .place = AT(scale),
     .help = "(default 1; 0.00392157 for statistics in 0..1)"},
    {.kind = OPTION_CALL,
     .name = "bgr",
     .place = AT(options.preprocess),
     .take = take_bgr,
     .help = "channels in the order blue, green, red"},
    {.kind = OPTION_CALL,
     .name = "resize",
     .value = "RULE",
     .place = AT(options.preprocess),
     .word = resize_word,
     .take = take_resize,
     .help = "centre-crop keeps the aspect ratio"},
    {.kind = OPTION_SINGLE,
     .name = "crop-fraction",
     .value = "F",
     .place = AT(options.preprocess.crop_fraction),
     .low = FLT_MIN,
     .high = 1,
     .expected = "a fraction above 0, at most 1",
     .help = "with centre-crop: 0.875 takes 224 of 256"},
    {.kind = OPTION_CALL,
     .name = "exact",
     .place = AT(options.convolution),
     .take = take_exact,
     .help = "no Winograd convolutions: slower, errors of 1e-4 instead of 1e-3"},
    {.kind = OPTION_CHOICE,
     .name = "convolution",
     .value = "NAME",
     .place = AT(options.convolution),
     .word = convolution_word,
     .help = "auto, the default, goes by cost; winograd is for 3x3 with stride 1 or 2, direct is "
             "XNNPACK's own, to compare with; kiln tune measures afterwards which is fastest for "
             "each layer"},
    {.kind = OPTION_CHOICE,
     .name = "memory",
     .value = "NAME",
     .place = AT(options.memory),
     .word = memory_word,
     .help = "how hard to save activation memory by running layers together, some rows at a time "
             "(default balanced)"},
    {.kind = OPTION_SIZE,
     .name = "limit",
     .value = "SIZE",
     .place = AT(options.memory_limit),
     .help = "fail where a session would need more memory besides weights: 8M, 512K"},
    {.kind = OPTION_SIZE,
     .name = "fold-limit",
     .value = "SIZE",
     .place = AT(options.fold_limit),
     .help = "at most so many bytes of constants are computed while compiling (default: 1G and 16 "
             "times the model's size)"},
    {.kind = OPTION_SET,
     .name = "no-fusion",
     .place = AT(options.no_fusion),
     .help = "only what is needed to run: for finding a fault"},
    {.kind = OPTION_TEXT,
     .name = "dump-after",
     .value = "PASS",
     .place = AT(options.dump_after),
     .help = "print the graph after a pass"},
    {.kind = OPTION_TEXT,
     .name = "emit-kernels",
     .value = "FILE",
     .place = AT(kernels),
     .help = "add what the plan needs of the runtime to a list, by which a smaller one is built: "
             "cmake -DKILN_KERNELS=FILE"},
    {.kind = OPTION_SET,
     .name = "trains",
     .place = AT(trains),
     .help = "with --emit-kernels: the plan will be trained"},
    {.kind = OPTION_SET, .name = "json", .place = AT(json), .help = "what was done, as JSON"},
    {.kind = OPTION_SET, .letter = 'q', .place = AT(quiet), .help = "print nothing"},
    OPTIONS_END,
};

static void apply_statistics(compile_call *c) {
    kiln_preprocess *pre = &c->options.preprocess;
    if (pre->crop_fraction == 0.0f) {
        pre->crop_fraction = 0.875f;
    }
    bool unset = pre->scale[0] == 0.0f;
    bool given = !isnan(c->scale) || !isnan(c->mean[0]) || !isnan(c->deviation[0]);
    double scale = isnan(c->scale) ? 1 : c->scale;
    for (int channel = 0; channel < 4 && (given || (pre->present && unset)); channel++) {
        int from = channel < 3 ? channel : 2;
        double mean = isnan(c->mean[0]) ? 0 : c->mean[from];
        double deviation = isnan(c->deviation[0]) ? 1 : c->deviation[from];
        pre->present = true;
        pre->scale[channel] = (float)(scale / deviation);
        pre->bias[channel] = (float)(-mean / deviation);
    }
}

static int default_plan(compile_call *c) {
    size_t length = strlen(c->model);
    size_t stem = length > 5 && strcmp(c->model + length - 5, ".onnx") == 0 ? length - 5 : length;
    c->default_plan = malloc(stem + 6);
    if (c->default_plan == NULL) {
        return EXIT_FAILED;
    }
    memcpy(c->default_plan, c->model, stem);
    memcpy(c->default_plan + stem, ".plan", 6);
    c->plan = c->default_plan;
    return 0;
}

/* ---- Command ------------------------------------------------------------------------------- */

static kiln_status emit_kernels(const compile_call *c, kiln_error *error) {
    kiln_plan *plan = NULL;
    kiln_status status = c->kernels != NULL ? kiln_plan_open(c->plan, NULL, &plan, error) : KILN_OK;
    if (plan != NULL) {
        status = kernel_list_add(c->kernels, plan, c->trains, error);
    }
    kiln_plan_close(plan);
    return status;
}

static int compile(compile_call *c) {
    kiln_compile_report report;
    kiln_error error;
    int status = c->plan == NULL ? default_plan(c) : 0;
    apply_statistics(c);
    given_model_apply(&c->given, &c->options);
    if (status != 0) {
        return status;
    }
    const char *outputs[] = {c->plan, c->kernels};
    if (check_outputs(outputs, 2, c->given.inputs.paths, c->given.inputs.count, &error) !=
            KILN_OK ||
        file_keep(c->label_path, c->plan, &error) != KILN_OK ||
        outputs_keep(&c->kernels, 1, c->model, &error) != KILN_OK ||
        kiln_compile(c->model, c->plan, &c->options, &report, &error) != KILN_OK ||
        emit_kernels(c, &error) != KILN_OK) {
        return fail(&error);
    }
    if (report.batch_lost) {
        text_print(stderr, "kiln: %s\n", report.note);
    }
    if (c->json) {
        compile_report_json(c->model, c->plan, &report);
    } else if (!c->quiet) {
        compile_report_print(c->model, c->plan, &report);
    }
    return 0;
}

static int run(const command *self, int argc, char **argv) {
    compile_call c = {.mean = {NAN}, .deviation = {NAN}, .scale = NAN};
    kiln_compile_options_init(&c.options);
    c.options.dump = stdout;
    int status = options_read(self, &c, &argc, &argv);
    if (status == OPTIONS_READ && argc != 1) {
        status = usage(self, "expected one model, got %d", argc);
    } else if (status == OPTIONS_READ && c.trains && c.kernels == NULL) {
        status = usage(self, "--trains is for --emit-kernels");
    } else if (status == OPTIONS_READ) {
        c.model = argv[0];
        status = compile(&c);
    }
    free(c.labels);
    kiln_free(c.label_text);
    free(c.default_plan);
    given_model_free(&c.given);
    return status;
}

const command command_compile = {
    .name = "compile",
    .summary = "compile an ONNX model to a plan",
    .order = 110,
    .synopsis = "MODEL.onnx [-o MODEL.plan] [options]",
    .about =
        "Compiles an ONNX network: folds constants and batch norms, fuses operators, lays "
        "tensors out for its kernels, plans the memory and writes one plan file. Without -o the "
        "plan gets the model's name with .plan in its place.",
    .notes = "Names of inputs may hold = themselves: of several, the first before an @ ends the "
             "name, else the last. In --inputs such a name without a shape is written NAME=.",
    .examples = "kiln compile vgg16.onnx --preprocess imagenet --labels imagenet.txt\n"
                "kiln compile detector.onnx -o det.plan --input image=1x3x320x320\n"
                "kiln compile detector.onnx --outputs boxes,scores",
    .options = rows,
    .run = run};
