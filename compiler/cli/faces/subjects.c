/* Subjects: whole pictures, or faces. */
#include "compiler/cli/faces/subjects.h"
#include "runtime/base/text.h"

#include <stdio.h>
#include <stdlib.h>

static void warn_without_points(const char *path, const kiln_plan_detector_record *r) {
    if ((r->flags & KILN_DETECTOR_HAS_POINTS) == 0) {
        text_print(
            stderr,
            "kiln: warning: %s (%s) gives boxes alone: faces are not aligned by their eyes and "
            "mouth, and will be told apart poorly\n",
            path, r->family);
    }
}

static void warn_of_another(const char *path, const kiln_plan_detector_record *trained,
                            const kiln_plan_detector_record *given) {
    if (!face_detector_is_same(trained, given)) {
        text_print(stderr,
                   "kiln: warning: %s was trained on faces that %s (%s) found; %s (%s) may place "
                   "them otherwise\n",
                   path, trained->name, trained->family, given->name, given->family);
    }
}

face_choice subjects_choice(const subject_options *options) {
    return (face_choice)(options->faces & ~(unsigned)FACES_ASKED);
}

/* Of a network that says nothing of faces, and without a detector. */
static kiln_status check_choice(const subject_options *options, kiln_error *error) {
    return (options->faces & FACES_ASKED) == 0
               ? KILN_OK
               : kiln_fail(error, KILN_ERROR_ARGUMENT,
                           "--faces %s: nothing finds faces: give a detector with --detector FILE "
                           "(or a network that was trained with --bundle)",
                           face_choice_word(subjects_choice(options)));
}

kiln_status subjects_open(const subject_options *options, const kiln_plan *network,
                          const char *path, subject_source *out_source, kiln_error *error) {
    kiln_plan_detector own = {.present = false};
    face_detector *detector = &out_source->detector;
    *out_source = (subject_source){.faces = subjects_choice(options)};
    kiln_status status = network != NULL ? kiln_plan_find_detector(network, &own, error) : KILN_OK;
    if (status != KILN_OK) {
        return status;
    }
    if (options->detector != NULL) {
        status = face_detector_open(options->detector, detector, error);
        if (status == KILN_OK) {
            warn_without_points(options->detector, &detector->record);
        }
        if (status == KILN_OK && own.present) {
            warn_of_another(path, &own.record, &detector->record);
        }
        return status;
    }
    if (own.bundled) {
        return face_detector_open_bundled(network, detector, error);
    }
    return own.present ? kiln_fail(error, KILN_ERROR_ARGUMENT,
                                   "%s was trained on aligned faces that %s (%s) found: give it "
                                   "with --detector FILE (or train with --bundle, so that the plan "
                                   "holds it)",
                                   path, own.record.name, own.record.family)
                       : check_choice(options, error);
}

void subjects_close(subject_source *source) {
    face_detector_close(&source->detector);
}

bool subjects_are_faces(const subject_source *source) {
    return source->detector.plan != NULL;
}

/* ---- Finding ------------------------------------------------------------------------------- */

kiln_status finder_begin(const subject_source *source, kiln_detector *detector,
                         subject_finder *out_finder, kiln_error *error) {
    bool faces = detector != NULL;
    subject_finder *f = out_finder;
    *f = (subject_finder){.source = source, .detector = detector};
    f->subjects = calloc(faces ? MOST_FACES : 1, sizeof *f->subjects);
    f->faces = faces ? calloc(MOST_FACES, sizeof *f->faces) : NULL;
    if (f->subjects == NULL || (faces && f->faces == NULL)) {
        f->detector = NULL;
        finder_close(f);
        return kiln_fail(error, KILN_ERROR_MEMORY, "out of memory");
    }
    return KILN_OK;
}

kiln_status finder_open(const subject_source *source, uint32_t threads, subject_finder *out_finder,
                        kiln_error *error) {
    kiln_detector *detector = NULL;
    *out_finder = (subject_finder){0};
    kiln_status status = subjects_are_faces(source)
                             ? face_detector_session(&source->detector, threads, &detector, error)
                             : KILN_OK;
    if (status == KILN_OK) {
        status = finder_begin(source, detector, out_finder, error);
    }
    if (status != KILN_OK) {
        kiln_detector_destroy(detector);
    }
    return status;
}

void finder_close(subject_finder *f) {
    kiln_detector_destroy(f->detector);
    free(f->faces);
    free(f->subjects);
    *f = (subject_finder){0};
}

kiln_status finder_find(subject_finder *f, const rgb_picture *picture, kiln_error *error) {
    f->count = f->found = 0;
    if (f->detector == NULL) {
        f->subjects[f->count++] = (subject){.is_face = false};
        return KILN_OK;
    }
    kiln_image image = picture_image(picture);
    kiln_status status =
        kiln_detector_find(f->detector, &image, f->faces, MOST_FACES, &f->found, error);
    if (status == KILN_OK) {
        f->count =
            faces_choose(f->source->faces, f->faces, f->found, picture->width, picture->height);
    }
    for (size_t k = 0; k < f->count; k++) {
        f->subjects[k] = (subject){.is_face = true, .face = f->faces[k]};
    }
    return status;
}

const char *subjects_why(size_t found, char *out, size_t size) {
    if (found == 0) {
        snprintf(out, size, "no face found");
    } else {
        snprintf(out, size, "%zu faces, where one alone is asked for", found);
    }
    return out;
}

kiln_status subject_to_input(const rgb_picture *picture, const subject *which,
                             const kiln_tensor_info *input, const kiln_preprocess *preprocess,
                             uint32_t index, kiln_buffer buffer, kiln_error *error) {
    kiln_image image = picture_image(picture);
    return which->is_face
               ? kiln_face_to_input(&image, &which->face, input, preprocess, index, buffer, error)
               : kiln_image_to_input(&image, input, preprocess, index, buffer, error);
}
