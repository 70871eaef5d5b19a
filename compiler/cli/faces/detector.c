/* Detectors from files: compiled where they are ONNX, and held in memory, since a trained plan may
 * take them along; and those that one has taken. */
#include "compiler/cli/faces/detector.h"
#include "compiler/compile.h"
#include "runtime/base/files.h"
#include "runtime/base/memory.h"
#include <kiln/plan_format.h>

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MOST_BYTES ((size_t)1 << 30)

static kiln_status read_back(const file_writer *file, size_t size, face_detector *d,
                             kiln_error *error) {
    size_t done = 0;
    d->own_bytes = memory_take(NULL, size + 1);
    d->bytes = (kiln_span){d->own_bytes, size};
    if (d->own_bytes == NULL) {
        return kiln_fail(error, KILN_ERROR_MEMORY, "out of memory");
    }
    while (done < size) {
        ssize_t got =
            pread(file->descriptor, (char *)d->own_bytes + done, size - done, (off_t)done);
        if (got <= 0) {
            return kiln_fail(error, KILN_ERROR_IO, "the compiled detector cannot be read back");
        }
        done += (size_t)got;
    }
    return KILN_OK;
}

/* Of a model whose height and width are open: what InsightFace takes, too. */
static const kiln_value default_input = {
    .name = "", .dtype = KILN_F32, .rank = 4, .dims = {1, 3, 640, 640}};

/* As the model says, or, where it leaves the size of its input open, at the default size. */
static kiln_status compile_at_some_size(const char *path, file_writer *file,
                                        kiln_compile_report *report, kiln_error *error) {
    kiln_compile_options options;
    kiln_compile_options_init(&options);
    kiln_status status = compile_to(file, path, &options, report, error);
    if (status != KILN_OK) {
        options.inputs = &default_input;
        options.input_count = 1;
        bool again = file_cut(file, 0, NULL) == KILN_OK &&
                     compile_to(file, path, &options, report, NULL) == KILN_OK;
        status = again ? KILN_OK : status;
    }
    return status;
}

static kiln_status compile(const char *path, face_detector *d, kiln_error *error) {
    file_writer file;
    kiln_compile_report report;
    kiln_error why;
    kiln_status status = file_begin_scratch(&file, error);
    if (status != KILN_OK) {
        return status;
    }
    status = compile_at_some_size(path, &file, &report, &why);
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
    if (!plan) {
        return compile(path, d, error);
    }
    status = file_read(path, MOST_BYTES, (char **)&d->own_bytes, &d->bytes.size, error);
    d->bytes.data = d->own_bytes;
    return status;
}

/* Plan, bytes and record of the one inside `plan`. */
static kiln_status face_detector_take(const kiln_plan *plan, face_detector *d, kiln_error *error) {
    kiln_plan_detector inside;
    kiln_status status = kiln_plan_find_detector(plan, &inside, error);
    if (status == KILN_OK) {
        status = kiln_plan_open_detector(plan, NULL, &d->plan, error);
    }
    if (status == KILN_OK) {
        d->record = inside.record;
        (void)kiln_plan_find_section(plan, KILN_PLAN_DETECTOR_PLAN, &d->bytes);
    }
    return status;
}

/* A trained network's: with its record, as that says how it was run. */
static kiln_status take_inside(face_detector *d, const kiln_plan_detector *inside,
                               kiln_error *error) {
    if (!inside->bundled) {
        return kiln_fail(error, KILN_ERROR_ARGUMENT,
                         "a network that was trained on faces which %s (%s) found, but does not "
                         "hold it: give that file itself, or train with --bundle",
                         inside->record.name, inside->record.family);
    }
    d->around = d->plan;
    d->plan = NULL;
    return face_detector_take(d->around, d, error);
}

/* Whether it is one, and which. */
static kiln_status recognise(face_detector *d, const char *name, kiln_error *error) {
    kiln_detector *session = NULL;
    kiln_plan_detector inside = {.present = false};
    kiln_status status = kiln_plan_open_memory(d->bytes, NULL, &d->plan, error);
    if (status == KILN_OK) {
        status = kiln_plan_find_detector(d->plan, &inside, error);
    }
    if (status == KILN_OK && inside.present) {
        return take_inside(d, &inside, error);
    }
    if (status == KILN_OK) {
        status = kiln_detector_create(d->plan, NULL, &session, error);
    }
    if (status == KILN_OK) {
        kiln_detector_record(session, name, &d->record);
    }
    kiln_detector_destroy(session);
    return status;
}

kiln_status face_detector_open(const char *path, face_detector *out_detector, kiln_error *error) {
    face_detector *d = out_detector;
    kiln_error why;
    const char *slash = strrchr(path, '/');
    *d = (face_detector){.plan = NULL};
    kiln_status status = read_plan(path, d, error);
    if (status == KILN_OK) {
        status = recognise(d, slash != NULL ? slash + 1 : path, &why);
        status = status == KILN_OK ? status : kiln_fail(error, status, "%s: %s", path, why.message);
    }
    if (status != KILN_OK) {
        face_detector_close(d);
    }
    return status;
}

kiln_status face_detector_open_bundled(const kiln_plan *plan, face_detector *out_detector,
                                       kiln_error *error) {
    *out_detector = (face_detector){.plan = NULL};
    return face_detector_take(plan, out_detector, error);
}

void face_detector_close(face_detector *d) {
    kiln_plan_close(d->plan);
    kiln_plan_close(d->around);
    kiln_free(d->own_bytes);
    *d = (face_detector){.plan = NULL};
}

kiln_status face_detector_session(const face_detector *d, uint32_t threads,
                                  kiln_detector **out_session, kiln_error *error) {
    const kiln_plan_detector_record *r = &d->record;
    kiln_preprocess preprocess = {.present = true,
                                  .bgr = r->preprocess.bgr != 0,
                                  .crop_fraction = r->preprocess.crop_fraction};
    memcpy(preprocess.scale, r->preprocess.scale, sizeof preprocess.scale);
    memcpy(preprocess.bias, r->preprocess.bias, sizeof preprocess.bias);
    kiln_detector_options options = {
        .size = sizeof options,
        .threads = threads,
        .score = r->score,
        .overlap = r->overlap,
        .preprocess = &preprocess,
        .once = (r->flags & KILN_DETECTOR_SECOND_LOOK) == 0,
    };
    return kiln_detector_create(d->plan, &options, out_session, error);
}

bool face_detector_is_same(const kiln_plan_detector_record *a, const kiln_plan_detector_record *b) {
    return a->plan_checksum == b->plan_checksum ||
           (strcmp(a->name, b->name) == 0 && strcmp(a->family, b->family) == 0 &&
            a->width == b->width && a->height == b->height);
}
