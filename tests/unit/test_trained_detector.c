/* Plans that remember the detector of the faces they were trained on, or hold it; which faces of a
 * picture count; how good their pictures are. */
#include "compiler/cli/faces/quality.h"
#include "compiler/cli/faces/subjects.h"
#include "tests/unit/compiled_model.h"
#include "tests/unit/ledger.h"
#include "tests/unit/marked_faces.h"
#include "tests/unit/suite.h"

#include <kiln/train.h>
#include <math.h>

enum { SIDE = 256, CELL = SIDE / 4 };

static uint8_t rgb[SIDE * SIDE * 3];
static const kiln_image image = {.format = KILN_IMAGE_RGB,
                                 .width = SIDE,
                                 .height = SIDE,
                                 .pixels = rgb,
                                 .stride = (size_t)SIDE * 3};
static face_detector detector;
static kiln_error error;

#define GOOD(call) ck_assert_msg((call) == KILN_OK, "%s", error.message)

static void open_detector(void) {
    make_folder();
    marked_detector(true);
    model_pack();
    write_bytes(m.path, m.bytes, m.size);
    kiln_status status = face_detector_open(m.path, &detector, &error);
    ck_assert_msg(status == KILN_OK, "%s", error.message);
}

static void close_detector(void) {
    face_detector_close(&detector);
    remove_folder();
}

/* A plan trained on two samples, with sections; NULL: without that one. */
static kiln_plan *trained(const kiln_span *record, const kiln_span *plan) {
    kiln_train_options options;
    kiln_trainer *trainer;
    kiln_plan *result;
    float samples[2][4] = {{1, 0, 1, 0}, {0, 1, 0, 1}};
    kiln_train_options_init(&options);
    options.class_count = 2;
    options.input_rank = 1;
    options.input_dims[0] = 4;
    options.epochs = 1;
    GOOD(kiln_trainer_create(NULL, &options, &trainer, &error));
    for (uint32_t k = 0; k < 2; k++) {
        GOOD(kiln_trainer_add_features(trainer, KILN_TRAINING, samples[k], k, &error));
    }
    GOOD(kiln_trainer_fit(trainer, NULL, &error));
    if (record != NULL) {
        GOOD(kiln_trainer_attach(trainer, KILN_PLAN_DETECTOR, *record, &error));
    }
    if (plan != NULL) {
        GOOD(kiln_trainer_attach(trainer, KILN_PLAN_DETECTOR_PLAN, *plan, &error));
    }
    GOOD(kiln_trainer_save(trainer, in_folder("trained.plan"), &error));
    kiln_trainer_destroy(trainer);
    GOOD(kiln_plan_open(in_folder("trained.plan"), NULL, &result, &error));
    return result;
}

static kiln_span record_span(const kiln_plan_detector_record *record) {
    return (kiln_span){record, sizeof *record};
}

/* ---- Sections ------------------------------------------------------------------------------ */

START_TEST(a_plan_says_nothing_of_itself) {
    kiln_plan_detector found;
    kiln_detector *inside;
    kiln_plan *plan = trained(NULL, NULL);
    GOOD(kiln_plan_find_detector(plan, &found, &error));
    ck_assert(!found.present && !found.bundled);
    ck_assert_int_eq(kiln_detector_open_bundled(plan, NULL, &inside, &error), KILN_ERROR_ARGUMENT);
    ck_assert_ptr_null(inside);
    kiln_plan_close(plan);
}
END_TEST

START_TEST(a_plan_remembers_its_detector) {
    kiln_plan_detector found;
    kiln_detector *inside;
    kiln_span record = record_span(&detector.record);
    kiln_plan *plan = trained(&record, NULL);
    GOOD(kiln_plan_find_detector(plan, &found, &error));
    ck_assert(found.present && !found.bundled);
    ck_assert_str_eq(found.record.family, "SCRFD");
    ck_assert_str_eq(found.record.name, "model.onnx");
    ck_assert_uint_eq(found.record.level_count, 3);
    ck_assert_uint_eq(found.record.strides[2], 32);
    ck_assert_uint_eq(found.record.anchors[0], 2);
    ck_assert_uint_eq(found.record.flags, KILN_DETECTOR_HAS_POINTS | KILN_DETECTOR_SECOND_LOOK);
    ck_assert_int_eq(kiln_detector_open_bundled(plan, NULL, &inside, &error), KILN_ERROR_ARGUMENT);
    kiln_plan_close(plan);
}
END_TEST

