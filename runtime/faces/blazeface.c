/* BlazeFace, short range (Bazarevsky et al. 2019; MediaPipe): 896 anchors of an input of 128 x 128.
 * Box and points are offsets in pixels from the middle of the cell. Of six points the ears are left
 * out, and the middle of the mouth stands for its corners: for the similarity of least squares that
 * is the same as its middle with twice the weight. */
#include "runtime/faces/priors.h"

#include <math.h>
#include <string.h>

enum { SIDE = 128, NUMBERS = 16, BOX = 4 };
#define SCORE_LIMIT 100.0F /* MediaPipe's clipping of logits */

static bool recognise(detector_layout *layout) {
    static const prior_level levels[] = {{8, 2, {0}}, {16, 6, {0}}};
    if (layout->width != SIDE || layout->height != SIDE ||
        !priors_recognise(layout, levels, 2, 1, NUMBERS, 0)) {
        return false;
    }
    layout->has_points = true;
    for (uint32_t k = 0; k < 2; k++) {
        layout->levels[k].points = layout->levels[k].boxes;
        layout->levels[k].points.offset += BOX;
    }
    return true;
}

static float score_of(const detector_anchor *at) {
    float score = field_value(&at->level->scores, at, 0);
    score = score < -SCORE_LIMIT ? -SCORE_LIMIT : score > SCORE_LIMIT ? SCORE_LIMIT : score;
    return at->layout->sigmoid ? score : 1 / (1 + expf(-score));
}

/* The points are right and left eye of the face, nose, middle of the mouth, and the ears. */
static void decode(const detector_anchor *at, kiln_face *out) {
    const detector_field *numbers = &at->level->boxes;
    float x = ((float)at->column + 0.5F) * (float)at->level->stride;
    float y = ((float)at->row + 0.5F) * (float)at->level->stride;
    face_box(x + field_value(numbers, at, 0), y + field_value(numbers, at, 1),
             field_value(numbers, at, 2), field_value(numbers, at, 3), out);
    face_points(at, x, y, 1, 1, 1, out);
    memcpy(out->points[4], out->points[3], sizeof out->points[4]);
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
