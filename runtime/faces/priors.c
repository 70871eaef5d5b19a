/* Boxes as offsets from priors (SSD, Liu et al. 2016), which RetinaFace and UltraFace have: the
 * middle of a cell, so many sizes in each, variances 0.1 and 0.2. */
#include "runtime/faces/priors.h"

#include <math.h>

#define VARIANCE_MIDDLE 0.1F
#define VARIANCE_SIZE 0.2F

bool priors_recognise(detector_layout *layout, const prior_level *levels, uint32_t level_count,
                      uint32_t score_numbers, uint32_t box_numbers, uint32_t point_numbers) {
    uint32_t scores, boxes, points = 0;
    layout->level_count = level_count;
    layout->has_points = point_numbers > 0;
    for (uint32_t k = 0; k < level_count; k++) {
        layout_level(layout, levels[k].stride, levels[k].count, &layout->levels[k]);
    }
    if (layout->output_count != (point_numbers > 0 ? 3 : 2) ||
        !layout_find_joined(layout, score_numbers, &scores) ||
        !layout_find_joined(layout, box_numbers, &boxes) ||
        (point_numbers > 0 && !layout_find_joined(layout, point_numbers, &points))) {
        return false;
    }
    for (uint32_t k = 0; k < level_count; k++) {
        layout_join(layout, scores, k, score_numbers, &layout->levels[k].scores);
        layout_join(layout, boxes, k, box_numbers, &layout->levels[k].boxes);
        layout_join(layout, points, k, point_numbers, &layout->levels[k].points);
    }
    return true;
}

/* Of decoded boxes: they are parts of the input's width and height. */
static void place_corners(const detector_anchor *at, kiln_face *out) {
    float width = (float)at->layout->width, height = (float)at->layout->height;
    const detector_level *level = at->level;
    out->left = field_value(&level->boxes, at, 0) * width;
    out->top = field_value(&level->boxes, at, 1) * height;
    out->right = field_value(&level->boxes, at, 2) * width;
    out->bottom = field_value(&level->boxes, at, 3) * height;
    face_points(at, 0, 0, width, height, 1, out);
}

void priors_decode(const detector_anchor *at, const prior_level *levels, kiln_face *out) {
    const detector_level *level = at->level;
    if (at->layout->exponential) {
        place_corners(at, out);
        return;
    }
    float prior = levels[level - at->layout->levels].sizes[at->anchor];
    float x = ((float)at->column + 0.5F) * (float)level->stride;
    float y = ((float)at->row + 0.5F) * (float)level->stride;
    face_box(x + field_value(&level->boxes, at, 0) * VARIANCE_MIDDLE * prior,
             y + field_value(&level->boxes, at, 1) * VARIANCE_MIDDLE * prior,
             prior * expf(field_value(&level->boxes, at, 2) * VARIANCE_SIZE),
             prior * expf(field_value(&level->boxes, at, 3) * VARIANCE_SIZE), out);
    face_points(at, x, y, prior, prior, VARIANCE_MIDDLE, out);
}
