/* External data: elements in files beside the model (ONNX, "External Data Files"). The paths come
 * from the model and are not trusted: no file outside its folder is opened. */
#include "compiler/import/importing.h"
#include "runtime/base/files.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

/* Finds a path below the model's folder: relative, without "..", and still inside with links
 * resolved. */
static kiln_status external_path(const importing *im, const tensor *t, const char *location,
                                 char *out_path) {
    char joined[PATH_MAX], folder[PATH_MAX];
    bool leaves = location[0] == '/' || location[0] == '\0' || strcmp(location, "..") == 0 ||
                  strncmp(location, "../", 3) == 0 || strstr(location, "/../") != NULL;
    if (leaves ||
        snprintf(joined, sizeof joined, "%s/%s", im->folder, location) >= (int)sizeof joined) {
        return graph_fail(im->g, KILN_ERROR_FORMAT,
                          "external data '%s' of '%s' lie outside the model's folder", location,
                          t->name);
    }
    if (realpath(joined, out_path) == NULL || realpath(im->folder, folder) == NULL) {
        return graph_fail(im->g, KILN_ERROR_IO, "external data file '%s' of '%s' is missing",
                          location, t->name);
    }
    size_t length = strcmp(folder, "/") == 0 ? 0 : strlen(folder);
    if (strncmp(folder, out_path, length) != 0 || out_path[length] != '/') {
        return graph_fail(im->g, KILN_ERROR_FORMAT,
                          "external data '%s' of '%s' lie outside the model's folder", location,
                          t->name);
    }
    return KILN_OK;
}

/* Reads a decimal number that nothing else follows. */
static bool read_number(const char *text, uint64_t *out_value) {
    uint64_t value = 0;
    for (const char *c = text; *c != '\0'; c++) {
        if (*c < '0' || *c > '9' || value > (UINT64_MAX - 9) / 10) {
            return false;
        }
        value = value * 10 + (uint64_t)(*c - '0');
    }
    *out_value = value;
    return *text != '\0';
}

typedef struct external {
    const char *location;
    uint64_t offset, length;
    bool has_length;
} external;

static kiln_status read_external(importing *im, const Onnx__TensorProto *p, const tensor *t,
                                 external *out) {
    *out = (external){.location = ""};
    for (size_t k = 0; k < p->n_external_data; k++) {
        const char *key = p->external_data[k]->key, *value = p->external_data[k]->value;
        bool sound = key != NULL && value != NULL;
        if (sound && strcmp(key, "location") == 0) {
            out->location = value;
        } else if (sound && strcmp(key, "offset") == 0) {
            sound = read_number(value, &out->offset);
        } else if (sound && strcmp(key, "length") == 0) {
            sound = read_number(value, &out->length);
            out->has_length = true;
        }
        if (!sound) {
            return graph_fail(im->g, KILN_ERROR_FORMAT, "tensor '%s': damaged external data",
                              t->name);
        }
    }
    return KILN_OK;
}

kiln_status import_external_data(importing *im, const Onnx__TensorProto *p, const tensor *t,
                                 size_t needed, kiln_span *out_raw) {
    char path[PATH_MAX];
    kiln_span file;
    external where;
    kiln_status status = read_external(im, p, t, &where);
    if (status == KILN_OK) {
        status = external_path(im, t, where.location, path);
    }
    if (status == KILN_OK) {
        status = files_map(&im->files, path, im->g->error, &file);
    }
    if (status != KILN_OK) {
        return status;
    }
    uint64_t length = where.has_length ? where.length : needed;
    if (where.offset > file.size || length > file.size - where.offset) {
        return graph_fail(im->g, KILN_ERROR_FORMAT,
                          "tensor '%s': %llu bytes at %llu of '%s', a file of %zu%s", t->name,
                          (unsigned long long)length, (unsigned long long)where.offset,
                          where.location, file.size, file_instead(file));
    }
    *out_raw = (kiln_span){(const uint8_t *)file.data + where.offset, (size_t)length};
    return KILN_OK;
}
