/* Families of detectors: told by shapes, outputs decoded by hand, suppression. */
#include "runtime/faces/detector.h"
#include "tests/unit/suite.h"

#include <math.h>
#include <stdlib.h>

/* ---- Shapes -------------------------------------------------------------------------------- */

/* Outputs as "rank dims", a line for each. */
typedef struct shape_case {
    const char *family; /* NULL: none */
    uint32_t width, height;
    const char *outputs;
} shape_case;

static const shape_case shapes[] = {
    /* Maps in the order of the shared model; flat ones, mixed up; with the channels last. */
    {"SCRFD", 64, 64, "1x2x8x8 1x2x4x4 1x2x2x2 1x8x8x8 1x8x4x4 1x8x2x2 1x20x8x8 1x20x4x4 1x20x2x2"},
    {"SCRFD", 64, 32, "64x10 64x4 64x1 16x4 16x10 16x1 4x1 4x4 4x10"},
    {"SCRFD", 64, 32, "1x64x1 1x64x4 1x16x1 1x16x4 1x4x1 1x4x4"},
    {"SCRFD", 64, 64, "1x8x8x2 1x4x4x2 1x2x2x2 1x8x8x8 1x4x4x8 1x2x2x8"},
    {"SCRFD", 128, 128, "256x1 64x1 16x1 4x1 1x1 256x4 64x4 16x4 4x4 1x4"},
    {"RetinaFace", 64, 64, "1x168x4 1x168x2 1x168x10"},
    {"RetinaFace", 64, 64, "1x168x10 1x168x2 1x168x4"},
    {"YuNet", 64, 32,
     "1x32x1 1x8x1 1x2x1 1x32x1 1x8x1 1x2x1 1x32x4 1x8x4 1x2x4 1x32x10 1x8x10 1x2x10"},
    {"UltraFace", 320, 240, "1x4420x2 1x4420x4"},
    {"UltraFace", 320, 240, "1x4420x4 1x4420x2"},
    {"BlazeFace", 128, 128, "1x896x16 1x896x1"},
    {NULL, 64, 64, "1x168x4 1x168x2"},
    {NULL, 320, 240, "1x4419x2 1x4419x4"},
    {NULL, 256, 256, "1x896x16 1x896x1"},
    {NULL, 64, 64, "1x1000"},
    {NULL, 416, 416, "1x3549x85"},
    {NULL, 64, 64, "1x2x8x8 1x2x4x4 1x2x2x2 1x8x8x8 1x8x4x4 1x8x2x2 1x20x8x8 1x20x4x4 1x20x2x3"},
};

static void set_shapes(const shape_case *c, detector_layout *out) {
    *out = (detector_layout){.width = c->width, .height = c->height};
    const char *at = c->outputs;
    while (*at != '\0') {
        kiln_tensor_info *t = &out->outputs[out->output_count++];
        *t = (kiln_tensor_info){.dtype = KILN_F32};
        for (char *end;; at = end + 1) {
            t->dims[t->rank++] = (uint32_t)strtoul(at, &end, 10);
            if (*end != 'x') {
                at = *end == ' ' ? end + 1 : end;
                break;
            }
        }
    }
}

static const detector_family *const families[] = {&detector_scrfd, &detector_retinaface,
                                                  &detector_yunet, &detector_ultraface,
                                                  &detector_blazeface};

START_TEST(shapes_tell_the_family) {
    const shape_case *c = &shapes[_i];
    for (size_t k = 0; k < sizeof families / sizeof *families; k++) {
        detector_layout layout;
        set_shapes(c, &layout);
        bool expected = c->family != NULL && strcmp(c->family, families[k]->name) == 0;
        ck_assert_msg(families[k]->recognise(&layout) == expected, "%s by %s", c->outputs,
                      families[k]->name);
    }
}
END_TEST

/* ---- Decoding ------------------------------------------------------------------------------ */

enum { MOST_NUMBERS = 50000 };
static float numbers[DETECTOR_OUTPUTS][MOST_NUMBERS];

/* The layout of shapes[which], its fields over `numbers`. */
static void begin_decoding(size_t which, detector_layout *out) {
    set_shapes(&shapes[which], out);
    memset(numbers, 0, sizeof numbers);
    bool recognised = false;
    for (size_t k = 0; k < sizeof families / sizeof *families && !recognised; k++) {
        recognised = families[k]->recognise(out);
    }
    ck_assert(recognised);
    for (uint32_t k = 0; k < out->level_count; k++) {
        detector_level *level = &out->levels[k];
        detector_field *fields[] = {&level->scores, &level->objects, &level->boxes, &level->points};
        for (size_t f = 0; f < 4; f++) {
            fields[f]->data = numbers[fields[f]->output] + fields[f]->offset;
        }
    }
}

static void assert_box(const kiln_face *f, double left, double top, double right, double bottom) {
    ck_assert_double_eq_tol((double)f->left, left, 1e-3);
    ck_assert_double_eq_tol((double)f->top, top, 1e-3);
    ck_assert_double_eq_tol((double)f->right, right, 1e-3);
    ck_assert_double_eq_tol((double)f->bottom, bottom, 1e-3);
}

