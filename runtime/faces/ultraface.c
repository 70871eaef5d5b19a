/* UltraFace (Linzaer's Ultra-Light-Fast-Generic-Face-Detector-1MB): square priors, no points. Its
 * exports decode the boxes, or do not. */
#include "runtime/faces/priors.h"

static const prior_level levels[] = {
    {8, 3, {10, 16, 24}}, {16, 2, {32, 48}}, {32, 2, {64, 96}}, {64, 3, {128, 192, 256}}};

static bool recognise(detector_layout *layout) {
    return priors_recognise(layout, levels, 4, 2, 4, 0);
}

static void decode(const detector_anchor *at, kiln_face *out) {
    priors_decode(at, levels, out);
}

const detector_family detector_ultraface = {.name = "UltraFace",
                                            .recognise = recognise,
                                            .scale = 1 / 128.0F,
                                            .bias = {-127.0F / 128, -127.0F / 128, -127.0F / 128},
                                            .score = 0.7F,
                                            .overlap = 0.3F,
                                            .score_of = score_of_two,
                                            .decode = decode};
