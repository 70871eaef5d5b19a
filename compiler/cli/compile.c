/* kiln compile. */
#include "compiler/cli/cli.h"

#include <getopt.h>
#include <stdlib.h>
#include <string.h>

static const char help_text[] =
    "usage: kiln compile MODEL.onnx [-o MODEL.plan] [options]\n\n"
    "Compiles an ONNX network: folds constants and batch norms, fuses operators, lays tensors out\n"
    "for XNNPACK, plans the memory and writes one plan file. Without -o the plan gets the model's\n"
    "name with .plan in its place.\n\n"
    "  -o FILE               where to write the plan\n"
    "  --input NAME=SHAPE    settle an input's shape: 1x3x224x224, or Nx3x224x224 to leave the "
    "batch\n"
    "                        to whoever runs the plan\n"
    "  --input NAME=@FILE    make an input a constant of this value (.npy, .pb)\n"
    "  --outputs NAME,...    compile the part of the model that makes these tensors\n"
    "  --inputs NAME[=SHAPE],...  and that begins at these; a shape is needed where the model "
    "does\n"
    "                        not tell it\n"
    "  --weights f32|f16     how weights are stored (f16 halves the file; computation stays f32)\n"
    "  --labels FILE         class labels, one a line\n"
    "  --preprocess PRESET   how pictures become the input: imagenet (torchvision), caffe, tf, "
    "none\n"
    "  --mean R,G,B          with --std, --scale: x = (pixel * scale - mean) / std, pixel 0..255;\n"
    "                        one number stands for all three channels\n"
    "  --std R,G,B           (default 1,1,1)\n"
    "  --scale S             (default 1; 0.00392157 for statistics in 0..1)\n"
    "  --bgr                 channels in the order blue, green, red\n"
    "  --resize RULE         stretch, or centre-crop (keeps the aspect ratio)\n"
    "  --crop-fraction F     with centre-crop: 0.875 takes 224 of 256\n"
    "  --exact               no Winograd convolutions: slower, errors of 1e-4 instead of 1e-3\n"
    "  --convolution NAME    auto (default; by cost), exact, winograd2, winograd4, winograd6 (of "
    "3x3\n"
    "                        with stride 1), direct (XNNPACK's own, to compare with); kiln tune "
    "measures\n"
    "                        afterwards which is fastest for each layer\n"
    "  --memory NAME         balanced (default), min or speed: how hard to save activation memory "
    "by\n"
    "                        running layers together, some rows at a time\n"
    "  --limit SIZE          fail where a session would need more memory besides weights: 8M, "
    "512K\n"
    "  --fold-limit SIZE     at most so many bytes of constants are computed while compiling "
    "(default: 1G\n"
    "                        and 16 times the model's size)\n"
    "  --no-fusion           only what is needed to run: for finding a fault\n"
    "  --dump-after PASS     print the graph after a pass\n"
    "  --json                what was done, as JSON\n"
    "  -q                    print nothing\n\n"
    "Examples:\n"
    "  kiln compile vgg16.onnx --preprocess imagenet --labels imagenet.txt\n"
    "  kiln compile detector.onnx -o det.plan --input image=1x3x320x320\n"
    "  kiln compile detector.onnx --outputs boxes,scores\n";

enum {
    OPT_INPUT = 256,
    OPT_INPUTS,
    OPT_OUTPUTS,
    OPT_WEIGHTS,
    OPT_LABELS,
    OPT_PREPROCESS,
    OPT_MEAN,
    OPT_STD,
    OPT_SCALE,
    OPT_BGR,
    OPT_RESIZE,
    OPT_CROP,
    OPT_NO_FUSION,
    OPT_EXACT,
    OPT_CONVOLUTION,
    OPT_MEMORY,
    OPT_LIMIT,
    OPT_FOLD_LIMIT,
    OPT_DUMP,
    OPT_JSON
};