static void assert_point(const kiln_face *f, size_t k, double x, double y) {
    ck_assert_double_eq_tol((double)f->points[k][0], x, 1e-3);
    ck_assert_double_eq_tol((double)f->points[k][1], y, 1e-3);
}

/* Anchor 1 of cell (2, 1) of the second level, of maps (row 0 of the table) and flat ones (1). */
START_TEST(scrfd_measures_from_the_cell_in_strides) {
    detector_layout layout;
    kiln_face face = {0};
    begin_decoding((size_t)_i, &layout);
    uint32_t columns = 4, rows = _i == 0 ? 4 : 2, cell = columns + 2;
    for (uint32_t k = 0; k < 10; k++) {
        size_t map = ((size_t)10 + k) * rows * columns + cell, flat = ((size_t)cell * 2 + 1) * 10;
        numbers[_i == 0 ? 7 : 4][_i == 0 ? map : flat + k] = (float)k * 0.125F - 0.5F;
        if (k < 4) {
            map = ((size_t)4 + k) * rows * columns + cell, flat = ((size_t)cell * 2 + 1) * 4;
            numbers[_i == 0 ? 4 : 3][_i == 0 ? map : flat + k] = (float)k + 0.5F;
        }
    }
    numbers[_i == 0 ? 1 : 5][_i == 0 ? rows * columns + cell : cell * 2 + 1] = 2;
    detector_anchor at = {&layout, &layout.levels[1], 2, 1, 1};
    ck_assert_double_eq_tol((double)detector_scrfd.score_of(&at), 1 / (1 + exp(-2)), 1e-6);
    layout.sigmoid = true;
    ck_assert_float_eq(detector_scrfd.score_of(&at), 2);
    detector_scrfd.decode(&at, &face);
    assert_box(&face, 32 - 8, 16 - 24, 32 + 40, 16 + 56);
    assert_point(&face, 0, 32 - 8, 16 - 6);
    assert_point(&face, 4, 32 + 8, 16 + 10);
}
END_TEST

START_TEST(yunet_multiplies_scores_and_takes_exponentials) {
    detector_layout layout;
    kiln_face face = {0};
    begin_decoding(7, &layout);
    layout.sigmoid = true;
    numbers[1][6] = 0.64F, numbers[4][6] = 1.5F; /* cell (2, 1) of stride 16; clipped to 1 */
    const float box[] = {0.5F, 0.25F, logf(2), logf(3)};
    memcpy(numbers[7] + (size_t)6 * 4, box, sizeof box);
    numbers[10][6 * 10 + 2] = 1.5F, numbers[10][6 * 10 + 3] = -1;
    detector_anchor at = {&layout, &layout.levels[1], 2, 1, 0};
    ck_assert_double_eq_tol((double)detector_yunet.score_of(&at), 0.8, 1e-6);
    detector_yunet.decode(&at, &face);
    assert_box(&face, 40 - 16, 20 - 24, 40 + 16, 20 + 24);
    assert_point(&face, 0, 32, 16);
    assert_point(&face, 1, 32 + 24, 0);
}
END_TEST

START_TEST(retinaface_moves_priors) {
    detector_layout layout;
    kiln_face face = {0};
    begin_decoding(5, &layout);
    /* Anchor 1 (128 pixels) of cell (3, 2) of stride 16: behind 8 x 8 x 2. */
    size_t anchor = 128 + (2 * 4 + 3) * 2 + 1;
    const float box[] = {1, -2, 5 * logf(2), 5 * logf(0.5F)};
    memcpy(numbers[0] + anchor * 4, box, sizeof box);
    numbers[1][anchor * 2] = 1, numbers[1][anchor * 2 + 1] = 3;
    numbers[2][anchor * 10 + 4] = 0.5F, numbers[2][anchor * 10 + 5] = -1;
    detector_anchor at = {&layout, &layout.levels[1], 3, 2, 1};
    ck_assert_double_eq_tol((double)detector_retinaface.score_of(&at), 1 / (1 + exp(-2)), 1e-6);
    layout.softmax = true;
    ck_assert_float_eq(detector_retinaface.score_of(&at), 3);
    detector_retinaface.decode(&at, &face);
    assert_box(&face, 56 + 12.8 - 128, 40 - 25.6 - 32, 56 + 12.8 + 128, 40 - 25.6 + 32);
    assert_point(&face, 2, 56 + 6.4, 40 - 12.8);
    layout.exponential = true; /* decoded by the network: parts of its input */
    numbers[0][anchor * 4 + 2] = 0.5F, numbers[0][anchor * 4 + 3] = 0.75F;
    detector_retinaface.decode(&at, &face);
    assert_box(&face, 64, -128, 32, 48);
}
END_TEST

START_TEST(ultraface_has_priors_of_three_sizes) {
    detector_layout layout;
    kiln_face face = {0};
    begin_decoding(8, &layout);
    size_t anchor = 3600 + 600 + 160 + (1 * 5 + 4) * 3 + 2; /* cell (4, 1) of stride 64: 256 */
    numbers[1][anchor * 4] = 1;
    detector_anchor at = {&layout, &layout.levels[3], 4, 1, 2};
    detector_ultraface.decode(&at, &face);
    assert_box(&face, 288 + 25.6 - 128, 96 - 128, 288 + 25.6 + 128, 96 + 128);
}
END_TEST

