/* Pictures in folders: one sub-folder a class. */
#include "compiler/cli/data/data.h"
#include "compiler/cli/picture.h"
#include "runtime/base/files.h"

#define XXH_INLINE_ALL
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <xxhash.h>

/* KILN_OK: the file can be used, and *out_content is its hash. */
static kiln_status examine_file(const char *path, uint64_t *out_content, kiln_error *error) {
    kiln_span bytes;
    kiln_error why;
    kiln_status status = file_map(path, &bytes, error);
    if (status == KILN_OK && bytes.size == 0) {
        status = kiln_fail(error, KILN_ERROR_FORMAT, "%s: empty", path);
    } else if (status == KILN_OK) {
        status = picture_check(bytes, &why);
        status =
            status == KILN_OK ? KILN_OK : kiln_fail(error, status, "%s: %s", path, why.message);
    }
    *out_content = status == KILN_OK ? XXH3_64bits(bytes.data, bytes.size) : 0;
    file_unmap(bytes);
    return status;
}

static int visible(const struct dirent *entry) {
    return entry->d_name[0] != '.';
}

static int by_name(const struct dirent **a, const struct dirent **b) {
    return strcmp((*a)->d_name, (*b)->d_name);
}

static void free_names(struct dirent **names, int count) {
    for (int k = 0; k < count; k++) {
        free(names[k]);
    }
    free((void *)names);
}

static kiln_status add_file(data_set *data, const char *path, uint32_t label, bool strict,
                            kiln_error *error) {
    data_item item = {.label = label};
    kiln_error problem;
    kiln_status status = examine_file(path, &item.content, &problem);
    if (status != KILN_OK && (strict || !data_may_skip(status))) {
        return kiln_fail(error, status, "%s", problem.message);
    }
    if (status != KILN_OK) {
        data_note_add(&data->skipped, &data->skipped_count, "%s", problem.message);
        return KILN_OK;
    }
    item.path = strdup(path);
    return item.path != NULL ? data_add(data, &item, error)
                             : kiln_fail(error, KILN_ERROR_MEMORY, "out of memory");
}

/* Folders inside a class's folder are not entered, so loops of links cannot be either. */
static kiln_status read_class(data_set *data, const char *folder, uint32_t label, bool strict,
                              kiln_error *error) {
    struct dirent **names = NULL;
    int count = scandir(folder, &names, visible, by_name);
    if (count < 0) {
        return kiln_fail(error, KILN_ERROR_IO, "%s: %s", folder, strerror(errno));
    }
    kiln_status status = KILN_OK;
    for (int k = 0; k < count && status == KILN_OK; k++) {
        char path[4096];
        if (snprintf(path, sizeof path, "%s/%s", folder, names[k]->d_name) >= (int)sizeof path) {
            status = kiln_fail(error, KILN_ERROR_IO, "%s: the path is too long", folder);
        } else {
            status = add_file(data, path, label, strict, error);
        }
    }
    free_names(names, count);
    return status;
}

static bool is_folder(const char *path) {
    struct stat about;
    return stat(path, &about) == 0 && S_ISDIR(about.st_mode);
}

kiln_status data_open_folder(const char *path, bool strict, data_set *inout_data,
                             kiln_error *error) {
    struct dirent **names = NULL;
    int count = scandir(path, &names, visible, by_name);
    if (count < 0) {
        return kiln_fail(error, KILN_ERROR_IO, "%s: %s", path, strerror(errno));
    }
    kiln_status status = KILN_OK;
    size_t loose = 0;
    inout_data->pictures = true;
    for (int k = 0; k < count && status == KILN_OK; k++) {
        char folder[4096];
        int length = snprintf(folder, sizeof folder, "%s/%s", path, names[k]->d_name);
        if (length >= (int)sizeof folder || !is_folder(folder)) {
            loose++;
            continue;
        }
        status = data_add_class(inout_data, names[k]->d_name, error);
        if (status == KILN_OK) {
            uint32_t label = (uint32_t)(inout_data->class_count - 1);
            status = read_class(inout_data, folder, label, strict, error);
        }
    }
    free_names(names, count);
    if (status == KILN_OK && inout_data->class_count == 0) {
        return kiln_fail(error, KILN_ERROR_ARGUMENT,
                         "%s: no sub-folders; each class needs a folder of its own", path);
    }
    if (status == KILN_OK && loose > 0) {
        data_note_add(&inout_data->warnings, &inout_data->warning_count,
                      "%s: %zu file%s beside the classes' folders ignored", path, loose,
                      loose == 1 ? "" : "s");
    }
    return status;
}