static const struct option long_options[] = {
    {"input", required_argument, NULL, OPT_INPUT},
    {"inputs", required_argument, NULL, OPT_INPUTS},
    {"outputs", required_argument, NULL, OPT_OUTPUTS},
    {"weights", required_argument, NULL, OPT_WEIGHTS},
    {"labels", required_argument, NULL, OPT_LABELS},
    {"preprocess", required_argument, NULL, OPT_PREPROCESS},
    {"mean", required_argument, NULL, OPT_MEAN},
    {"std", required_argument, NULL, OPT_STD},
    {"scale", required_argument, NULL, OPT_SCALE},
    {"bgr", no_argument, NULL, OPT_BGR},
    {"resize", required_argument, NULL, OPT_RESIZE},
    {"crop-fraction", required_argument, NULL, OPT_CROP},
    {"memory", required_argument, NULL, OPT_MEMORY},
    {"limit", required_argument, NULL, OPT_LIMIT},
    {"fold-limit", required_argument, NULL, OPT_FOLD_LIMIT},
    {"no-fusion", no_argument, NULL, OPT_NO_FUSION},
    {"exact", no_argument, NULL, OPT_EXACT},
    {"convolution", required_argument, NULL, OPT_CONVOLUTION},
    {"dump-after", required_argument, NULL, OPT_DUMP},
    {"json", no_argument, NULL, OPT_JSON},
    {"help", no_argument, NULL, 'h'},
    {0}};

typedef struct compile_call {
    kiln_compile_options options;
    given_inputs given;
    model_part part;
    const char *model, *plan, *label_path;
    char *default_plan, *label_text, **labels;
    double mean[3], deviation[3], scale;
    bool statistics, json, quiet, help;
} compile_call;

/* ---- Options ------------------------------------------------------------------------------- */