/* The detector inside finds what the one of the file finds, and does not need it any more. */
START_TEST(a_bundled_detector_finds_faces) {
    kiln_detector *inside, *outside;
    kiln_face a[4], b[4];
    size_t a_count, b_count;
    kiln_span record = record_span(&detector.record);
    kiln_plan *plan = trained(&record, &detector.bytes);
    marked_picture(rgb, SIDE);
    marked_face(rgb, SIDE, 1, 2, 0);
    marked_face(rgb, SIDE, 3, 0, 1);
    GOOD(face_detector_session(&detector, 1, &outside, &error));
    GOOD(kiln_detector_find(outside, &image, a, 4, &a_count, &error));
    kiln_detector_destroy(outside);
    face_detector_close(&detector);
    GOOD(kiln_detector_open_bundled(plan, NULL, &inside, &error));
    GOOD(kiln_detector_find(inside, &image, b, 4, &b_count, &error));
    ck_assert_uint_eq(a_count, 2);
    ck_assert_uint_eq(b_count, 2);
    ck_assert_mem_eq(a, b, sizeof *a * 2);
    kiln_detector_destroy(inside);
    kiln_plan_close(plan);
}
END_TEST

/* Each call of the caller's allocator in turn is refused. */
START_TEST(the_end_of_memory_is_told) {
    kiln_span record = record_span(&detector.record);
    kiln_plan_close(trained(&record, &detector.bytes));
    marked_picture(rgb, SIDE);
    marked_face(rgb, SIDE, 1, 2, 0);
    for (size_t refused = 1, reached = 1; reached; refused++) {
        ledger l = {.refused = refused};
        const kiln_allocator allocator = ledger_allocator(&l);
        const kiln_plan_options opening = {.size = sizeof opening, .allocator = &allocator};
        kiln_plan *plan = NULL;
        kiln_detector *inside = NULL;
        kiln_face found[2];
        size_t count = 0;
        kiln_status status = kiln_plan_open(in_folder("trained.plan"), &opening, &plan, &error);
        status =
            status == KILN_OK ? kiln_detector_open_bundled(plan, NULL, &inside, &error) : status;
        status = status == KILN_OK ? kiln_detector_find(inside, &image, found, 2, &count, &error)
                                   : status;
        kiln_detector_destroy(inside);
        kiln_plan_close(plan);
        reached = l.calls >= refused;
        ck_assert_msg(status == (reached ? KILN_ERROR_MEMORY : KILN_OK), "call %zu: %s: %s",
                      refused, kiln_status_name(status), error.message);
        ck_assert(count == !reached && ledger_is_even(&l));
    }
}
END_TEST

/* As many as there is room for, of a batch; each is the cell that it was drawn in. */
START_TEST(faces_become_images_of_a_batch) {
    static const kiln_tensor_info input = {.name = "input",
                                           .dtype = KILN_F32,
                                           .rank = 4,
                                           .dims = {1, 3, CELL, CELL},
                                           .batched = true,
                                           .bytes = sizeof(float) * 3 * CELL * CELL};
    static const kiln_preprocess plain = {
        .present = true, .crop_fraction = 1, .scale = {1, 1, 1, 1}};
    static float inputs[2][3][CELL][CELL];
    kiln_detector *session;
    kiln_face faces[2];
    size_t count;
    marked_picture(rgb, SIDE);
    for (size_t k = 0; k < 3; k++) {
        marked_face(rgb, SIDE, k, k, 3);
    }
    GOOD(face_detector_session(&detector, 1, &session, &error));
    kiln_buffer both = {inputs, sizeof inputs}, one = {inputs, sizeof inputs[0]};
    GOOD(kiln_detector_find(session, &image, faces, 2, &count, &error));
    ck_assert_uint_eq(count, 2);
    for (uint32_t k = 0; k < 2; k++) {
        GOOD(kiln_face_to_input(&image, &faces[k], &input, &plain, k, both, &error));
        ck_assert_float_eq_tol(inputs[k][0][CELL / 2][CELL / 2], 255, 0.5);
        ck_assert_float_eq_tol(inputs[k][1][4][CELL - 5], 0, 0.5);
    }
    ck_assert_int_eq(kiln_face_to_input(&image, &faces[1], &input, &plain, 1, one, &error),
                     KILN_ERROR_ARGUMENT);
    kiln_detector_destroy(session);
}
END_TEST

typedef struct damage {
    size_t offset, size;
    uint32_t value;
} damage;
#define AT(member) offsetof(kiln_plan_detector_record, member)
static const damage damages[] = {
    {AT(family), 1, 0},
    {AT(family) + 15, 1, 'x'},
    {AT(name) + 62, 1, 'x'},
    {AT(width), 4, 0},
    {AT(height), 4, 0},
    {AT(level_count), 4, 0},
    {AT(level_count), 4, 6},
    {AT(level_count), 4, 2},
    {AT(strides) + 4, 4, 0},
    {AT(anchors), 4, 0},
    {AT(score), 4, 0x7fc00000},
    {AT(score), 4, 0x40000000},
    {AT(overlap), 4, 0xbf800000},
    {AT(preprocess.scale) + 4, 4, 0x7f800000},
    {AT(preprocess.bias), 4, 0x7fc00000},
};

