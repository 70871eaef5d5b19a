/* Pictures in folders: one sub-folder a class. */
#include "compiler/cli/train/data.h"

#define XXH_INLINE_ALL
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xxhash.h>

/* What the decoders know, by the first bytes. */
static bool looks_like_picture(const uint8_t *bytes, size_t size) {
    static const uint8_t png[4] = {0x89, 'P', 'N', 'G'};
    return size >= 8 && ((bytes[0] == 0xff && bytes[1] == 0xd8) || memcmp(bytes, png, 4) == 0 ||
                         (bytes[0] == 'P' && bytes[1] >= '1' && bytes[1] <= '6'));
}

/* Why a file cannot be used; NULL: it can, and *out_content is its hash. */
static const char *examine_file(const char *path, uint64_t *out_content) {
    struct stat about;
    int file = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (file < 0) {
        return strerror(errno);
    }
    const char *problem = NULL;
    if (fstat(file, &about) != 0 || !S_ISREG(about.st_mode)) {
        problem = "not a regular file";
    } else if (about.st_size == 0) {
        problem = "empty";
    } else {
        size_t size = (size_t)about.st_size;
        void *bytes = mmap(NULL, size, PROT_READ, MAP_PRIVATE, file, 0);
        if (bytes == MAP_FAILED) {
            problem = strerror(errno);
        } else {
            problem = looks_like_picture(bytes, size) ? NULL : "no JPEG, PNG, PGM or PPM picture";
            *out_content = problem == NULL ? XXH3_64bits(bytes, size) : 0;
            (void)munmap(bytes, size);
        }
    }
    (void)close(file);
    return problem;
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
    const char *problem = examine_file(path, &item.content);
    if (problem != NULL) {
        if (strict) {
            return kiln_fail(error, KILN_ERROR_FORMAT, "%s: %s", path, problem);
        }
        data_note_add(&data->skipped, &data->skipped_count, "%s: %s", path, problem);
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
