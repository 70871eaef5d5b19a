/* A face detector that a command is given: by a file, or inside the plan of a network that was
 * trained on the faces it found. */
#ifndef KILN_CLI_FACES_DETECTOR_H
#define KILN_CLI_FACES_DETECTOR_H

#include <kiln/faces.h>

typedef struct face_detector {
    kiln_plan *plan;                  /* NULL: no detector */
    kiln_plan *around;                /* it is inside of; NULL: of none that is ours */
    kiln_span bytes;                  /* of the plan */
    void *own_bytes;                  /* of kiln_free; NULL: they are inside another plan */
    kiln_plan_detector_record record; /* what it is, with its file's name */
} face_detector;

/* path: a plan, or ONNX, which is compiled in memory; or the plan of a network that holds its
 * detector (kiln train --bundle). Anything but a detector of a known family is refused. On failure
 * *out_detector is empty. */
kiln_status face_detector_open(const char *path, face_detector *out_detector, kiln_error *error);
/* The one inside a plan, which must outlive it. */
kiln_status face_detector_open_bundled(const kiln_plan *plan, face_detector *out_detector,
                                       kiln_error *error);
void face_detector_close(face_detector *detector); /* an empty one is allowed */
/* One for a thread of its own; destroyed before the detector is closed. */
kiln_status face_detector_session(const face_detector *detector, uint32_t threads,
                                  kiln_detector **out_session, kiln_error *error);
/* Whether two detectors are the same, or one and the same file compiled by another version. */
bool face_detector_is_same(const kiln_plan_detector_record *a, const kiln_plan_detector_record *b);

#endif
