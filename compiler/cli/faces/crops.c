/* Aligned faces to a folder: FOLDER/NAME-1.png is the best one of NAME.jpg. */
#include "compiler/cli/faces/crops.h"
#include "runtime/base/files.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* The name of a file without folders and ending. */
static const char *stem_of(const char *path, int *out_length) {
    const char *slash = strrchr(path, '/');
    const char *name = slash != NULL ? slash + 1 : path;
    const char *dot = strrchr(name, '.');
    size_t length = dot != NULL && dot != name ? (size_t)(dot - name) : strlen(name);
    *out_length = length < 200 ? (int)length : 200; /* what a file's name has room for */
    return name;
}

/* Photographs of several folders may have one name. */
static void count_names(const path_list *photographs, size_t *out_before) {
    for (size_t k = 0; k < photographs->count; k++) {
        int length, other_length;
        const char *name = stem_of(photographs->paths[k], &length);
        for (size_t j = k; j-- > 0;) {
            const char *other = stem_of(photographs->paths[j], &other_length);
            if (length == other_length && memcmp(name, other, (size_t)length) == 0) {
                out_before[k] = out_before[j] + 1;
                break;
            }
        }
    }
}

kiln_status crops_begin(crop_writer *out_writer, const char *folder, uint32_t size,
                        const path_list *photographs, kiln_error *error) {
    *out_writer = (crop_writer){.folder = folder, .photographs = photographs};
    struct stat about;
    if (mkdir(folder, 0777) != 0 && errno != EEXIST) {
        return kiln_fail(error, KILN_ERROR_IO, "%s: cannot be made: %s", folder, strerror(errno));
    }
    if (stat(folder, &about) != 0 || !S_ISDIR(about.st_mode)) {
        return kiln_fail(error, KILN_ERROR_IO, "%s: not a folder", folder);
    }
    out_writer->before = calloc(photographs->count + 1, sizeof *out_writer->before);
    if (out_writer->before == NULL) {
        return kiln_fail(error, KILN_ERROR_MEMORY, "out of memory");
    }
    count_names(photographs, out_writer->before);
    kiln_status status = picture_allocate(&out_writer->crop, size, size, error);
    if (status == KILN_OK) {
        int length = snprintf(out_writer->path, sizeof out_writer->path, "%s/-1.png", folder);
        status =
            length > 0 && (size_t)length < sizeof out_writer->path
                ? file_try(out_writer->path, error)
                : kiln_fail(error, KILN_ERROR_ARGUMENT, "%.80s...: the path is too long", folder);
    }
    return status;
}

void crops_end(crop_writer *writer) {
    free(writer->before);
    picture_free(&writer->crop);
}

static kiln_status name_crop(crop_writer *w, size_t photograph, size_t face, kiln_error *error) {
    int stem_length;
    char same[32] = "";
    const char *stem = stem_of(w->photographs->paths[photograph], &stem_length);
    if (w->before[photograph] > 0) {
        (void)snprintf(same, sizeof same, "~%zu", w->before[photograph] + 1);
    }
    int length = snprintf(w->path, sizeof w->path, "%s/%.*s%s-%zu.png", w->folder, stem_length,
                          stem, same, face + 1);
    if (length < 0 || (size_t)length >= sizeof w->path) {
        return kiln_fail(error, KILN_ERROR_ARGUMENT, "%.80s...: the path is too long", w->folder);
    }
    kiln_status status = KILN_OK;
    struct stat about;
    bool exists = stat(w->path, &about) == 0; /* only then it may be a photograph */
    for (size_t k = 0; exists && k < w->photographs->count && status == KILN_OK; k++) {
        status = file_keep(w->photographs->paths[k], w->path, error);
    }
    return status;
}

kiln_status crops_write(crop_writer *writer, const kiln_image *image, const kiln_face *which,
                        size_t photograph, size_t face, const char **out_path, kiln_error *error) {
    crop_writer *w = writer;
    kiln_status status = name_crop(w, photograph, face, error);
    if (status == KILN_OK) {
        status = kiln_face_crop(image, which, w->crop.width, w->crop.height, w->crop.rgb, error);
    }
    if (status == KILN_OK) {
        status = picture_write(&w->crop, w->path, error);
    }
    *out_path = w->path;
    return status;
}
