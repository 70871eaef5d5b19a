/* A detector's outputs as fields over levels of cells. */
#include "runtime/faces/detector.h"

#include <math.h>

void layout_level(const detector_layout *layout, uint32_t stride, uint32_t anchors,
                  detector_level *out_level) {
    *out_level = (detector_level){.stride = stride,
                                  .columns = (layout->width + stride - 1) / stride,
                                  .rows = (layout->height + stride - 1) / stride,
                                  .anchors = anchors};
}

static size_t anchor_count(const detector_level *level) {
    return (size_t)level->columns * level->rows * level->anchors;
}

/* Dims without those of 1 in front. */
static uint32_t inner_dims(const kiln_tensor_info *t, uint32_t rank, const uint32_t **out_dims) {
    uint32_t skip = 0;
    while (t->rank - skip > rank && t->dims[skip] == 1) {
        skip++;
    }
    *out_dims = t->dims + skip;
    return t->rank - skip;
}

/* Where a shape can be read both ways, channels come first, as is ONNX's custom. */
static bool as_field(const kiln_tensor_info *t, const detector_level *level, uint32_t count,
                     detector_field *out) {
    const uint32_t *flat, *map;
    size_t cells = (size_t)level->columns * level->rows, width = (size_t)level->anchors * count;
    bool is_flat =
        inner_dims(t, 2, &flat) == 2 && flat[0] == anchor_count(level) && flat[1] == count;
    bool is_map = inner_dims(t, 3, &map) == 3;
    *out = (detector_field){.output = out->output};
    if (is_map && map[0] == width && map[1] == level->rows && map[2] == level->columns) {
        out->cell_stride = 1;
        out->anchor_stride = cells * count;
        out->value_stride = cells;
        return true;
    }
    out->cell_stride = width;
    out->anchor_stride = count;
    out->value_stride = 1;
    return is_flat ||
           (is_map && map[0] == level->rows && map[1] == level->columns && map[2] == width);
}

/* The first output that is not yet in `*inout_taken`, a bit each. */
static bool find(const detector_layout *layout, const detector_level *level, uint32_t count,
                 uint32_t *inout_taken, detector_field *out_field) {
    for (uint32_t k = 0; k < layout->output_count; k++) {
        out_field->output = k;
        if ((*inout_taken >> k & 1) == 0 &&
            as_field(&layout->outputs[k], level, count, out_field)) {
            *inout_taken |= 1u << k;
            return true;
        }
    }
    return false;
}

bool layout_find(detector_layout *layout, uint32_t levels, uint32_t anchors, bool objects,
                 bool points) {
    uint32_t taken = 0;
    layout->level_count = levels;
    layout->has_points = points;
    for (uint32_t k = 0; k < levels; k++) {
        detector_level *level = &layout->levels[k];
        layout_level(layout, 8u << k, anchors, level);
        if (!find(layout, level, 1, &taken, &level->scores) ||
            (objects && !find(layout, level, 1, &taken, &level->objects)) ||
            !find(layout, level, 4, &taken, &level->boxes) ||
            (points && !find(layout, level, 10, &taken, &level->points))) {
            return false;
        }
    }
    return layout->output_count == (2u + objects + points) * levels;
}

bool layout_find_joined(const detector_layout *layout, uint32_t count, uint32_t *out_output) {
    size_t all = 0;
    for (uint32_t k = 0; k < layout->level_count; k++) {
        all += anchor_count(&layout->levels[k]);
    }
    for (uint32_t k = 0; k < layout->output_count; k++) {
        const uint32_t *dims;
        if (inner_dims(&layout->outputs[k], 2, &dims) == 2 && dims[0] == all && dims[1] == count) {
            *out_output = k;
            return true;
        }
    }
    return false;
}

void layout_join(const detector_layout *layout, uint32_t output, uint32_t level, uint32_t count,
                 detector_field *out_field) {
    size_t before = 0;
    for (uint32_t k = 0; k < level; k++) {
        before += anchor_count(&layout->levels[k]);
    }
    *out_field = (detector_field){.output = output,
                                  .offset = before * count,
                                  .cell_stride = (size_t)layout->levels[level].anchors * count,
                                  .anchor_stride = count,
                                  .value_stride = 1};
}

float field_value(const detector_field *field, const detector_anchor *at, uint32_t k) {
    size_t cell = (size_t)at->row * at->level->columns + at->column;
    return field->data[cell * field->cell_stride + at->anchor * field->anchor_stride +
                       k * field->value_stride];
}

void face_box(float x, float y, float width, float height, kiln_face *out) {
    out->left = x - width / 2, out->right = x + width / 2;
    out->top = y - height / 2, out->bottom = y + height / 2;
}

void face_points(const detector_anchor *at, float x, float y, float width, float height,
                 float variance, kiln_face *out) {
    const detector_field *points = &at->level->points;
    for (uint32_t k = 0; at->layout->has_points && k < KILN_FACE_POINTS; k++) {
        out->points[k][0] = x + field_value(points, at, 2 * k) * variance * width;
        out->points[k][1] = y + field_value(points, at, 2 * k + 1) * variance * height;
    }
}

static float sigmoid(float x) {
    return 1 / (1 + expf(-x));
}

float score_of_one(const detector_anchor *at, const detector_field *field) {
    float score = field_value(field, at, 0);
    return at->layout->sigmoid ? score : sigmoid(score);
}

float score_of_two(const detector_anchor *at) {
    const detector_field *scores = &at->level->scores;
    float face = field_value(scores, at, 1);
    return at->layout->softmax ? face : sigmoid(face - field_value(scores, at, 0));
}
