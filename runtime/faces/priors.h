/* What RetinaFace and UltraFace have in common: one output of all levels, boxes about priors. */
#ifndef KILN_RUNTIME_FACES_PRIORS_H
#define KILN_RUNTIME_FACES_PRIORS_H

#include "runtime/faces/detector.h"

typedef struct prior_level {
    uint32_t stride, count;
    float sizes[3]; /* pixels of the input: squares */
} prior_level;

/* Outputs of 2, 4 and perhaps `point_numbers` numbers for each anchor of all levels. */
bool priors_recognise(detector_layout *layout, const prior_level *levels, uint32_t level_count,
                      uint32_t point_numbers);
/* Box and points; corners in 0..1 where the network has decoded them itself. */
void priors_decode(const detector_anchor *at, const prior_level *levels, kiln_face *out);

#endif
