/* kiln-models: writes ONNX files of well-known networks with random weights, for tests and
 * benchmarks. */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "models/builder.h"
#include "models/networks.h"

static const char help[] =
    "Usage: kiln-models NETWORK [OPTION]...\n"
    "Writes an ONNX file of a well-known network, as torchvision's export has it: batch norms\n"
    "separate, the usual names. The weights are random (He's initialisation), so the classes it\n"
    "predicts mean nothing; speed, memory and numerical error are those of the real network.\n"
    "The same options give the same bytes.\n"
    "\n"
    "  -o, --output FILE     default: NETWORK.onnx\n"
    "  -s, --size PIXELS     height and width of the input; default: the network's own\n"
    "  -c, --classes COUNT   default: 1000\n"
    "  -b, --batch COUNT     fixed batch size, or \"symbolic\" for an open dimension (default)\n"
    "  -w, --width FACTOR    scales channel counts, rounded to multiples of 8 (at least 8);\n"
    "                        default: 1.0. Small factors make small, quick networks\n"
    "  -r, --seed NUMBER     of the weights; default: 1\n"
    "  -l, --list            list the networks and leave\n"
    "  -h, --help            print this and leave\n"
    "\n"
    "The file's input is \"input\" [batch, 3, size, size] (f32), its output \"output\"\n"
    "[batch, classes]: scores before softmax.\n"
    "\n"
    "Examples:\n"
    "  kiln-models resnet50 -o resnet50.onnx\n"
    "  kiln-models densenet121 --width 0.25 --size 64 --classes 10 -o small.onnx\n";

static const struct option long_options[] = {
    {"output", required_argument, NULL, 'o'},
    {"size", required_argument, NULL, 's'},
    {"classes", required_argument, NULL, 'c'},
    {"batch", required_argument, NULL, 'b'},
    {"width", required_argument, NULL, 'w'},
    {"seed", required_argument, NULL, 'r'},
    {"list", no_argument, NULL, 'l'},
    {"help", no_argument, NULL, 'h'},
    {NULL, 0, NULL, 0},
};

/* Whole numbers from `low` to `high`. */
static bool parse_number(const char *text, const char *what, unsigned long long low,
                         unsigned long long high, unsigned long long *out) {
    char *end;
    errno = 0;
    *out = strtoull(text, &end, 10);
    if (errno == 0 && end != text && *end == '\0' && *text != '-' && *out >= low && *out <= high)
        return true;
    fprintf(stderr, "kiln-models: %s is '%s'; expected a whole number from %llu to %llu\n", what,
            text, low, high);
    return false;
}

static bool parse_size(const char *text, const char *what, unsigned long long high, size_t *out) {
    unsigned long long number = 0;
    bool parsed = parse_number(text, what, 1, high, &number);
    *out = (size_t)number;
    return parsed;
}

static bool parse_width(const char *text, double *out) {
    char *end;
    *out = strtod(text, &end);
    if (end != text && *end == '\0' && *out > 0 && *out <= 8)
        return true;
    fprintf(stderr, "kiln-models: --width is '%s'; expected a factor above 0, at most 8\n", text);
    return false;
}

static bool parse_option(int option, const char *value, builder_options *options,
                         const char **output) {
    unsigned long long seed = 0;
    bool parsed = true;
    switch (option) {
    case 'o':
        *output = value;
        return true;
    case 's':
        return parse_size(value, "--size", 8192, &options->size);
    case 'c':
        return parse_size(value, "--classes", 1000000, &options->classes);
    case 'b':
        options->batch = 0;
        return strcmp(value, "symbolic") == 0 ||
               parse_size(value, "--batch", 65536, &options->batch);
    case 'w':
        return parse_width(value, &options->width);
    case 'r':
        parsed = parse_number(value, "--seed", 0, UINT64_MAX, &seed);
        options->seed = seed;
        return parsed;
    default:
        fprintf(stderr, "Try 'kiln-models --help'.\n");
        return false;
    }
}

static builder *build(const network *network, const builder_options *options) {
    builder *b = builder_create(options);
    if (b != NULL)
        network->build(b);
    return b;
}

static int list(void) {
    printf("%-14s %5s %10s  %s\n", "network", "input", "weights", "");
    for (size_t i = 0; i < network_count; i++) {
        const network *network = &networks[i];
        builder *b =
            build(network,
                  &(builder_options){
                      .name = network->name, .size = network->size, .classes = 1000, .width = 1});
        if (b == NULL)
            return EXIT_FAILURE;
        printf("%-14s %5zu %10zu  %s\n", network->name, network->size, builder_weights(b),
               network->title);
        builder_destroy(b);
    }
    return EXIT_SUCCESS;
}

/* Builds and writes; says what it wrote. */
static int write_network(const network *network, builder_options options, const char *output) {
    char path[64];
    options.name = network->name;
    if (options.size == 0)
        options.size = network->size;
    if (output == NULL) {
        snprintf(path, sizeof(path), "%s.onnx", network->name);
        output = path;
    }
    builder *b = build(network, &options);
    bool written = b != NULL && builder_write(b, output);
    if (written)
        printf("%s: %s, input %zux%zu, %zu classes, %zu weights\n", output, network->name,
               options.size, options.size, options.classes, builder_weights(b));
    else
        fprintf(stderr, "kiln-models: %s: %s\n", network->name,
                b != NULL ? builder_error(b) : "out of memory");
    builder_destroy(b);
    return written ? EXIT_SUCCESS : EXIT_FAILURE;
}

int main(int argc, char **argv) {
    builder_options options = {.classes = 1000, .width = 1, .seed = 1};
    const char *output = NULL;
    int option;
    while ((option = getopt_long(argc, argv, "o:s:c:b:w:r:lh", long_options, NULL)) != -1) {
        if (option == 'l')
            return list();
        if (option == 'h') {
            fputs(help, stdout);
            return EXIT_SUCCESS;
        }
        if (!parse_option(option, optarg, &options, &output))
            return EXIT_FAILURE;
    }
    if (optind + 1 != argc) {
        fprintf(stderr, "kiln-models: expected the name of one network (see --list)\n");
        return EXIT_FAILURE;
    }
    const network *network = network_find(argv[optind]);
    if (network == NULL) {
        fprintf(stderr, "kiln-models: '%s' is no network of mine (see --list)\n", argv[optind]);
        return EXIT_FAILURE;
    }
    return write_network(network, options, output);
}
