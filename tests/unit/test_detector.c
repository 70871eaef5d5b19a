/* Detectors: a whole one, whose faces are white squares. */
#include "runtime/faces/detector.h"
#include "tests/unit/compiled_model.h"
#include "tests/unit/suite.h"

#include <math.h>

static kiln_error error;

/* ---- Allocations --------------------------------------------------------------------------- */

#ifndef __SANITIZE_ADDRESS__ /* which has an allocator of its own */
static size_t allocations;

/* NOLINTNEXTLINE(bugprone-reserved-identifier,cert-dcl37-c,cert-dcl51-cpp): the name of glibc */
extern void *__libc_malloc(size_t size);
/* NOLINTNEXTLINE(bugprone-reserved-identifier,cert-dcl37-c,cert-dcl51-cpp) */
extern void *__libc_calloc(size_t count, size_t size);
__attribute__((visibility("default"))) void *malloc(size_t size);
void *malloc(size_t size) {
    allocations++;
    return __libc_malloc(size);
}
__attribute__((visibility("default"))) void *calloc(size_t count, size_t size);
void *calloc(size_t count, size_t size) {
    allocations++;
    return __libc_calloc(count, size);
}
#endif

/* White is 127.5 / 128. */
static void assert_box(const kiln_face *f, double left, double top, double right, double bottom) {
    ck_assert_double_eq_tol((double)f->left, left, 0.2);
    ck_assert_double_eq_tol((double)f->top, top, 0.2);
    ck_assert_double_eq_tol((double)f->right, right, 0.2);
    ck_assert_double_eq_tol((double)f->bottom, bottom, 0.2);
}

static void assert_point(const kiln_face *f, size_t k, double x, double y) {
    ck_assert_double_eq_tol((double)f->points[k][0], x, 0.2);
    ck_assert_double_eq_tol((double)f->points[k][1], y, 0.2);
}

/* ---- A detector of white squares ----------------------------------------------------------- */

/* An SCRFD of 64x64 whose first anchors of stride 8 see squares that are white: of a white cell at
 * c, r the box reaches 8 pixels to the left and 16 to each other side of (8 c, 8 r), and point k
 * lies 2 k to the right and 3 k below. Distances follow the brightness: at a white cell x is 1. */
static float weights[9][20 * 3 * 8 * 8];

static void make_detector(kiln_plan **out_plan) {
    static const char *const names[] = {"s8", "s16", "s32", "b8", "b16", "b32", "p8", "p16", "p32"};
    static const char *const nodes[] = {"x w0", "x w1", "x w2", "x w3", "x w4",
                                        "x w5", "x w6", "x w7", "x w8"};
    static int64_t dims[9][4], strides[3][2] = {{8, 8}, {16, 16}, {32, 32}};
    model_begin(13);
    model_input((char *)(uintptr_t) "x", FLOAT, "1 3 64 64");
    for (size_t k = 0; k < 9; k++) {
        static const int64_t numbers_of[] = {1, 4, 10};
        int64_t stride = strides[k % 3][0], channels = 2 * numbers_of[k / 3];
        int64_t side = k % 3 == 0 ? stride : 1; /* the other levels see nothing */
        size_t each = (size_t)(3 * side * side);
        memcpy(dims[k], (int64_t[]){channels, 3, side, side}, sizeof *dims);
        for (size_t c = 0; k % 3 == 0 && c < (size_t)numbers_of[k / 3]; c++) {
            size_t point = c / 2;
            float to = k == 0 ? 8 : k == 3 ? (c == 0 ? 1 : 2) : (float)point * (c % 2 ? 3 : 2) / 8;
            for (size_t w = 0; w < each; w++) {
                weights[k][c * each + w] = to / (float)each;
            }
        }
        set_raw(model_initializer((char *)(uintptr_t)(nodes[k] + 2), FLOAT, 4, dims[k]), weights[k],
                (size_t)channels * each * sizeof(float));
        Onnx__AttributeProto *a = model_attribute(
            model_node((char *)(uintptr_t) "Conv", nodes[k], names[k]),
            (char *)(uintptr_t) "strides", ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__INTS);
        a->ints = strides[k % 3];
        a->n_ints = 2;
        model_output((char *)(uintptr_t)names[k], FLOAT);
    }
    COMPILED(NULL, NULL);
    ck_assert_int_eq(kiln_plan_open(in_folder("plan"), NULL, out_plan, &error), KILN_OK);
}

