/* The files of a command: its outputs, looked at before any work, and plans. */
#include "compiler/cli/cli.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

kiln_status outputs_keep(const char *const *outputs, size_t output_count, const char *input,
                         kiln_error *error) {
    kiln_status status = KILN_OK;
    for (size_t k = 0; k < output_count && status == KILN_OK; k++) {
        status = file_keep(input, outputs[k], error);
    }
    return status;
}

kiln_status check_outputs(const char *const *outputs, size_t output_count,
                          const char *const *inputs, size_t input_count, kiln_error *error) {
    kiln_status status = KILN_OK;
    for (size_t i = 0; i < input_count && status == KILN_OK; i++) {
        status = outputs_keep(outputs, output_count, inputs[i], error);
    }
    for (size_t k = 0; k < output_count && status == KILN_OK; k++) {
        for (size_t o = 0; o < k && outputs[k] != NULL && status == KILN_OK; o++) {
            if (outputs[o] != NULL && file_is_same(outputs[o], outputs[k])) {
                status = kiln_fail(error, KILN_ERROR_ARGUMENT, "%s: two outputs in one file",
                                   outputs[k]);
            }
        }
        if (status == KILN_OK && outputs[k] != NULL) {
            status = file_try(outputs[k], error);
        }
    }
    return status;
}

kiln_status check_output_folder(const char *folder, kiln_error *error) {
    char probe[4096];
    struct stat about;
    if (mkdir(folder, 0777) != 0 && errno != EEXIST) {
        return kiln_fail(error, KILN_ERROR_IO, "%s: cannot create: %s", folder, strerror(errno));
    }
    if (stat(folder, &about) != 0 || !S_ISDIR(about.st_mode)) {
        return kiln_fail(error, KILN_ERROR_IO, "%s: not a folder", folder);
    }
    int length = snprintf(probe, sizeof probe, "%s/kiln", folder);
    return length > 0 && (size_t)length < sizeof probe
               ? file_try(probe, error)
               : kiln_fail(error, KILN_ERROR_ARGUMENT, "%.80s...: the path is too long", folder);
}

static bool reads_plans;

void read_plans(void) {
    reads_plans = true;
}

bool plans_are_read(void) {
    return reads_plans;
}

static void note(void *context, const char *message) {
    (void)context;
    text_print(stderr, "kiln: note: %s\n", message);
}

kiln_status open_plan(const char *path, packed_place prepacked, kiln_plan **out_plan,
                      kiln_error *error) {
    char packed_path[FILE_PATH];
    kiln_plan_options options = {
        .size = sizeof options, .read_into_memory = reads_plans, .log = note};
    int length = snprintf(packed_path, sizeof packed_path, "%s.packed", path);
    if (length < 0 || (size_t)length >= sizeof packed_path) {
        return kiln_fail(error, KILN_ERROR_ARGUMENT, "%.80s...: the path is too long", path);
    }
    if (prepacked == PACKED_BESIDE || (prepacked == PACKED_IN_CACHE &&
                                       packed_cache_path(path, packed_path, sizeof packed_path))) {
        options.prepacked_path = packed_path;
    }
    return kiln_plan_open(path, &options, out_plan, error);
}
