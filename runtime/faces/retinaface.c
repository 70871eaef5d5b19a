/* RetinaFace (Deng et al. 2020), as biubug6's PyTorch code and its descendants export it: two
 * square priors a cell, points about the priors. */
#include "runtime/faces/priors.h"

static const prior_level levels[] = {{8, 2, {16, 32}}, {16, 2, {64, 128}}, {32, 2, {256, 512}}};

static bool recognise(detector_layout *layout) {
    return priors_recognise(layout, levels, 3, 2, 4, 10);
}

static void decode(const detector_anchor *at, kiln_face *out) {
    priors_decode(at, levels, out);
}

const detector_family detector_retinaface = {.name = "RetinaFace",
                                             .recognise = recognise,
                                             .scale = 1,
                                             .bias = {-104, -117, -123},
                                             .bgr = true,
                                             .score = 0.6F,
                                             .overlap = 0.4F,
                                             .score_of = score_of_two,
                                             .decode = decode};