START_TEST(damaged_records_are_refused) {
    const damage *d = &damages[_i];
    kiln_plan_detector_record record = detector.record;
    kiln_plan_detector found;
    memcpy((char *)&record + d->offset, &d->value, d->size);
    kiln_span span = record_span(&record);
    kiln_plan *plan = trained(&span, &detector.bytes), *inside;
    ck_assert_int_eq(kiln_plan_find_detector(plan, &found, &error), KILN_ERROR_FORMAT);
    ck_assert(!found.present);
    ck_assert_int_eq(kiln_plan_open_detector(plan, NULL, &inside, &error), KILN_ERROR_FORMAT);
    kiln_plan_close(plan);
}
END_TEST

/* Whatever a record says, it is refused, or there is a detector by it. */
START_TEST(any_record_is_survived) {
    marked_picture(rgb, SIDE);
    for (size_t bit = 0; bit < sizeof(kiln_plan_detector_record) * 8; bit += 3) {
        kiln_plan_detector_record record = detector.record;
        kiln_detector *inside;
        kiln_face face;
        size_t count;
        ((uint8_t *)&record)[bit / 8] ^= (uint8_t)(1 << bit % 8);
        kiln_span span = record_span(&record);
        kiln_plan *plan = trained(&span, &detector.bytes);
        if (kiln_detector_open_bundled(plan, NULL, &inside, &error) == KILN_OK) {
            GOOD(kiln_detector_find(inside, &image, &face, 1, &count, &error));
            kiln_detector_destroy(inside);
        } else {
            ck_assert_int_eq(error.status, KILN_ERROR_FORMAT);
        }
        kiln_plan_close(plan);
    }
}
END_TEST

START_TEST(records_of_other_sizes_are_refused) {
    kiln_plan_detector found;
    kiln_span shorter = {&detector.record, sizeof detector.record - 1};
    kiln_plan *plan = trained(&shorter, NULL);
    ck_assert_int_eq(kiln_plan_find_detector(plan, &found, &error), KILN_ERROR_FORMAT);
    kiln_plan_close(plan);
}
END_TEST

/* What is inside is validated as any plan, must be the one that the record speaks of, and a
 * detector. */
START_TEST(what_is_inside_is_not_trusted) {
    kiln_detector *inside;
    kiln_span record = record_span(&detector.record);
    uint8_t *bytes = malloc(detector.bytes.size);
    memcpy(bytes, detector.bytes.data, detector.bytes.size);
    kiln_span cut = {bytes, detector.bytes.size / 2}, whole = {bytes, detector.bytes.size};
    kiln_plan *plan = trained(&record, &cut);
    ck_assert_int_eq(kiln_detector_open_bundled(plan, NULL, &inside, &error), KILN_ERROR_FORMAT);
    ck_assert_msg(strstr(error.message, "face detector inside") != NULL, "%s", error.message);
    kiln_plan_close(plan);
    bytes[400] ^= 1;
    plan = trained(&record, &whole);
    ck_assert_int_eq(kiln_detector_open_bundled(plan, NULL, &inside, &error), KILN_ERROR_FORMAT);
    kiln_plan_close(plan);
    bytes[400] ^= 1;
    kiln_plan_detector_record another = detector.record;
    another.plan_checksum++;
    record = record_span(&another);
    plan = trained(&record, &whole);
    ck_assert_int_eq(kiln_detector_open_bundled(plan, NULL, &inside, &error), KILN_ERROR_FORMAT);
    ck_assert_msg(strstr(error.message, "another") != NULL, "%s", error.message);
    kiln_plan_close(plan);
    free(bytes);
}
END_TEST

/* ---- Which faces --------------------------------------------------------------------------- */

static kiln_face box(float left, float top, float side) {
    return (kiln_face){.left = left, .top = top, .right = left + side, .bottom = top + side};
}

START_TEST(the_largest_near_the_middle_counts) {
    kiln_face faces[3] = {box(0, 0, 30), box(85, 85, 28), box(90, 90, 10)};
    ck_assert_uint_eq(faces_choose(FACES_LARGEST, faces, 3, 200, 200), 1);
    ck_assert_float_eq(faces[0].left, 85);
    kiln_face close[2] = {box(60, 60, 20), box(80, 80, 90)};
    ck_assert_uint_eq(faces_choose(FACES_LARGEST, close, 2, 200, 200), 1);
    ck_assert_float_eq(close[0].left, 80);
    ck_assert_uint_eq(faces_choose(FACES_LARGEST, faces, 0, 200, 200), 0);
}
END_TEST

