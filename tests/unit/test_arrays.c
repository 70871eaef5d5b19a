/* Arrays that kiln run reads and writes: shapes and batches of inputs, file names of outputs. */
#include "compiler/cli/array_files.h"
#include "compiler/import/import.h"
#include "tests/unit/suite.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

static kiln_error error;

static const kiln_tensor_info picture = {
    .name = "x", .dtype = KILN_F32, .rank = 4, .dims = {1, 3, 8, 8}};
static const kiln_tensor_info open_batch = {
    .name = "y", .dtype = KILN_F32, .rank = 2, .dims = {2, 5}, .batched = true};

static kiln_value value_of(uint32_t rank, const uint32_t *dims) {
    kiln_value value = {.name = "", .dtype = KILN_F32, .rank = rank};
    for (uint32_t d = 0; d < rank; d++) {
        value.dims[d] = dims[d];
    }
    return value;
}

static void check_refused(const kiln_tensor_info *info, uint32_t rank, const uint32_t *dims,
                          const char *message) {
    kiln_value value = value_of(rank, dims);
    uint32_t batch = 0;
    ck_assert_int_eq(value_batch(&value, info, &batch, &error), KILN_ERROR_ARGUMENT);
    ck_assert_str_eq(error.message, message);
}

/* As many elements are not enough. */
START_TEST(inputs_have_their_shape) {
    uint32_t batch = 0;
    kiln_value value = value_of(4, (uint32_t[]){1, 3, 8, 8});
    ck_assert_int_eq(value_batch(&value, &picture, &batch, &error), KILN_OK);
    ck_assert_uint_eq(batch, 0);
    check_refused(&picture, 4, (uint32_t[]){1, 8, 8, 3},
                  "input 'x' is 1x3x8x8, the file holds 1x8x8x3");
    check_refused(&picture, 3, (uint32_t[]){3, 8, 8}, "input 'x' is 1x3x8x8, the file holds 3x8x8");
    check_refused(&picture, 4, (uint32_t[]){2, 3, 8, 8},
                  "input 'x' is 1x3x8x8, the file holds 2x3x8x8");
    check_refused(&picture, 4, (uint32_t[]){1, 3, 4, 16},
                  "input 'x' is 1x3x8x8, the file holds 1x3x4x16; this plan fixes its size at 8x8");
    check_refused(&picture, 0, (uint32_t[]){0}, "input 'x' is 1x3x8x8, the file holds scalar");
}
END_TEST

START_TEST(batches_are_one) {
    uint32_t batch = 0;
    kiln_value value = value_of(2, (uint32_t[]){6, 5});
    ck_assert_int_eq(value_batch(&value, &open_batch, &batch, &error), KILN_OK);
    ck_assert_uint_eq(batch, 3);
    value.dims[0] = 4;
    ck_assert_int_eq(value_batch(&value, &open_batch, &batch, &error), KILN_ERROR_ARGUMENT);
    ck_assert_str_eq(error.message, "input 'y' holds a batch of 2, an input before it one of 3");
    check_refused(&open_batch, 2, (uint32_t[]){3, 5}, "input 'y' is N*2x5, the file holds 3x5");
    check_refused(&open_batch, 2, (uint32_t[]){0, 5}, "input 'y' is N*2x5, the file holds 0x5");
    check_refused(&open_batch, 2, (uint32_t[]){5, 2}, "input 'y' is N*2x5, the file holds 5x2");
}
END_TEST

START_TEST(file_names_do_not_collide) {
    static const struct {
        const char *prefix, *name, *path;
    } cases[] = {{NULL, "a/b", "f/a_b.npy"},
                 {NULL, "a:b", "f/a_b~2.npy"},
                 {NULL, "a_b", "f/a_b~3.npy"},
                 {NULL, "A_B", "f/A_B~4.npy"},
                 {NULL, "a_b~2", "f/a_b_2.npy"},
                 {NULL, "a\x1b\n\xff", "f/a___.npy"},
                 {NULL, "", "f/output.npy"},
                 {NULL, "..", "f/...npy"},
                 {"cat.jpg", "y", "f/cat.jpg.y.npy"},
                 {"cat.jpg", "y", "f/cat.jpg.y~2.npy"},
                 {"cat", "jpg.y", "f/cat.jpg.y~3.npy"},
                 {NULL, "顔", "f/顔.npy"}};
    array_files files = {0};
    for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
        const char *path = array_file(&files, "f", cases[k].prefix, cases[k].name);
        ck_assert_ptr_nonnull(path);
        ck_assert_str_eq(path, cases[k].path);
    }
    char *large = malloc(3001);
    memset(large, 'n', 3000);
    large[3000] = '\0';
    const char *path = array_file(&files, "f", NULL, large);
    ck_assert_ptr_nonnull(path);
    ck_assert_uint_le(strlen(path), 2 + 255);
    ck_assert_str_ne(array_file(&files, "f", NULL, large), path);
    free(large);
    array_files_free(&files);
}
END_TEST

int main(void) {
    const suite_test tests[] = {
        TEST("inputs", inputs_have_their_shape),
        TEST("inputs", batches_are_one),
        TEST("files", file_names_do_not_collide),
    };
    return SUITE("arrays", tests);
}
