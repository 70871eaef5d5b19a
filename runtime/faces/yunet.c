/* YuNet (Wu, Peng, Yu 2023; libfacedetection.train): for strides 8, 16, 32 class, objectness, box
 * and points of one anchor a cell. Box: the middle is the cell plus an offset, width and height are
 * exponentials, all in strides. */
#include "runtime/faces/detector.h"

#include <math.h>

/* Which of scores and objects is the class plays no part: they are multiplied. */
static bool recognise(detector_layout *layout) {
    return layout_find(layout, 3, 1, true, true);
}

static float clip(float score) {
    return score < 0 ? 0 : score > 1 ? 1 : score;
}

static float score_of(const detector_anchor *at) {
    const detector_level *level = at->level;
    return sqrtf(clip(score_of_one(at, &level->scores)) * clip(score_of_one(at, &level->objects)));
}

static void decode(const detector_anchor *at, kiln_face *out) {
    const detector_level *level = at->level;
    float stride = (float)level->stride;
    float column = (float)at->column, row = (float)at->row;
    face_box((column + field_value(&level->boxes, at, 0)) * stride,
             (row + field_value(&level->boxes, at, 1)) * stride,
             expf(field_value(&level->boxes, at, 2)) * stride,
             expf(field_value(&level->boxes, at, 3)) * stride, out);
    face_points(at, column * stride, row * stride, stride, stride, 1, out);
}

const detector_family detector_yunet = {.name = "YuNet",
                                        .recognise = recognise,
                                        .scale = 1,
                                        .bgr = true,
                                        .score = 0.6F,
                                        .overlap = 0.3F,
                                        .score_of = score_of,
                                        .decode = decode};