START_TEST(blazeface_has_the_mouth_twice) {
    detector_layout layout;
    kiln_face face = {0};
    begin_decoding(10, &layout);
    size_t anchor = 512 + (3 * 8 + 2) * 6 + 5; /* of cell (2, 3) of stride 16 */
    for (size_t k = 0; k < 16; k++) {
        numbers[0][anchor * 16 + k] = (float)k;
    }
    numbers[1][anchor] = 1000; /* clipped */
    detector_anchor at = {&layout, &layout.levels[1], 2, 3, 5};
    ck_assert_float_eq(detector_blazeface.score_of(&at), 1);
    detector_blazeface.decode(&at, &face);
    assert_box(&face, 40 - 1, 57 - 1.5, 40 + 1, 57 + 1.5);
    assert_point(&face, 0, 40 + 4, 56 + 5);
    assert_point(&face, 2, 40 + 8, 56 + 9);
    assert_point(&face, 3, 40 + 10, 56 + 11);
    assert_point(&face, 4, 40 + 10, 56 + 11);
}
END_TEST

/* ---- Suppression --------------------------------------------------------------------------- */

static kiln_face box_of(float left, float top, float size, float score) {
    return (kiln_face){
        .left = left, .top = top, .right = left + size, .bottom = top + size, .score = score};
}

START_TEST(the_better_of_two_overlapping_boxes_is_told) {
    static candidates c;
    kiln_face out[8], boxes[] = {box_of(0, 0, 10, 0.7F), box_of(1, 0, 10, 0.9F),
                                 box_of(40, 0, 10, 0.8F), box_of(6, 0, 10, 0.6F)};
    c.count = 0;
    c.seen = 0;
    for (size_t k = 0; k < 4; k++) {
        candidates_add(&c, &boxes[k]);
    }
    ck_assert_uint_eq(candidates_suppress(&c, 0.4F, false, out, 8), 3);
    ck_assert_float_eq(out[0].score, 0.9F);
    ck_assert_float_eq(out[1].score, 0.8F);
    ck_assert_float_eq(out[2].score, 0.6F); /* overlaps 0.33 with the best, more with the dropped */
}
END_TEST

START_TEST(weighted_boxes_are_averaged) {
    static candidates c;
    kiln_face out[8], a = box_of(0, 0, 10, 0.75F), b = box_of(2, 0, 10, 0.25F);
    a.points[1][0] = 4;
    c.count = 0;
    c.seen = 0;
    candidates_add(&c, &b);
    candidates_add(&c, &a);
    ck_assert_uint_eq(candidates_suppress(&c, 0.3F, true, out, 8), 1);
    ck_assert_double_eq_tol((double)out[0].left, 0.5, 1e-6);
    ck_assert_double_eq_tol((double)out[0].points[1][0], 3, 1e-6);
    ck_assert_float_eq(out[0].score, 0.75F);
}
END_TEST

/* More candidates than are kept, the best of them in the middle. */
START_TEST(the_best_candidates_are_kept) {
    static candidates c;
    static kiln_face out[DETECTOR_CANDIDATES];
    c.count = 0;
    c.seen = 0;
    for (uint32_t k = 0; k < 5 * DETECTOR_CANDIDATES; k++) {
        kiln_face face = box_of((float)k * 20, 0, 10, (float)(k * 7919 % 5120) / 5120);
        candidates_add(&c, &face);
    }
    size_t count = candidates_suppress(&c, 0.4F, false, out, DETECTOR_CANDIDATES);
    ck_assert_uint_eq(count, DETECTOR_CANDIDATES);
    for (uint32_t k = 0; k < count; k++) {
        ck_assert_float_eq(out[k].score, (float)(5119 - k) / 5120);
    }
    c.count = 0;
    kiln_face same = box_of(0, 0, 10, 0.5F), later = box_of(50, 0, 10, 0.5F);
    candidates_add(&c, &same);
    candidates_add(&c, &later);
    ck_assert_uint_eq(candidates_suppress(&c, 0.4F, false, out, 1), 1);
    ck_assert_float_eq(out[0].left, 0); /* of one score, the first */
}
END_TEST

int main(void) {
    const suite_test tests[] = {
        EACH("families", shapes_tell_the_family, shapes),
        LOOP("decoding", scrfd_measures_from_the_cell_in_strides, 0, 2),
        TEST("decoding", yunet_multiplies_scores_and_takes_exponentials),
        TEST("decoding", retinaface_moves_priors),
        TEST("decoding", ultraface_has_priors_of_three_sizes),
        TEST("decoding", blazeface_has_the_mouth_twice),
        TEST("suppression", the_better_of_two_overlapping_boxes_is_told),
        TEST("suppression", weighted_boxes_are_averaged),
        TEST("suppression", the_best_candidates_are_kept),
    };
    return SUITE("families", tests);
}
