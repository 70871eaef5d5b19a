/* SCRFD (Guo, Deng, Lattas, Zafeiriou 2021), and InsightFace's other detectors det_*: for each
 * stride scores, boxes and perhaps points. Boxes are distances from the anchor to the four sides,
 * points offsets from it, all in strides; anchors lie at the cell's upper left corner.
 *
 * InsightFace's head multiplies boxes (not points) by a learned number a stride, last of all, and
 * its own exports hold that. Models cut off before it, at the last convolutions, have lost it:
 * their boxes are some 10 % too small at one stride and as much too large at another. Faces are
 * aligned by the points, which are right. */
#include "runtime/faces/detector.h"

static bool recognise(detector_layout *layout) {
    return layout_find(layout, 3, 2, false, true) || layout_find(layout, 3, 2, false, false) ||
           layout_find(layout, 5, 1, false, true) || layout_find(layout, 5, 1, false, false);
}

static float score_of(const detector_anchor *at) {
    return score_of_one(at, &at->level->scores);
}

static void decode(const detector_anchor *at, kiln_face *out) {
    const detector_level *level = at->level;
    float stride = (float)level->stride;
    float column = (float)at->column, row = (float)at->row;
    out->left = (column - field_value(&level->boxes, at, 0)) * stride;
    out->top = (row - field_value(&level->boxes, at, 1)) * stride;
    out->right = (column + field_value(&level->boxes, at, 2)) * stride;
    out->bottom = (row + field_value(&level->boxes, at, 3)) * stride;
    face_points(at, column * stride, row * stride, stride, stride, 1, out);
}

const detector_family detector_scrfd = {.name = "SCRFD",
                                        .recognise = recognise,
                                        .scale = 1 / 128.0F,
                                        .bias = {-127.5F / 128, -127.5F / 128, -127.5F / 128},
                                        .score = 0.5F,
                                        .overlap = 0.4F,
                                        .score_of = score_of,
                                        .decode = decode};
