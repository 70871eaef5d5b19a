/* Detectors from files: compiled where they are ONNX, and held in memory, since a trained plan may
 * take them along. */
#include "compiler/cli/faces/detector.h"
#include "compiler/compile.h"
#include "runtime/base/files.h"
#include <kiln/plan_format.h>

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MOST_BYTES ((size_t)1 << 30)

static kiln_status read_back(const file_writer *file, size_t size, face_detector *d,
                             kiln_error *error) {
    size_t done = 0;
    d->bytes = malloc(size + 1);
    d->size = size;
    if (d->bytes == NULL) {
        return kiln_fail(error, KILN_ERROR_MEMORY, "out of memory");
    }
    while (done < size) {
        ssize_t got = pread(file->descriptor, (char *)d->bytes + done, size - done, (off_t)done);
        if (got <= 0) {
            return kiln_fail(error, KILN_ERROR_IO, "the compiled detector cannot be read back");
        }
        done += (size_t)got;
    }
    return KILN_OK;
}

static kiln_status compile(const char *path, face_detector *d, kiln_error *error) {
    file_writer file;
    kiln_compile_options options;
    kiln_compile_report report;
    kiln_error why;
    kiln_status status = file_begin_scratch(&file, error);
    if (status != KILN_OK) {
        return status;
    }
    kiln_compile_options_init(&options);
    status = compile_to(&file, path, &options, &report, &why);
    if (status != KILN_OK) {
        status = kiln_fail(error, status, "%s (a detector may also be a plan: see kiln compile)",
                           why.message);
    } else if (fflush(file.file) != 0) {
        status = kiln_fail(error, KILN_ERROR_IO, "%s: no room to compile it", path);
    } else {
        status = read_back(&file, (size_t)report.plan_bytes, d, error);
    }
    return file_end(&file, status, error);
}

static bool is_plan(kiln_span bytes) {
    return bytes.size >= 8 && memcmp(bytes.data, KILN_PLAN_MAGIC, 8) == 0;
}

static kiln_status read_plan(const char *path, face_detector *d, kiln_error *error) {
    kiln_span head;
    kiln_status status = file_map(path, &head, error);
    if (status != KILN_OK) {
        return status;
    }
    bool plan = is_plan(head);
    file_unmap(head);
    return plan ? file_read(path, MOST_BYTES, (char **)&d->bytes, &d->size, error)
                : compile(path, d, error);
}

kiln_status face_detector_open(const char *path, face_detector *out_detector, kiln_error *error) {
    face_detector *d = out_detector;
    kiln_error why = {0};
    const char *slash = strrchr(path, '/');
    *d = (face_detector){.name = strdup(slash != NULL ? slash + 1 : path)};
    kiln_status status = d->name != NULL ? read_plan(path, d, error)
                                         : kiln_fail(error, KILN_ERROR_MEMORY, "out of memory");
    if (status == KILN_OK) {
        status = kiln_plan_open_memory((kiln_span){d->bytes, d->size}, NULL, &d->plan, &why);
        kiln_detector *session = NULL;
        if (status == KILN_OK) { /* whether it is one */
            status = kiln_detector_create(d->plan, NULL, &session, &why);
            kiln_detector_destroy(session);
        }
        status = status == KILN_OK ? status : kiln_fail(error, status, "%s: %s", path, why.message);
    }
    if (status == KILN_OK) {
        kiln_plan_view view;
        kiln_plan_inspect(d->plan, &view);
        d->checksum = view.header->checksum;
    } else {
        face_detector_close(d);
    }
    return status;
}

void face_detector_close(face_detector *d) {
    kiln_plan_close(d->plan);
    free(d->bytes);
    free(d->name);
    *d = (face_detector){0};
}

kiln_status face_detector_session(const face_detector *d, uint32_t threads,
                                  kiln_detector **out_session, kiln_error *error) {
    kiln_detector_options options = {
        .threads = threads,
        .score = d->score,
        .overlap = d->overlap,
        .preprocess = d->preprocess.present ? &d->preprocess : NULL,
    };
    return kiln_detector_create(d->plan, &options, out_session, error);
}
