/* Kiln's worker of random_graphs/run.py: verifies models in one process, as they come. Answers each
 * line FOLDER VARIANT THREADS of standard input with "ok", or with "STATUS: MESSAGE". FOLDER holds
 * model.onnx and data in the layout of ONNX's backend tests, VARIANT is one of the names below. */
#include <kiln/compile.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* tolerance: of the outputs, by their size and by the largest; layers: each is checked, too, at the
 * batch of the data and at another. */
typedef struct variant {
    const char *name;
    kiln_convolution convolution;
    kiln_memory memory;
    bool half, no_fusion, layers; /* half: f16 weights */
    double tolerance;
} variant;

static const variant variants[] = {
    {.name = "default", .tolerance = 2e-3},
    {.name = "exact", .convolution = KILN_CONVOLUTION_EXACT, .tolerance = 1e-4},
    {.name = "layers", .convolution = KILN_CONVOLUTION_EXACT, .layers = true, .tolerance = 1e-4},
    {.name = "speed", .memory = KILN_MEMORY_SPEED, .tolerance = 2e-3},
    {.name = "min",
     .convolution = KILN_CONVOLUTION_EXACT,
     .memory = KILN_MEMORY_MIN,
     .tolerance = 1e-4},
    {.name = "unfused",
     .convolution = KILN_CONVOLUTION_EXACT,
     .no_fusion = true,
     .tolerance = 1e-4},
    {.name = "half", .convolution = KILN_CONVOLUTION_EXACT, .half = true, .tolerance = 3e-3},
    {.name = "direct", .convolution = KILN_CONVOLUTION_DIRECT, .tolerance = 1e-4},
    {.name = "winograd2", .convolution = KILN_CONVOLUTION_WINOGRAD_2, .tolerance = 1e-3},
    {.name = "winograd4",
     .convolution = KILN_CONVOLUTION_WINOGRAD_4,
     .memory = KILN_MEMORY_MIN,
     .tolerance = 2e-3},
    {.name = "winograd6", .convolution = KILN_CONVOLUTION_WINOGRAD_6, .tolerance = 1e-2},
};

static const variant *find_variant(const char *name) {
    for (size_t k = 0; k < sizeof variants / sizeof *variants; k++) {
        if (strcmp(variants[k].name, name) == 0) {
            return &variants[k];
        }
    }
    return NULL;
}

static kiln_status verify(const char *folder, const variant *v, uint32_t threads,
                          kiln_error *error) {
    char model[1100], data[1100];
    kiln_compile_options compile;
    kiln_compile_options_init(&compile);
    compile.convolution = v->convolution;
    compile.memory = v->memory;
    compile.no_fusion = v->no_fusion;
    compile.weights = v->half ? KILN_F16 : KILN_F32;
    kiln_verify_options options = {.size = sizeof options,
                                   .compile = &compile,
                                   .data_folder = data,
                                   .threads = threads,
                                   .batch = 3,
                                   .seed = 1,
                                   .relative = v->tolerance,
                                   .absolute = 1e-3 * v->tolerance,
                                   .scaled = v->tolerance,
                                   .outputs_only = !v->layers};
    kiln_verify_report report = {0};
    snprintf(model, sizeof model, "%s/model.onnx", folder);
    snprintf(data, sizeof data, "%s/test_data_set_0", folder);
    kiln_status status = kiln_verify(model, &options, &report, error);
    return status == KILN_OK && report.outputs_compared == 0
               ? kiln_fail(error, KILN_ERROR_MISMATCH, "no output was compared")
               : status;
}

static kiln_status answer(char *line, kiln_error *error) {
    const char *folder = strtok(line, " "), *name = strtok(NULL, " "), *threads = strtok(NULL, " ");
    const variant *v = threads != NULL ? find_variant(name) : NULL;
    return v != NULL ? verify(folder, v, (uint32_t)strtoul(threads, NULL, 10), error)
                     : kiln_fail(error, KILN_ERROR_ARGUMENT, "'FOLDER VARIANT THREADS' expected");
}

int main(void) {
    char line[1200];
    while (fgets(line, sizeof line, stdin) != NULL) {
        kiln_error error = {0};
        kiln_status status = answer(line, &error);
        if (status == KILN_OK) {
            puts("ok");
        } else {
            printf("%s: %s\n", kiln_status_name(status), error.message);
        }
        (void)fflush(stdout);
    }
    return 0;
}