enum { SCENE = 256 };
static uint8_t scene[SCENE * SCENE * 4];

static kiln_image scene_with(kiln_image_format format, uint32_t side, uint32_t left, uint32_t top,
                             uint32_t size) {
    uint32_t bytes = format == KILN_IMAGE_GRAY ? 1 : format == KILN_IMAGE_RGB ? 3 : 4;
    memset(scene, 0, sizeof scene);
    for (uint32_t y = top; y < top + size; y++) {
        memset(scene + ((size_t)y * side + left) * bytes, 255, (size_t)size * bytes);
    }
    return (kiln_image){.format = format,
                        .width = side,
                        .height = side,
                        .pixels = scene,
                        .stride = (size_t)side * bytes};
}

static const kiln_image_format formats[] = {KILN_IMAGE_RGB, KILN_IMAGE_BGRA, KILN_IMAGE_GRAY};

/* A square of 16 pixels at 48, 32 of 128, and 4 around it, as edges are blurred: of the input's 64,
 * 8 pixels at cell 3, 2. */
START_TEST(squares_are_found_where_they_are) {
    kiln_plan *plan;
    kiln_detector *detector;
    kiln_face faces[4];
    size_t count;
    make_detector(&plan);
    ck_assert_str_eq(kiln_detector_family(plan), "SCRFD");
    ck_assert_msg(kiln_detector_create(plan, NULL, &detector, &error) == KILN_OK, "%s",
                  error.message);
    kiln_image image = scene_with(formats[_i], 128, 44, 28, 24);
    ck_assert_int_eq(kiln_detector_find(detector, &image, faces, 4, &count, &error), KILN_OK);
    ck_assert_uint_eq(count, 1);
    ck_assert_float_gt(faces[0].score, 0.99F);
    assert_box(&faces[0], 48 - 16, 32 - 32, 48 + 32, 32 + 32);
    assert_point(&faces[0], 0, 48, 32);
    assert_point(&faces[0], 4, 48 + 16, 32 + 24);
    image = scene_with(formats[_i], 128, 44, 28, 24);
    image.rotation = 180; /* the square's other corner is now at 64, 80 */
    ck_assert_int_eq(kiln_detector_find(detector, &image, faces, 4, &count, &error), KILN_OK);
    ck_assert_uint_eq(count, 1);
    assert_point(&faces[0], 0, 64, 80);
    kiln_detector_destroy(detector);
    kiln_plan_close(plan);
}
END_TEST

/* A square of 24 of 256 pixels is 6 of the input's 64, in four cells, and more than one cell of a
 * quarter's. */
START_TEST(a_second_look_finds_small_ones) {
    kiln_plan *plan;
    kiln_detector *detector;
    kiln_face faces[4];
    size_t count;
    make_detector(&plan);
    for (int once = 0; once < 2; once++) {
        kiln_detector_options options = {.size = sizeof options, .once = once != 0};
        ck_assert_int_eq(kiln_detector_create(plan, &options, &detector, &error), KILN_OK);
        kiln_image image = scene_with(KILN_IMAGE_RGB, SCENE, 112 + 33, 51, 24);
        ck_assert_int_eq(kiln_detector_find(detector, &image, faces, 4, &count, &error), KILN_OK);
        ck_assert_uint_eq(count, once ? 0 : 1);
        if (!once) {
            assert_point(&faces[0], 0, 112 + 36, 54);
            assert_point(&faces[0], 1, 112 + 36 + 4.5, 54 + 6.75);
        }
        kiln_detector_destroy(detector);
    }
    kiln_plan_close(plan);
}
END_TEST

#ifndef __SANITIZE_ADDRESS__
START_TEST(finding_allocates_nothing) {
    kiln_plan *plan;
    kiln_detector *detector;
    kiln_face faces[4];
    size_t count = 0;
    make_detector(&plan);
    ck_assert_int_eq(kiln_detector_create(plan, NULL, &detector, &error), KILN_OK);
    const kiln_image images[] = {scene_with(KILN_IMAGE_RGB, 128, 44, 28, 24),
                                 scene_with(KILN_IMAGE_GRAY, SCENE, 0, 0, 3)};
    for (size_t k = 0; k < 2; k++) {
        allocations = 0; /* assertions allocate */
        kiln_status status = kiln_detector_find(detector, &images[k], faces, 4, &count, &error);
        size_t after = allocations;
        ck_assert_int_eq(status, KILN_OK);
        ck_assert_uint_eq(after, 0);
    }
    kiln_detector_destroy(detector);
    kiln_plan_close(plan);
}
END_TEST
#endif