START_TEST(all_or_the_only_one_count) {
    kiln_face faces[2] = {box(0, 0, 30), box(85, 85, 28)};
    ck_assert_uint_eq(faces_choose(FACES_ALL, faces, 2, 200, 200), 2);
    ck_assert_float_eq(faces[0].left, 85);
    ck_assert_uint_eq(faces_choose(FACES_ONLY, faces, 2, 200, 200), 0);
    ck_assert_uint_eq(faces_choose(FACES_ONLY, faces, 1, 200, 200), 1);
}
END_TEST

/* ---- How good ------------------------------------------------------------------------------ */

/* Noise with as much in each octave, as photographs have, blurred `times` by the mean of 3x3, which
 * is a Gaussian of standard deviation sqrt(times * 2 / 3). */
static void draw_noise(int times) {
    static float now[SIDE][SIDE], next[SIDE][SIDE];
    uint32_t state = 1;
    memset(now, 0, sizeof now);
    for (size_t cell = 2; cell <= 32; cell *= 2) {
        for (size_t k = 0; k < SIDE / cell * (SIDE / cell); k++) {
            state = state * 1664525u + 1013904223u;
            size_t left = k % (SIDE / cell) * cell, top = k / (SIDE / cell) * cell;
            for (size_t i = 0; i < cell * cell; i++) {
                now[top + i / cell][left + i % cell] += (float)(state >> 24) * (float)cell / 62;
            }
        }
    }
    for (int t = 0; t < times; t++) {
        for (size_t y = 1; y + 1 < SIDE; y++) {
            for (size_t x = 1; x + 1 < SIDE; x++) {
                float sum = 0;
                for (size_t k = 0; k < 9; k++) {
                    sum += now[y + k / 3 - 1][x + k % 3 - 1];
                }
                next[y][x] = sum / 9;
            }
        }
        memcpy(now, next, sizeof now);
    }
    for (size_t k = 0; k < (size_t)SIDE * SIDE; k++) {
        memset(rgb + k * 3, (int)now[k / SIDE][k % SIDE], 3);
    }
}

/* The template as it is, turned by an angle. */
static kiln_face upright(double angle) {
    kiln_face face = box(70, 70, 112);
    face.point_count = KILN_FACE_POINTS;
    for (size_t k = 0; k < KILN_FACE_POINTS; k++) {
        double u = (double)kiln_face_template[k][0] - 56, v = (double)kiln_face_template[k][1] - 56;
        face.points[k][0] = (float)(128 + cos(angle) * u - sin(angle) * v);
        face.points[k][1] = (float)(128 + sin(angle) * u + cos(angle) * v);
    }
    return face;
}

START_TEST(blur_rises_with_every_blurring) {
    double last = -1;
    kiln_face face = upright(0);
    for (int times = 0; times <= 8; times += 2) {
        face_quality q;
        draw_noise(times);
        GOOD(face_quality_of(&image, &face, &q, &error));
        ck_assert_double_gt(q.blur, last);
        ck_assert_double_le(q.blur, 1);
        ck_assert_msg(times > 0 || q.blur < FACE_BLURRED, "sharp noise has %g", q.blur);
        ck_assert_msg(times < 8 || q.blur > FACE_BLURRED, "blurred noise has %g", q.blur);
        last = q.blur;
    }
}
END_TEST

START_TEST(size_and_angle_are_those_of_the_eyes) {
    face_quality q;
    kiln_face face = upright(0.5), bare = box(0, 0, 100);
    draw_noise(0);
    GOOD(face_quality_of(&image, &face, &q, &error));
    ck_assert_double_eq_tol(q.eyes, 35.24, 0.02);
    ck_assert_double_eq_tol(q.angle, 0.5 * 180 / M_PI - 0.32, 0.02);
    GOOD(face_quality_of(&image, &bare, &q, &error));
    ck_assert_double_eq_tol(q.eyes, 42, 0.01);
    ck_assert_double_eq(q.angle, 0);
}
END_TEST

int main(void) {
    const suite_test tests[] = {
        TEST("section", a_plan_says_nothing_of_itself),
        TEST("section", a_plan_remembers_its_detector),
        TEST("section", a_bundled_detector_finds_faces),
        TEST("section", the_end_of_memory_is_told),
        TEST("section", faces_become_images_of_a_batch),
        EACH("section", damaged_records_are_refused, damages),
        TEST("section", any_record_is_survived),
        TEST("section", records_of_other_sizes_are_refused),
        TEST("section", what_is_inside_is_not_trusted),
        TEST("choice", the_largest_near_the_middle_counts),
        TEST("choice", all_or_the_only_one_count),
        TEST("quality", blur_rises_with_every_blurring),
        TEST("quality", size_and_angle_are_those_of_the_eyes),
    };
    return SUITE("trained_detector", tests, .begin = open_detector, .end = close_detector);
}
