/* Real models: each compiles and reproduces its expected outputs and, layer by layer, the naive
 * evaluator; the two int8 models are refused with an operator named.
 *
 *   shared_models FOLDER [NAME] */
#include <kiln/compile.h>

#include <dirent.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static bool is_refused(const char *name, const char *model) {
    kiln_error error = {0};
    kiln_status status = kiln_compile(model, "/dev/null/none", NULL, NULL, &error);
    bool good = status == KILN_ERROR_UNSUPPORTED && strstr(error.message, "Linear") != NULL;
    printf("%-24s %s: %s\n", name, good ? "refused" : "FAILED", error.message);
    return good;
}

static bool is_reproduced(const char *name, const char *model, const char *data) {
    kiln_verify_options options = {.data_folder = data, .threads = 2, .layer_tolerance = 1e-3};
    kiln_verify_report report = {0};
    kiln_error error = {0};
    kiln_status status = kiln_verify(model, &options, &report, &error);
    bool good = status == KILN_OK && report.outputs_compared > 0 && report.layers_compared > 0;
    printf("%-24s %s: %zu layers, worst %.2e; %zu outputs, %.3f of what is allowed %s\n", name,
           good ? "ok" : "FAILED", report.layers_compared, report.worst_layer_relative,
           report.outputs_compared, report.worst_output_excess, error.message);
    return good;
}

int main(int argc, char **argv) {
    struct dirent **entries = NULL;
    size_t good = 0, bad = 0;
    int count = argc > 1 ? scandir(argv[1], &entries, NULL, alphasort) : -1;
    for (int k = 0; k < count; k++) {
        const char *name = entries[k]->d_name;
        char model[5000], data[5000];
        snprintf(model, sizeof model, "%s/%s/model.onnx", argv[1], name);
        snprintf(data, sizeof data, "%s/%s/test_data_set_0", argv[1], name);
        bool chosen = argc < 3 || strcmp(argv[2], name) == 0;
        if (name[0] != '.' && chosen && access(model, F_OK) == 0) {
            const char *int8 = strstr(name, "int8");
            bool fine = int8 != NULL ? is_refused(name, model) : is_reproduced(name, model, data);
            good += fine;
            bad += !fine;
        }
        free(entries[k]);
    }
    free(entries);
    printf("%zu passed, %zu failed\n", good, bad);
    return bad == 0 && good > 0 ? 0 : 1;
}
