/* Data sets: opening by what lies at the path. */
#include "compiler/cli/data/data.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

static bool find_class(const data_set *data, const char *name, uint32_t *out_label) {
    for (size_t k = 0; k < data->class_count; k++) {
        if (strcmp(data->classes[k], name) == 0) {
            *out_label = (uint32_t)k;
            return true;
        }
    }
    return false;
}

/* The notes of other data whose classes may have other places here. */
static void take_notes(data_set *data, const data_set *more) {
    for (size_t k = 0; k < more->skipped_count; k++) {
        const data_note *from = &more->skipped[k];
        size_t place = data->skipped_count;
        data_note_add(&data->skipped, &data->skipped_count, "%s", from->text);
        if (data->skipped_count > place) {
            data_note *note = &data->skipped[place];
            note->why = from->why;
            note->label = UINT32_MAX; /* unless it is one of the classes */
            (void)find_class(data, more->classes[from->label], &note->label);
        }
    }
    for (size_t k = 0; k < more->warning_count; k++) {
        data_note_add(&data->warnings, &data->warning_count, "%s", more->warnings[k].text);
    }
}

/* A second folder with the same classes, all of it for validation. */
static kiln_status add_validation_folder(data_set *data, const char *path, bool strict,
                                         kiln_error *error) {
    data_set more = {0};
    kiln_status status = data_open_folder(path, strict, &more, error);
    for (size_t k = 0; k < more.count && status == KILN_OK; k++) {
        data_item item = more.items[k];
        if (!find_class(data, more.classes[item.label], &item.label)) {
            status = kiln_fail(error, KILN_ERROR_ARGUMENT,
                               "%s: class '%s' is not among the training data's", path,
                               more.classes[item.label]);
            break;
        }
        item.validation = true;
        status = data_add(data, &item, error);
        more.items[k].path = NULL; /* moved */
    }
    take_notes(data, &more);
    data_free(&more);
    return status;
}

kiln_status data_open(const char *path, const data_options *options, data_set *out_data,
                      kiln_error *error) {
    struct stat about;
    *out_data = (data_set){0};
    if (stat(path, &about) != 0) {
        return kiln_fail(error, KILN_ERROR_IO, "%s: %s", path, strerror(errno));
    }
    kiln_status status = KILN_OK;
    if (S_ISDIR(about.st_mode)) {
        status = data_open_folder(path, options->strict, out_data, error);
    } else if (data_is_array(path)) {
        status = data_open_arrays(path, out_data, error);
    } else {
        status = kiln_fail(error, KILN_ERROR_ARGUMENT,
                           "%s: expected a folder with a sub-folder for each class, an IDX file "
                           "of images, or a .npy array",
                           path);
    }
    if (status == KILN_OK && options->validation_path != NULL) {
        status =
            out_data->values != NULL
                ? kiln_fail(error, KILN_ERROR_ARGUMENT,
                            "--validation-data is for folders; use --validation FRACTION")
                : add_validation_folder(out_data, options->validation_path, options->strict, error);
    }
    if (status == KILN_OK) {
        status = data_split(out_data, options, error);
    }
    if (status != KILN_OK) {
        data_free(out_data);
    }
    return status;
}
