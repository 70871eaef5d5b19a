/* Arrays: MNIST's IDX files (plain or gzip; Y. LeCun's description), and .npy. */
#include "compiler/cli/data/data.h"
#include "runtime/base/checksum.h"
#include "runtime/base/files.h"
#include <kiln/compile.h>
#include <kiln/element.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

#define MAX_NUMBERS ((uint64_t)1 << 31)

static bool ends_with(const char *text, const char *end) {
    size_t length = strlen(text), tail = strlen(end);
    return length >= tail && strcmp(text + length - tail, end) == 0;
}

bool data_is_array(const char *path) {
    return ends_with(path, ".npy") || strstr(path, "idx") != NULL || ends_with(path, ".idx");
}

/* `path` with the last `from` replaced. */
static bool sibling(const char *path, const char *from, const char *to, char *out, size_t size) {
    const char *at = NULL;
    for (const char *next = strstr(path, from); next != NULL; next = strstr(next + 1, from)) {
        at = next;
    }
    return at != NULL && snprintf(out, size, "%.*s%s%s", (int)(at - path), path, to,
                                  at + strlen(from)) < (int)size;
}

/* ---- IDX ----------------------------------------------------------------------------------- */

static uint32_t big_endian(const uint8_t *b) {
    return (uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 | (uint32_t)b[2] << 8 | b[3];
}

/* What a file of so many bytes may hold: gzip packs a blank picture a thousand times, real ones
 * less than ten. */
static uint64_t most_unpacked(size_t file_bytes) {
    return ((uint64_t)4 << 20) + (uint64_t)file_bytes * 64;
}

static kiln_status open_gz(const char *path, gzFile *out_file, size_t *out_bytes,
                           kiln_error *error) {
    int descriptor;
    kiln_status status = file_open(path, &descriptor, out_bytes, error);
    if (status != KILN_OK) {
        return status;
    }
    *out_file = gzdopen(descriptor, "rb");
    if (*out_file == NULL) {
        (void)close(descriptor);
        return kiln_fail(error, KILN_ERROR_MEMORY, "%s: out of memory", path);
    }
    return KILN_OK;
}

/* The sizes of an IDX file of unsigned bytes with `rank` dims. */
static kiln_status read_idx_header(const char *path, gzFile file, size_t file_bytes, uint32_t rank,
                                   uint32_t *out_dims, uint64_t *out_size, kiln_error *error) {
    uint8_t header[4 + 4 * 4];
    bool sound = gzread(file, header, 4 + 4 * rank) == (int)(4 + 4 * rank) && header[0] == 0 &&
                 header[1] == 0 && header[2] == 8 && header[3] == rank;
    *out_size = 1;
    for (uint32_t k = 0; sound && k < rank; k++) {
        out_dims[k] = big_endian(header + 4 + 4 * (size_t)k);
        sound = out_dims[k] > 0 && *out_size <= MAX_NUMBERS / out_dims[k];
        *out_size *= out_dims[k];
    }
    if (!sound) {
        return kiln_fail(error, KILN_ERROR_FORMAT,
                         "%s: not an IDX file of bytes with %u dimensions", path, rank);
    }
    return *out_size <= most_unpacked(file_bytes)
               ? KILN_OK
               : kiln_fail(error, KILN_ERROR_UNSUPPORTED,
                           "%s: a file of %zu bytes that says it holds %llu: at most %llu are "
                           "unpacked",
                           path, file_bytes, (unsigned long long)*out_size,
                           (unsigned long long)most_unpacked(file_bytes));
}

/* Read as they come, so that a header that promises more than the file holds costs no memory. */
static kiln_status read_idx_bytes(const char *path, gzFile file, uint64_t size, uint8_t **out_data,
                                  kiln_error *error) {
    uint64_t held = 0, room = 0;
    while (held < size) {
        room = room == 0 ? 1 << 20 : room * 2;
        room = room > size ? size : room;
        uint8_t *grown = realloc(*out_data, (size_t)room);
        if (grown == NULL) {
            return kiln_fail(error, KILN_ERROR_MEMORY, "%s: out of memory", path);
        }
        *out_data = grown;
        while (held < room) {
            int got = gzread(file, grown + held, (unsigned)(room - held));
            if (got <= 0) {
                return kiln_fail(error, KILN_ERROR_FORMAT, "%s: damaged or cut short", path);
            }
            held += (uint64_t)got;
        }
    }
    return KILN_OK;
}

static kiln_status read_idx(const char *path, uint32_t rank, uint32_t *out_dims, uint8_t **out_data,
                            kiln_error *error) {
    gzFile file;
    size_t file_bytes;
    uint64_t size;
    *out_data = NULL;
    kiln_status status = open_gz(path, &file, &file_bytes, error);
    if (status != KILN_OK) {
        return status;
    }
    status = read_idx_header(path, file, file_bytes, rank, out_dims, &size, error);
    if (status == KILN_OK) {
        status = read_idx_bytes(path, file, size, out_data, error);
    }
    if (status != KILN_OK) {
        free(*out_data);
        *out_data = NULL;
    }
    (void)gzclose(file);
    return status;
}

static kiln_status fill(data_set *data, size_t count, const double *labels, kiln_error *error) {
    kiln_status status = KILN_OK;
    double largest = 0;
    for (size_t k = 0; k < count; k++) {
        if (!(labels[k] >= 0 && labels[k] < 1e6 && labels[k] == floor(labels[k]))) {
            return kiln_fail(error, KILN_ERROR_FORMAT, "label %zu is %g: expected 0, 1, 2, ...", k,
                             labels[k]);
        }
        largest = labels[k] > largest ? labels[k] : largest;
    }
    for (size_t c = 0; c <= (size_t)largest && status == KILN_OK; c++) {
        char name[24];
        snprintf(name, sizeof name, "%zu", c);
        status = data_add_class(data, name, error);
    }
    for (size_t k = 0; k < count && status == KILN_OK; k++) {
        const float *sample = data->values + k * data->sample_size;
        data_item item = {.index = k,
                          .label = (uint32_t)labels[k],
                          .content = checksum(sample, data->sample_size * sizeof *sample)};
        status = data_add(data, &item, error);
    }
    return status;
}

static kiln_status open_idx(const char *path, data_set *data, kiln_error *error) {
    char label_path[4096];
    uint32_t dims[3], label_count;
    uint8_t *pixels = NULL, *bytes = NULL;
    if (!sibling(path, "images-idx3", "labels-idx1", label_path, sizeof label_path) &&
        !sibling(path, "images.idx3", "labels.idx1", label_path, sizeof label_path)) {
        return kiln_fail(error, KILN_ERROR_ARGUMENT,
                         "%s: give the file of images, named like train-images-idx3-ubyte; its "
                         "labels are looked for beside it",
                         path);
    }
    kiln_status status = read_idx(path, 3, dims, &pixels, error);
    if (status == KILN_OK) {
        status = read_idx(label_path, 1, &label_count, &bytes, error);
    }
    if (status == KILN_OK && label_count != dims[0]) {
        status = kiln_fail(error, KILN_ERROR_FORMAT, "%s: %u labels for %u images", label_path,
                           label_count, dims[0]);
    }
    if (status == KILN_OK) {
        size_t count = dims[0], size = (size_t)dims[1] * dims[2];
        double *labels = malloc(count * sizeof *labels);
        data->values = malloc(count * size * sizeof *data->values);
        data->pictures = true;
        data->rank = 3;
        data->dims[0] = 1;
        data->dims[1] = dims[1];
        data->dims[2] = dims[2];
        data->sample_size = size;
        bool good = labels != NULL && data->values != NULL;
        for (size_t k = 0; good && k < count * size; k++) {
            data->values[k] = (float)pixels[k];
        }
        for (size_t k = 0; good && k < count; k++) {
            labels[k] = bytes[k];
        }
        status = good ? fill(data, count, labels, error)
                      : kiln_fail(error, KILN_ERROR_MEMORY, "out of memory");
        free(labels);
    }
    free(pixels);
    free(bytes);
    return status;
}

/* ---- .npy ---------------------------------------------------------------------------------- */

static kiln_status copy_samples(const kiln_value *x, data_set *data, const char *path,
                                kiln_error *error) {
    if (x->rank < 2 || x->rank > KILN_MAX_RANK || x->dims[0] < 1) {
        return kiln_fail(error, KILN_ERROR_FORMAT,
                         "%s: expected samples along the first of two or more dimensions", path);
    }
    data->rank = x->rank - 1;
    data->sample_size = 1;
    for (uint32_t k = 0; k < data->rank; k++) {
        data->dims[k] = (uint32_t)x->dims[k + 1];
        data->sample_size *= (size_t)x->dims[k + 1];
    }
    size_t count = (size_t)x->dims[0] * data->sample_size;
    data->values = malloc((count + 1) * sizeof *data->values);
    if (data->values == NULL || data->sample_size == 0) {
        return kiln_fail(error, KILN_ERROR_MEMORY, "%s: no memory for %zu numbers", path, count);
    }
    for (size_t k = 0; k < count; k++) {
        data->values[k] = (float)kiln_element_number(x->dtype, x->data, k);
        if (!isfinite(data->values[k])) {
            return kiln_fail(error, KILN_ERROR_FORMAT, "%s: number %zu is not finite", path, k);
        }
    }
    return KILN_OK;
}

/* ---- Pictures among them ------------------------------------------------------------------- */

static void value_range(const data_set *data, size_t count, float *out_low, float *out_high) {
    *out_low = *out_high = data->values[0];
    for (size_t k = 1; k < count; k++) {
        *out_low = fminf(*out_low, data->values[k]);
        *out_high = fmaxf(*out_high, data->values[k]);
    }
}

/* One sample from HxWxC to CxHxW. */
static void move_channels(float *sample, size_t pixels, size_t channels, float *scratch) {
    memcpy(scratch, sample, pixels * channels * sizeof *sample);
    for (size_t p = 0; p < pixels; p++) {
        for (size_t c = 0; c < channels; c++) {
            sample[c * pixels + p] = scratch[p * channels + c];
        }
    }
}

static bool is_channels(uint32_t dim) {
    return dim == 1 || dim == 3;
}

/* Samples of HxW, or with 1 or 3 channels first or last, are pictures where their values are bytes
 * or lie in 0..1. (Of HxW, other numbers in 0..255 may be anything.) Others stay what they are. */
static kiln_status recognise_pictures(data_set *data, kiln_dtype dtype, size_t count,
                                      kiln_error *error) {
    float low, high;
    uint32_t *dims = data->dims;
    bool flat = data->rank == 2, first = data->rank == 3 && is_channels(dims[0]);
    bool last = data->rank == 3 && !first && is_channels(dims[2]);
    bool bytes = !kiln_dtype_is_float(dtype);
    value_range(data, count * data->sample_size, &low, &high);
    bool shares = !bytes && high <= 1;
    data->pictures = (first || last || (flat && (bytes || shares))) && low >= 0 && high <= 255;
    if (!data->pictures) {
        return KILN_OK;
    }
    for (size_t k = 0; shares && k < count * data->sample_size; k++) {
        data->values[k] *= 255;
    }
    if (flat) {
        data->rank = 3;
        memmove(dims + 1, dims, 2 * sizeof *dims);
        dims[0] = 1;
    }
    if (last) {
        uint32_t channels = dims[2];
        float *scratch = malloc(data->sample_size * sizeof *scratch);
        if (scratch == NULL) {
            return kiln_fail(error, KILN_ERROR_MEMORY, "out of memory");
        }
        for (size_t k = 0; k < count; k++) {
            move_channels(data->values + k * data->sample_size, data->sample_size / channels,
                          channels, scratch);
        }
        free(scratch);
        memmove(dims + 1, dims, 2 * sizeof *dims);
        dims[0] = channels;
    }
    return KILN_OK;
}

static kiln_status open_npy(const char *path, data_set *data, kiln_error *error) {
    char label_path[4096];
    kiln_value *x = NULL, *y = NULL;
    const char *slash = strrchr(path, '/');
    const char *name = slash != NULL ? slash + 1 : path;
    char changed[1024];
    bool named = sibling(name, "x.npy", "y.npy", changed, sizeof changed) ||
                 sibling(name, "X.npy", "Y.npy", changed, sizeof changed);
    if (!named || snprintf(label_path, sizeof label_path, "%.*s%s", (int)(name - path), path,
                           changed) >= (int)sizeof label_path) {
        return kiln_fail(error, KILN_ERROR_ARGUMENT,
                         "%s: samples are named ...x.npy, their labels ...y.npy beside them", path);
    }
    kiln_status status = kiln_value_load(path, &x, error);
    if (status == KILN_OK) {
        status = kiln_value_load(label_path, &y, error);
    }
    if (status == KILN_OK) {
        status = copy_samples(x, data, path, error);
    }
    if (status == KILN_OK) {
        status = recognise_pictures(data, x->dtype, (size_t)x->dims[0], error);
    }
    if (status == KILN_OK && (y->rank != 1 || y->dims[0] != x->dims[0])) {
        status =
            kiln_fail(error, KILN_ERROR_FORMAT, "%s: expected one label for each of %lld samples",
                      label_path, (long long)x->dims[0]);
    }
    if (status == KILN_OK) {
        size_t count = (size_t)x->dims[0];
        double *labels = malloc(count * sizeof *labels);
        for (size_t k = 0; labels != NULL && k < count; k++) {
            labels[k] = kiln_element_number(y->dtype, y->data, k);
        }
        status = labels != NULL ? fill(data, count, labels, error)
                                : kiln_fail(error, KILN_ERROR_MEMORY, "out of memory");
        free(labels);
    }
    kiln_value_free(x);
    kiln_value_free(y);
    return status;
}

kiln_status data_open_arrays(const char *path, data_set *inout_data, kiln_error *error) {
    return ends_with(path, ".npy") ? open_npy(path, inout_data, error)
                                   : open_idx(path, inout_data, error);
}
