/* What RetinaFace and UltraFace have in common, one output of all levels, which BlazeFace has, too,
 * and boxes about priors. */
#ifndef KILN_RUNTIME_FACES_PRIORS_H
#define KILN_RUNTIME_FACES_PRIORS_H

#include "runtime/faces/detector.h"

typedef struct prior_level {
    uint32_t stride, count;
    float sizes[3]; /* pixels of the input: squares */
} prior_level;

/* Outputs of so many numbers for each anchor of all levels; point_numbers may be 0: none of them.
 */
bool priors_recognise(detector_layout *layout, const prior_level *levels, uint32_t level_count,
                      uint32_t score_numbers, uint32_t box_numbers, uint32_t point_numbers);
/* Box and points; corners in 0..1 where the network has decoded them itself. */
void priors_decode(const detector_anchor *at, const prior_level *levels, kiln_face *out);

#endif
