/* A face detector that a command is given: by a file, or inside the plan of a network that was
 * trained on the faces it found. */
#ifndef KILN_CLI_FACES_DETECTOR_H
#define KILN_CLI_FACES_DETECTOR_H

#include <kiln/faces.h>

typedef struct face_detector {
    char *name;                 /* of its file, without folders */
    void *bytes;                /* of its plan, from malloc; NULL: they are inside another plan */
    size_t size;                /* of bytes */
    kiln_plan *plan;            /* NULL: no detector */
    uint64_t checksum;          /* of the plan */
    kiln_preprocess preprocess; /* present: instead of the plan's own */
    float score, overlap;       /* 0: the family's */
} face_detector;

/* path: a plan, or ONNX, which is compiled in memory. Anything but a detector of a known family is
 * refused. On failure *out_detector is empty. */
kiln_status face_detector_open(const char *path, face_detector *out_detector, kiln_error *error);
void face_detector_close(face_detector *detector); /* an empty one is allowed */
/* One for a thread of its own; destroyed before the detector is closed. */
kiln_status face_detector_session(const face_detector *detector, uint32_t threads,
                                  kiln_detector **out_session, kiln_error *error);

#endif
