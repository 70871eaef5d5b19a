/* Pictures in folders: one sub-folder a class, whatever folders there are inside of that. */
#include "compiler/cli/data/data.h"
#include "compiler/cli/paths.h"
#include "runtime/base/checksum.h"
#include "runtime/base/files.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

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
    *out_content = status == KILN_OK ? checksum(bytes.data, bytes.size) : 0;
    file_unmap(bytes);
    return status;
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
        data_note_skipped(data, label, path, problem.message);
        return KILN_OK;
    }
    item.path = strdup(path);
    return item.path != NULL ? data_add(data, &item, error)
                             : kiln_fail(error, KILN_ERROR_MEMORY, "out of memory");
}

static void warn(data_set *data, const char *folder, size_t count, const char *what) {
    if (count > 0) {
        data_note_add(&data->warnings, &data->warning_count, "%s: %s: %zu", folder, what, count);
    }
}

/* One class: every file in its folder and below. A folder without files makes none. */
static kiln_status add_class(data_set *data, const char *folder, const char *name, bool strict,
                             kiln_error *error) {
    path_list files = {0};
    folder_rest rest = {0};
    kiln_status status = paths_in_folder(folder, &files, &rest, error);
    warn(data, folder, rest.nested, "files in folders inside of it, taken as the class's own");
    warn(data, folder, rest.links, "linked folders, passed over");
    warn(data, folder, rest.special, "neither files nor folders, passed over");
    if (status == KILN_OK && files.count == 0) {
        data_note_add(&data->warnings, &data->warning_count, "%s: no files, so no class", folder);
    } else if (status == KILN_OK) {
        status = data_add_class(data, name, error);
    }
    for (size_t k = 0; k < files.count && status == KILN_OK; k++) {
        status = add_file(data, files.paths[k], (uint32_t)(data->class_count - 1), strict, error);
    }
    path_list_free(&files);
    return status;
}

/* Whether a link leads to the folder of the classes, or to one around it: its class would hold all
 * others. */
static bool leads_back(const char *link, const char *data_path) {
    char *target = realpath(link, NULL), *around = realpath(data_path, NULL);
    size_t length = target != NULL ? strlen(target) : 0;
    bool back = target != NULL && around != NULL && strncmp(target, around, length) == 0 &&
                (around[length] == '/' || around[length] == '\0' || length == 1);
    free(target);
    free(around);
    return back;
}

typedef struct found_entries {
    size_t classes, loose;
} found_entries;

static kiln_status add_entry(data_set *data, const char *path, const char *name, bool strict,
                             found_entries *inout_found, kiln_error *error) {
    char folder[4096];
    struct stat about;
    int length = snprintf(folder, sizeof folder, "%s/%s", path, name);
    if (length >= (int)sizeof folder || stat(folder, &about) != 0 || !S_ISDIR(about.st_mode)) {
        inout_found->loose += !path_is_hidden(name);
        return KILN_OK;
    }
    if (path_is_hidden(name)) {
        data_note_add(&data->warnings, &data->warning_count, "%s: hidden, passed over", folder);
        return KILN_OK;
    }
    inout_found->classes++;
    if (leads_back(folder, path)) {
        data_note_add(&data->warnings, &data->warning_count,
                      "%s: a link to a folder around it, passed over", folder);
        return KILN_OK;
    }
    return add_class(data, folder, name, strict, error);
}

static int not_itself(const struct dirent *entry) {
    return strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
}

static int by_name(const struct dirent **a, const struct dirent **b) {
    return strcmp((*a)->d_name, (*b)->d_name);
}

kiln_status data_open_folder(const char *path, bool strict, data_set *inout_data,
                             kiln_error *error) {
    struct dirent **names = NULL;
    int count = scandir(path, &names, not_itself, by_name);
    if (count < 0) {
        return kiln_fail(error, KILN_ERROR_IO, "%s: %s", path, strerror(errno));
    }
    kiln_status status = KILN_OK;
    found_entries found = {0};
    inout_data->pictures = true;
    for (int k = 0; k < count; k++) {
        if (status == KILN_OK) {
            status = add_entry(inout_data, path, names[k]->d_name, strict, &found, error);
        }
        free(names[k]);
    }
    free((void *)names);
    if (status == KILN_OK && inout_data->class_count == 0) {
        return kiln_fail(error, KILN_ERROR_ARGUMENT,
                         found.classes > 0
                             ? "%s: no files in its sub-folders"
                             : "%s: no sub-folders; each class needs a folder of its own",
                         path);
    }
    if (status == KILN_OK && found.loose > 0) {
        data_note_add(&inout_data->warnings, &inout_data->warning_count,
                      "%s: %zu file%s beside the classes' folders ignored", path, found.loose,
                      found.loose == 1 ? "" : "s");
    }
    return status;
}
