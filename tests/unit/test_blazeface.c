/* BlazeFace beside an oracle in NumPy (tests/faces/blazeface.py): anchors, decoding and suppression
 * of whole outputs. */
#include "runtime/faces/detector.h"
#include "tests/unit/oracle_blazeface.h"
#include "tests/unit/suite.h"

#include <math.h>

enum { ANCHORS = 896, NUMBERS = 16 };

static float numbers[ANCHORS * NUMBERS], logits[ANCHORS];

/* As in the oracle. */
static double draw(uint64_t k) {
    k = (k + 1) * 0x9e3779b97f4a7c15u;
    k = (k ^ k >> 30) * 0xbf58476d1ce4e5b9u;
    return (double)((k ^ k >> 27) >> 40) / (1 << 24);
}

static void make_outputs(uint64_t which) {
    for (size_t k = 0; k < (size_t)ANCHORS * NUMBERS; k++) {
        size_t number = k % NUMBERS;
        numbers[k] = (float)(draw(which << 32 | k) * 16 - 8);
        numbers[k] += number == 2 || number == 3 ? 28.0F : 0;
    }
    for (size_t k = 0; k < ANCHORS; k++) {
        logits[k] = (float)(draw(which << 32 | ((size_t)ANCHORS * NUMBERS + k)) * 60 - 57);
    }
    logits[which * 7] = 150;
}

/* Which output is which the shapes tell, in either order. */
static kiln_detector make_detector(bool scores_first) {
    kiln_detector d = {.family = &detector_blazeface};
    uint32_t scores = scores_first ? 0 : 1, boxes = 1 - scores;
    d.layout = (detector_layout){.width = 128, .height = 128, .output_count = 2};
    d.layout.outputs[scores] = (kiln_tensor_info){.rank = 3, .dims = {1, ANCHORS, 1}};
    d.layout.outputs[boxes] = (kiln_tensor_info){.rank = 3, .dims = {1, ANCHORS, NUMBERS}};
    d.info.score = detector_blazeface.score;
    d.info.overlap = detector_blazeface.overlap;
    ck_assert(detector_blazeface.recognise(&d.layout));
    for (uint32_t k = 0; k < d.layout.level_count; k++) {
        detector_level *level = &d.layout.levels[k];
        ck_assert_uint_eq(level->scores.output, scores);
        level->scores.data = logits + level->scores.offset;
        level->boxes.data = numbers + level->boxes.offset;
        level->points.data = numbers + level->points.offset;
    }
    return d;
}

START_TEST(faces_are_those_of_the_oracle) {
    static kiln_detector d;
    static kiln_face faces[ORACLE_MOST];
    size_t which = (size_t)_i / 2;
    make_outputs(which);
    d = make_detector(_i % 2 == 0);
    detector_collect(&d, &(detector_glance){{0, 0}, {1, 1}});
    size_t count =
        candidates_suppress(&d.candidates, d.info.overlap, d.family->weighted, faces, ORACLE_MOST);
    ck_assert_uint_eq(count, oracle_counts[which]);
    for (size_t k = 0; k < count; k++) {
        const kiln_face *f = &faces[k];
        const float(*p)[2] = f->points;
        /* The oracle's mouth is one point. */
        const float got[ORACLE_NUMBERS] = {f->score, f->left, f->top,  f->right, f->bottom,
                                           p[0][0],  p[0][1], p[1][0], p[1][1],  p[2][0],
                                           p[2][1],  p[3][0], p[3][1]};
        for (size_t n = 0; n < ORACLE_NUMBERS; n++) {
            ck_assert_double_eq_tol((double)got[n], oracle_faces[which][k][n], 2e-3);
        }
        ck_assert_float_eq(p[3][0], p[4][0]);
        ck_assert_float_eq(p[3][1], p[4][1]);
    }
}
END_TEST

int main(void) {
    const suite_test tests[] = {
        LOOP("oracle", faces_are_those_of_the_oracle, 0, 2 * ORACLE_CASES),
    };
    return SUITE("blazeface", tests);
}