START_TEST(other_networks_are_refused) {
    kiln_plan *plan;
    kiln_detector *detector;
    relu_model("1 3 8 8");
    COMPILED(NULL, NULL);
    ck_assert_int_eq(kiln_plan_open(in_folder("plan"), NULL, &plan, &error), KILN_OK);
    ck_assert_int_eq(kiln_detector_create(plan, NULL, &detector, &error), KILN_ERROR_UNSUPPORTED);
    ck_assert_ptr_null(detector);
    ck_assert_ptr_null(kiln_detector_family(plan));
    ck_assert_ptr_nonnull(strstr(error.message, "'y' 1x3x8x8"));
    ck_assert_ptr_nonnull(strstr(error.message, "YuNet"));
    kiln_plan_close(plan);
    make_detector(&plan);
    kiln_detector_options options = {.size = sizeof options, .score = NAN};
    ck_assert_int_eq(kiln_detector_create(plan, &options, &detector, &error), KILN_ERROR_ARGUMENT);
    options = (kiln_detector_options){.size = sizeof(kiln_detector_options), .overlap = 1.5F};
    ck_assert_int_eq(kiln_detector_create(plan, &options, &detector, &error), KILN_ERROR_ARGUMENT);
    ck_assert_int_eq(kiln_detector_create(plan, NULL, &detector, &error), KILN_OK);
    kiln_face faces[1];
    size_t count = 7;
    kiln_image image = {0};
    ck_assert_int_eq(kiln_detector_find(detector, &image, faces, 1, &count, &error),
                     KILN_ERROR_ARGUMENT);
    ck_assert_uint_eq(count, 0);
    kiln_detector_destroy(detector);
    kiln_plan_close(plan);
}
END_TEST

/* The mean of an aligned face, by a network that is Relu of 1 x 1: the whole pipeline in one call.
 */
START_TEST(a_recogniser_gives_faces_to_a_network) {
    kiln_plan *plan, *network;
    kiln_detector *detector;
    kiln_recogniser *recogniser;
    kiln_face faces[4];
    float rows[4 * 3 * 16];
    size_t count;
    make_detector(&plan);
    ck_assert_int_eq(kiln_detector_create(plan, NULL, &detector, &error), KILN_OK);
    ck_assert_int_eq(kiln_recogniser_create(detector, plan, NULL, &recogniser, &error),
                     KILN_ERROR_UNSUPPORTED);
    remove_folder();
    make_folder();
    relu_model("1 3 4 4");
    COMPILED(NULL, NULL);
    ck_assert_int_eq(kiln_plan_open(in_folder("plan"), NULL, &network, &error), KILN_OK);
    kiln_preprocess half = {.present = true, .scale = {0.5F, 0.5F, 0.5F}, .bias = {1, 1, 1}};
    kiln_recogniser_options options = {.size = sizeof options, .preprocess = &half};
    ck_assert_int_eq(kiln_recogniser_create(detector, network, &options, &recogniser, &error),
                     KILN_OK);
    ck_assert_uint_eq(kiln_recogniser_numbers(recogniser), 48);
    kiln_image image = scene_with(KILN_IMAGE_RGB, 128, 44, 28, 24);
    ck_assert_int_eq(kiln_recogniser_run(recogniser, &image, faces, rows, 4, &count, &error),
                     KILN_OK);
    ck_assert_uint_eq(count, 1);
    uint8_t crop[48];
    ck_assert_int_eq(kiln_face_crop(&image, &faces[0], 4, 4, crop, &error), KILN_OK);
    for (size_t k = 0; k < 48; k++) {
        size_t channel = k / 16;
        ck_assert_float_eq(rows[k], (float)crop[k % 16 * 3 + channel] * 0.5F + 1);
    }
    kiln_recogniser_destroy(recogniser);
    kiln_detector_destroy(detector);
    kiln_plan_close(network);
    kiln_plan_close(plan);
}
END_TEST

int main(void) {
    const suite_test tests[] = {
        EACH("detector", squares_are_found_where_they_are, formats),
        TEST("detector", a_second_look_finds_small_ones),
#ifndef __SANITIZE_ADDRESS__
        TEST("detector", finding_allocates_nothing),
#endif
        TEST("detector", other_networks_are_refused),
        TEST("detector", a_recogniser_gives_faces_to_a_network),
    };
    return SUITE("detector", tests, .begin = make_folder, .end = remove_folder);
}
