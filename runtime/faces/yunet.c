/* YuNet (Wu, Peng, Yu 2023; libfacedetection.train): for strides 8, 16, 32 class, objectness, box
 * and points of one anchor a cell. Box: the middle is the cell plus an offset, width and height are
 * exponentials, all in strides. */
#include "runtime/faces/detector.h"

#include <math.h>

static bool recognise(detector_layout *layout) {
    static const uint32_t strides[] = {8, 16, 32};
    uint32_t taken = 0;
    layout->level_count = 3;
    layout->has_points = true;
    for (uint32_t k = 0; k < 3; k++) {
        detector_level *level = &layout->levels[k];
        layout_level(layout, strides[k], 1, level);
        /* Which of the two is the class plays no part: they are multiplied. */
        if (!layout_find(layout, level, 1, &taken, &level->scores) ||
            !layout_find(layout, level, 1, &taken, &level->objects) ||
            !layout_find(layout, level, 4, &taken, &level->boxes) ||
            !layout_find(layout, level, 10, &taken, &level->points)) {
            return false;
        }
    }
    return layout->output_count == 12;
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
    float x = ((float)at->column + field_value(&level->boxes, at, 0)) * stride;
    float y = ((float)at->row + field_value(&level->boxes, at, 1)) * stride;
    float width = expf(field_value(&level->boxes, at, 2)) * stride;
    float height = expf(field_value(&level->boxes, at, 3)) * stride;
    out->left = x - width / 2, out->right = x + width / 2;
    out->top = y - height / 2, out->bottom = y + height / 2;
    for (uint32_t k = 0; k < KILN_FACE_POINTS; k++) {
        out->points[k][0] = ((float)at->column + field_value(&level->points, at, 2 * k)) * stride;
        out->points[k][1] = ((float)at->row + field_value(&level->points, at, 2 * k + 1)) * stride;
    }
}

const detector_family detector_yunet = {.name = "YuNet",
                                        .recognise = recognise,
                                        .scale = 1,
                                        .bgr = true,
                                        .score = 0.6F,
                                        .overlap = 0.3F,
                                        .score_of = score_of,
                                        .decode = decode};