/* The place of a name in a list that ends in NULL; -1: it is not there. */
static int find_name(const char *text, const char *const *names) {
    for (int k = 0; names[k] != NULL; k++) {
        if (strcmp(text, names[k]) == 0) {
            return k;
        }
    }
    return -1;
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
    free(c->label_text);
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

/* How pictures become inputs. 0: understood; else the exit status. */
static int take_picture_option(compile_call *c, int option, const char *value) {
    kiln_preprocess *pre = &c->options.preprocess;
    double number = 0;
    switch (option) {
    case OPT_PREPROCESS:
        return kiln_preprocess_preset(value, pre) == KILN_OK
                   ? 0
                   : usage(&command_compile, "--preprocess %s: imagenet, caffe, tf or none", value);
    case OPT_MEAN:
    case OPT_STD:
        c->statistics = true;
        return parse_channels(value, option == OPT_MEAN ? c->mean : c->deviation)
                   ? 0
                   : usage(&command_compile, "'%s' is neither a number nor three, as 0.5,0.4,0.3",
                           value);
    case OPT_SCALE:
        c->statistics = true;
        return parse_real(value, &c->scale)
                   ? 0
                   : usage(&command_compile, "--scale %s: not a number", value);
    case OPT_RESIZE:
        pre->present = true;
        pre->resize = strcmp(value, "stretch") == 0 ? KILN_RESIZE_STRETCH : KILN_RESIZE_CENTRE_CROP;
        return strcmp(value, "stretch") == 0 || strcmp(value, "centre-crop") == 0
                   ? 0
                   : usage(&command_compile, "--resize %s: stretch or centre-crop", value);
    case OPT_CROP:
        pre->crop_fraction = parse_real(value, &number) ? (float)number : 0.0f;
        return number > 0 && number <= 1
                   ? 0
                   : usage(&command_compile, "--crop-fraction %s: above 0, at most 1", value);
    default: /* OPT_BGR */
        pre->bgr = pre->present = true;
        return 0;
    }
}

/* How the network is planned. The lists are in the order of the enumerations. */
static int take_plan_option(compile_call *c, int option, const char *value) {
    static const char *const convolutions[] = {"auto",      "exact",  "winograd2", "winograd4",
                                               "winograd6", "direct", NULL};
    static const char *const memories[] = {"balanced", "min", "speed", NULL};
    int found;
    switch (option) {
    case OPT_CONVOLUTION:
        found = find_name(value, convolutions);
        c->options.convolution = (kiln_convolution)(found < 0 ? 0 : found);
        return found >= 0
                   ? 0
                   : usage(
                         &command_compile,
                         "--convolution %s: auto, exact, winograd2, winograd4, winograd6 or direct",
                         value);
    case OPT_MEMORY:
        found = find_name(value, memories);
        c->options.memory = (kiln_memory)(found < 0 ? 0 : found);
        return found >= 0 ? 0
                          : usage(&command_compile, "--memory %s: balanced, min or speed", value);
    case OPT_LIMIT:
        return parse_size(value, &c->options.memory_limit)
                   ? 0
                   : usage(&command_compile, "--limit %s: a size as 8M or 512K", value);
    case OPT_FOLD_LIMIT:
        return parse_size(value, &c->options.fold_limit)
                   ? 0
                   : usage(&command_compile, "--fold-limit %s: a size as 8M or 512K", value);
    case OPT_WEIGHTS:
        c->options.weights = strcmp(value, "f16") == 0 ? KILN_F16 : KILN_F32;
        return strcmp(value, "f16") == 0 || strcmp(value, "f32") == 0
                   ? 0
                   : usage(&command_compile, "--weights %s: f32 or f16", value);
    case OPT_NO_FUSION:
        c->options.no_fusion = true;
        return 0;
    default: /* OPT_EXACT */
        c->options.convolution = KILN_CONVOLUTION_EXACT;
        return 0;
    }
}

static int take_option(compile_call *c, int option, const char *value, char **argv) {
    kiln_error error;
    switch (option) {
    case 'o':
        c->plan = value;
        return 0;
    case 'q':
        c->quiet = true;
        return 0;
    case 'h':
        c->help = true;
        return 0;
    case OPT_JSON:
        c->json = true;
        return 0;
    case OPT_INPUT:
        return given_add(&c->given, value, false, &error) == KILN_OK ? 0 : fail(&error);
    case OPT_INPUTS:
    case OPT_OUTPUTS:
        return part_add(&c->part, &c->given, option == OPT_INPUTS, value, &error) == KILN_OK
                   ? 0
                   : fail(&error);
    case OPT_LABELS:
        c->label_path = value;
        return load_labels(c, value, &error) == KILN_OK ? 0 : fail(&error);
    case OPT_PREPROCESS:
    case OPT_MEAN:
    case OPT_STD:
    case OPT_SCALE:
    case OPT_BGR:
    case OPT_RESIZE:
    case OPT_CROP:
        return take_picture_option(c, option, value);
    case OPT_EXACT:
    case OPT_CONVOLUTION:
    case OPT_MEMORY:
    case OPT_LIMIT:
    case OPT_FOLD_LIMIT:
    case OPT_WEIGHTS:
    case OPT_NO_FUSION:
        return take_plan_option(c, option, value);
    case OPT_DUMP:
        c->options.dump_after = value;
        c->options.dump = stdout;
        return 0;
    default:
        return usage_of_option(&command_compile, option, argv);
    }
}

static void apply_statistics(compile_call *c) {
    kiln_preprocess *pre = &c->options.preprocess;
    if (pre->crop_fraction == 0.0f) {
        pre->crop_fraction = 0.875f;
    }
    bool unset = pre->scale[0] == 0.0f;
    for (int channel = 0; channel < 4 && (c->statistics || (pre->present && unset)); channel++) {
        int from = channel < 3 ? channel : 2;
        pre->present = true;
        pre->scale[channel] = (float)(c->scale / c->deviation[from]);
        pre->bias[channel] = (float)(-c->mean[from] / c->deviation[from]);
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

/* ---- Report -------------------------------------------------------------------------------- */

static void print_json(const compile_call *c, const kiln_compile_report *r) {
    printf("{\"model\": ");
    json_string(stdout, c->model);
    printf(", \"plan\": ");
    json_string(stdout, c->plan);
    printf(", \"operators_imported\": %zu, \"operators_planned\": %zu, \"fused\": {",
           r->operators_imported, r->operators_planned);
    for (size_t k = 0; k < r->fusion_count; k++) {
        printf("%s\"%s\": %zu", k > 0 ? ", " : "", r->fusions[k].pass, r->fusions[k].rewrites);
    }
    printf("}, \"plan_bytes\": %llu, \"weights_bytes\": %llu, \"arena_bytes\": %llu, "
           "\"arena_lower_bound_bytes\": %llu, \"arena_unbanded_bytes\": %llu, "
           "\"arena_no_reuse_bytes\": %llu, "
           "\"scratch_bytes\": %llu, \"xnnpack_bytes\": %llu, \"memory_total_bytes\": %llu, "
           "\"bands\": %zu, \"banded_steps\": %zu, \"placement\": ",
           (unsigned long long)r->plan_bytes, (unsigned long long)r->weights_bytes,
           (unsigned long long)r->arena_bytes, (unsigned long long)r->arena_lower_bound_bytes,
           (unsigned long long)r->arena_unbanded_bytes, (unsigned long long)r->arena_no_reuse_bytes,
           (unsigned long long)r->scratch_bytes, (unsigned long long)r->heap_bytes,
           (unsigned long long)r->memory_total_bytes, r->bands, r->banded_steps);
    json_string(stdout, r->placement);
    printf(", \"copies\": %zu, \"boundary_copies\": %zu, \"batchable\": %s, \"note\": ", r->copies,
           r->boundary_copies, r->batchable ? "true" : "false");
    json_string(stdout, r->note);
    printf("}\n");
}

static void print_report(const compile_call *c, const kiln_compile_report *r) {
    char a[32], b[32], d[32];
    text_print(stdout, "%s -> %s\n", c->model, c->plan);
    printf("  operators  %zu imported, %zu kernel calls planned\n", r->operators_imported,
           r->operators_planned);
    for (size_t k = 0; k < r->fusion_count; k++) {
        printf("    %-22s %5zu rewrites  %5zu -> %zu operators\n", r->fusions[k].pass,
               r->fusions[k].rewrites, r->fusions[k].before, r->fusions[k].after);
    }
    printf("  weights    %s in a plan of %s\n", human_bytes(r->weights_bytes, a, sizeof a),
           human_bytes(r->plan_bytes, b, sizeof b));
    printf("  arena      %s (lower bound %s, without reuse %s; %s)\n",
           human_bytes(r->arena_bytes, a, sizeof a),
           human_bytes(r->arena_lower_bound_bytes, b, sizeof b),
           human_bytes(r->arena_no_reuse_bytes, d, sizeof d), r->placement);
    printf("  memory     %s with one thread: arena, scratch %s, XNNPACK %s\n",
           human_bytes(r->memory_total_bytes, a, sizeof a),
           human_bytes(r->scratch_bytes, b, sizeof b), human_bytes(r->heap_bytes, d, sizeof d));
    if (r->bands > 0) {
        printf("  bands      %zu, of %zu kernel calls that work some rows at a time; layer by "
               "layer the "
               "arena's lower bound is %s\n",
               r->bands, r->banded_steps, human_bytes(r->arena_unbanded_bytes, a, sizeof a));
    }
    printf("  copies     %zu inside the network, %zu at its boundary\n", r->copies,
           r->boundary_copies);
    printf("  batch      %s\n", r->batchable ? "chosen at run time" : "fixed");
    if (r->note[0] != '\0' && !r->batch_lost) {
        text_print(stdout, "  note       %s\n", r->note);
    }
}

static int compile(compile_call *c) {
    kiln_compile_report report;
    kiln_error error;
    int status = c->plan == NULL ? default_plan(c) : 0;
    apply_statistics(c);
    c->options.inputs = c->given.values;
    c->options.input_count = c->given.count;
    part_apply(&c->part, &c->options);
    if (status != 0) {
        return status;
    }
    if (check_outputs(&c->plan, 1, c->given.paths, c->given.count, &error) != KILN_OK ||
        file_keep(c->label_path, c->plan, &error) != KILN_OK ||
        kiln_compile(c->model, c->plan, &c->options, &report, &error) != KILN_OK) {
        return fail(&error);
    }
    if (report.batch_lost) {
        text_print(stderr, "kiln: %s\n", report.note);
    }
    if (c->json) {
        print_json(c, &report);
    } else if (!c->quiet) {
        print_report(c, &report);
    }
    return 0;
}

static int run(int argc, char **argv) {
    compile_call c = {.deviation = {1, 1, 1}, .scale = 1};
    int status = 0, option;
    kiln_compile_options_init(&c.options);
    while (status == 0 && (option = getopt_long(argc, argv, ":o:qh", long_options, NULL)) != -1) {
        status = take_option(&c, option, optarg, argv);
    }
    if (status == 0 && c.help) {
        status = show_help(&command_compile);
    } else if (status == 0 && argc - optind != 1) {
        status = usage(&command_compile, "expected one model, got %d", argc - optind);
    } else if (status == 0) {
        c.model = argv[optind];
        status = compile(&c);
    }
    free(c.labels);
    free(c.label_text);
    free(c.default_plan);
    given_free(&c.given);
    part_free(&c.part);
    return status;
}

const command command_compile = {"compile", "compile an ONNX model to a plan", help_text, run,
                                 false};
