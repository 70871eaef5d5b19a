/* BlazeFace, short range (Bazarevsky et al. 2019; MediaPipe): 896 anchors of an input of 128 x 128.
 * Box and points are offsets in pixels from the middle of the cell. Of six points the ears are left
 * out, and the middle of the mouth stands for its corners: for the similarity of least squares that
 * is the same as its middle with twice the weight. */
#include "runtime/faces/detector.h"

#include <math.h>

enum { SIDE = 128, NUMBERS = 16 };
#define SCORE_LIMIT 100.0F /* MediaPipe's clipping of logits */

static bool recognise(detector_layout *layout) {
    uint32_t scores, boxes;
    layout->level_count = 2;
    layout->has_points = true;
    layout_level(layout, 8, 2, &layout->levels[0]);
    layout_level(layout, 16, 6, &layout->levels[1]);
    if (layout->width != SIDE || layout->height != SIDE || layout->output_count != 2 ||
        !layout_find_joined(layout, 1, &scores) || !layout_find_joined(layout, NUMBERS, &boxes)) {
        return false;
    }
    for (uint32_t k = 0; k < 2; k++) {
        layout_join(layout, scores, k, 1, &layout->levels[k].scores);
        layout_join(layout, boxes, k, NUMBERS, &layout->levels[k].boxes);
    }
    return true;
}

static float score_of(const detector_anchor *at) {
    float score = field_value(&at->level->scores, at, 0);
    score = score < -SCORE_LIMIT ? -SCORE_LIMIT : score > SCORE_LIMIT ? SCORE_LIMIT : score;
    return at->layout->sigmoid ? score : 1 / (1 + expf(-score));
}

static void decode(const detector_anchor *at, kiln_face *out) {
    /* Right and left eye of the face, nose, middle of the mouth: numbers 4 to 11. */
    static const uint32_t point[KILN_FACE_POINTS] = {4, 6, 8, 10, 10};
    const detector_field *numbers = &at->level->boxes;
    float cell_x = ((float)at->column + 0.5F) * (float)at->level->stride;
    float cell_y = ((float)at->row + 0.5F) * (float)at->level->stride;
    float x = cell_x + field_value(numbers, at, 0), y = cell_y + field_value(numbers, at, 1);
    float width = field_value(numbers, at, 2), height = field_value(numbers, at, 3);
    out->left = x - width / 2, out->right = x + width / 2;
    out->top = y - height / 2, out->bottom = y + height / 2;
    for (uint32_t k = 0; k < KILN_FACE_POINTS; k++) {
        out->points[k][0] = cell_x + field_value(numbers, at, point[k]);
        out->points[k][1] = cell_y + field_value(numbers, at, point[k] + 1);
    }
}

const detector_family detector_blazeface = {.name = "BlazeFace",
                                            .recognise = recognise,
                                            .scale = 1 / 127.5F,
                                            .bias = {-1, -1, -1},
                                            .score = 0.5F,
                                            .overlap = 0.3F,
                                            .weighted = true,
                                            .score_of = score_of,
                                            .decode = decode};
