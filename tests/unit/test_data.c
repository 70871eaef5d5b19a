/* Training data: folders, arrays, splits, and what is wrong with them; the cache of features. */
#include "compiler/cli/data/cache.h"
#include "compiler/cli/data/data.h"
#include "tests/scratch.h"
#include "tests/unit/suite.h"
#include <kiln/compile.h>

#include <check.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

static kiln_error error;
static char folder[64];

static void enter(void) {
    snprintf(folder, sizeof folder, "/tmp/kiln-data-XXXXXX");
    ck_assert(mkdtemp(folder) != NULL && chdir(folder) == 0);
}

static void leave(void) {
    ck_assert(chdir("/") == 0);
    ck_assert(scratch_remove(folder));
}

static void write_file(const char *path, const void *bytes, size_t size) {
    FILE *file = fopen(path, "wb");
    ck_assert(file != NULL && fwrite(bytes, 1, size, file) == size && fclose(file) == 0);
}

/* A gray picture of one pixel. */
static void write_picture(const char *path, int shade) {
    char text[32];
    int length = snprintf(text, sizeof text, "P5 1 1 255\n%c", shade);
    write_file(path, text, (size_t)length);
}

static void make_classes(int classes, int pictures) {
    ck_assert(mkdir("data", 0777) == 0);
    for (int c = 0; c < classes; c++) {
        char path[64];
        snprintf(path, sizeof path, "data/class%d", c);
        ck_assert(mkdir(path, 0777) == 0);
        for (int k = 0; k < pictures; k++) {
            snprintf(path, sizeof path, "data/class%d/%d.pgm", c, k);
            write_picture(path, 1 + c * 50 + k);
        }
    }
}

static size_t count_of(const data_set *data, uint32_t label, bool validation) {
    size_t count = 0;
    for (size_t k = 0; k < data->count; k++) {
        count += data->items[k].label == label && data->items[k].validation == validation;
    }
    return count;
}

#define REFUSED(options, text)                                                                     \
    do {                                                                                           \
        data_set refused;                                                                          \
        ck_assert_int_ne(data_open("data", options, &refused, &error), KILN_OK);                   \
        ck_assert_msg(strstr(error.message, text) != NULL, "'%s': %s", text, error.message);       \
        ck_assert_ptr_null(refused.items);                                                         \
    } while (0)

START_TEST(splits_each_class_by_seed) {
    data_options options = {.validation = 0.3, .seed = 1};
    data_set a, b, c;
    make_classes(3, 10);
    ck_assert_msg(data_open("data", &options, &a, &error) == KILN_OK, "%s", error.message);
    ck_assert_int_eq(data_open("data", &options, &b, &error), KILN_OK);
    options.seed = 2;
    ck_assert_int_eq(data_open("data", &options, &c, &error), KILN_OK);
    ck_assert_uint_eq(a.class_count, 3);
    ck_assert_str_eq(a.classes[2], "class2");
    bool other = false;
    for (uint32_t label = 0; label < 3; label++) {
        ck_assert_uint_eq(count_of(&a, label, true), 3);
        ck_assert_uint_eq(count_of(&a, label, false), 7);
    }
    for (size_t k = 0; k < a.count; k++) {
        ck_assert(a.items[k].validation == b.items[k].validation);
        other = other || a.items[k].validation != c.items[k].validation;
    }
    ck_assert(other);
    data_free(&a);
    data_free(&b);
    data_free(&c);
    options = (data_options){.train_per_class = 4};
    ck_assert_int_eq(data_open("data", &options, &a, &error), KILN_OK);
    ck_assert_uint_eq(count_of(&a, 1, false), 4);
    ck_assert_uint_eq(count_of(&a, 1, true), 6);
    data_free(&a);
}
END_TEST

static void check_warned(const data_set *data, const char *text) {
    bool found = false;
    for (size_t k = 0; k < data->warning_count; k++) {
        found = found || strstr(data->warnings[k].text, text) != NULL;
    }
    ck_assert_msg(found, "no warning '%s'", text);
}

START_TEST(lists_what_it_skips) {
    data_options options = {.validation = 0.2};
    data_set data;
    make_classes(2, 5);
    write_file("data/class0/empty.jpg", "", 0);
    write_file("data/class0/notes.txt", "not a picture", 13);
    ck_assert(mkdir("data/class0/inner", 0777) == 0);
    write_picture("data/class0/inner/nested.pgm", 200);
    ck_assert(symlink(".", "data/class0/loop") == 0);
    ck_assert(symlink("..", "data/class1/up") == 0);
    ck_assert(symlink("nowhere", "data/class1/broken.png") == 0);
    ck_assert(symlink("../class0/0.pgm", "data/class1/.hidden.pgm") == 0);
    ck_assert_msg(data_open("data", &options, &data, &error) == KILN_OK, "%s", error.message);
    ck_assert_uint_eq(data.count, 11);
    ck_assert_uint_eq(data.skipped_count, 3);
    ck_assert_ptr_nonnull(strstr(data.skipped[0].text, "empty.jpg: empty"));
    ck_assert_str_eq(data.skipped[0].text + data.skipped[0].why, "empty");
    check_warned(&data, "data/class0: files in folders inside of it, taken as the class's own: 1");
    check_warned(&data, "data/class0: linked folders, passed over: 1");
    check_warned(&data, "data/class1: linked folders, passed over: 1");
    data_free(&data);
    options.strict = true;
    REFUSED(&options, "empty.jpg");
}
END_TEST

START_TEST(a_loop_of_folders_ends) {
    data_options options = {.validation = 0.2};
    data_set data;
    make_classes(2, 4);
    ck_assert(symlink("../data", "data/again") == 0); /* a class made of the classes' folders */
    ck_assert_msg(data_open("data", &options, &data, &error) == KILN_OK, "%s", error.message);
    ck_assert_uint_eq(data.class_count, 2);
    check_warned(&data, "data/again: a link to a folder around it");
    data_free(&data);
}
END_TEST

/* An archive of macOS, unpacked: beside the classes stand __MACOSX and hidden files. */
START_TEST(what_archives_leave_makes_no_class) {
    data_options options = {.validation = 0.2};
    data_set data;
    make_classes(2, 4);
    ck_assert(mkdir("data/__MACOSX", 0777) == 0 && mkdir("data/__MACOSX/class0", 0777) == 0);
    ck_assert(mkdir("data/empty", 0777) == 0 && mkdir("data/class1/__MACOSX", 0777) == 0);
    ck_assert(mkdir("data/hollow", 0777) == 0 && mkdir("data/hollow/inner", 0777) == 0);
    write_file("data/__MACOSX/class0/._0.pgm", "x", 1);
    write_file("data/class1/__MACOSX/._0.pgm", "x", 1);
    write_file("data/class0/.DS_Store", "x", 1);
    write_file("data/.DS_Store", "x", 1);
    ck_assert_msg(data_open("data", &options, &data, &error) == KILN_OK, "%s", error.message);
    ck_assert_uint_eq(data.class_count, 2);
    ck_assert_uint_eq(data.count, 8);
    ck_assert_uint_eq(data.skipped_count, 0);
    ck_assert_uint_eq(data.warning_count, 3);
    check_warned(&data, "data/__MACOSX: hidden, passed over");
    check_warned(&data, "data/empty: no files, so no class");
    check_warned(&data, "data/hollow: no files, so no class");
    data_free(&data);
}
END_TEST

START_TEST(a_class_says_why_it_has_no_pictures) {
    data_options options = {.validation = 0.2};
    make_classes(2, 4);
    ck_assert(mkdir("data/ada", 0777) == 0);
    write_file("data/ada/1.jxl", "\xff\x0a", 2);
    write_file("data/ada/2.jxl", "\xff\x0a", 2);
    write_file("data/ada/3.jpg", "", 0);
    REFUSED(&options, "class 'ada': none of its 3 pictures can be used; 2: JPEG XL pictures");
    REFUSED(&options, ", 1: empty");
}
END_TEST

START_TEST(pictures_have_a_least_size) {
    rgb_picture picture;
    write_picture("dot.pgm", 1);
    ck_assert_int_eq(picture_load("dot.pgm", &picture, &error), KILN_ERROR_UNSUPPORTED);
    ck_assert_msg(strstr(error.message, "dot.pgm: 1x1 pixels show nothing") != NULL, "%s",
                  error.message);
    ck_assert_ptr_null(picture.rgb);
    write_file("small.pgm", "P5 4 4 255\n0123456789abcdef", 27);
    ck_assert_int_eq(picture_load("small.pgm", &picture, &error), KILN_OK);
    picture_free(&picture);
}
END_TEST

START_TEST(keeps_copies_on_one_side) {
    data_options options = {.validation = 0.5, .seed = 3};
    data_set data;
    make_classes(2, 8);
    for (int k = 0; k < 8; k++) {
        char path[64];
        snprintf(path, sizeof path, "data/class0/copy%d.pgm", k);
        write_picture(path, 1 + k);
    }
    write_picture("data/class1/of-class-0.pgm", 1);
    ck_assert_int_eq(data_open("data", &options, &data, &error), KILN_OK);
    for (size_t a = 0; a < data.count; a++) {
        for (size_t b = 0; b < data.count; b++) {
            bool same = data.items[a].content == data.items[b].content;
            ck_assert(!same || data.items[a].validation == data.items[b].validation);
        }
    }
    bool moved = false, two = false;
    for (size_t k = 0; k < data.warning_count; k++) {
        moved = moved || strstr(data.warnings[k].text, "moved to training") != NULL;
        two = two || strstr(data.warnings[k].text, "two classes") != NULL;
    }
    ck_assert(moved && two);
    data_free(&data);
}
END_TEST

/* Two samples, opened; whether they count as pictures. */
static bool opened_as_pictures(kiln_dtype dtype, uint32_t rank, const uint32_t *dims,
                               const void *values, data_set *out_data) {
    data_options options = {0};
    int32_t y[2] = {0, 1};
    kiln_value samples = {.name = "x", .dtype = dtype, .rank = rank + 1, .dims = {2}};
    kiln_value labels = {.name = "y", .dtype = KILN_I32, .rank = 1, .dims = {2}, .data = y};
    memcpy(samples.dims + 1, dims, rank * sizeof *dims);
    samples.data = (void *)(uintptr_t)values;
    ck_assert_int_eq(kiln_value_save_npy(&samples, "p-x.npy", &error), KILN_OK);
    ck_assert_int_eq(kiln_value_save_npy(&labels, "p-y.npy", &error), KILN_OK);
    ck_assert_msg(data_open("p-x.npy", &options, out_data, &error) == KILN_OK, "%s", error.message);
    return out_data->pictures;
}

START_TEST(knows_pictures_among_arrays) {
    data_set data;
    int64_t bytes[48];
    float numbers[48];
    for (int k = 0; k < 48; k++) {
        bytes[k] = (int64_t)5 * k;
        numbers[k] = (float)k / 47;
    }
    ck_assert(opened_as_pictures(KILN_I64, 2, (uint32_t[]){4, 6}, bytes, &data));
    ck_assert(data.rank == 3 && data.dims[0] == 1 && data.dims[1] == 4 && data.dims[2] == 6);
    ck_assert_float_eq(data.values[7], 35);
    data_free(&data);
    ck_assert(opened_as_pictures(KILN_I64, 3, (uint32_t[]){4, 2, 3}, bytes, &data));
    ck_assert(data.dims[0] == 3 && data.dims[1] == 4 && data.dims[2] == 2);
    ck_assert_float_eq(data.values[8 + 1], 5 * 4); /* green of the second pixel */
    data_free(&data);
    ck_assert(opened_as_pictures(KILN_F32, 3, (uint32_t[]){3, 4, 2}, numbers, &data));
    ck_assert_float_eq_tol(data.values[47], 255, 1e-4f);
    data_free(&data);
    /* Rows; channels of neither 1 nor 3; HxW beyond 1; below 0: numbers, unchanged. */
    ck_assert(!opened_as_pictures(KILN_F32, 1, (uint32_t[]){24}, numbers, &data));
    ck_assert_float_eq(data.values[47], 1);
    data_free(&data);
    ck_assert(!opened_as_pictures(KILN_I64, 3, (uint32_t[]){2, 3, 4}, bytes, &data));
    data_free(&data);
    numbers[0] = 2;
    ck_assert(!opened_as_pictures(KILN_F32, 2, (uint32_t[]){4, 6}, numbers, &data));
    data_free(&data);
    numbers[0] = -1;
    ck_assert(!opened_as_pictures(KILN_F32, 3, (uint32_t[]){1, 4, 6}, numbers, &data));
    ck_assert_float_eq(data.values[47], 1);
    data_free(&data);
}
END_TEST

START_TEST(warns_of_equal_array_samples) {
    data_options options = {.validation = 0.25, .last = true};
    data_set data;
    float x[8] = {0, 1, 2, 3, 4, 5, 6, 1};
    int32_t y[8] = {0, 1, 0, 1, 0, 1, 0, 1};
    kiln_value samples = {.name = "x", .dtype = KILN_F32, .rank = 2, .dims = {8, 1}, .data = x};
    kiln_value labels = {.name = "y", .dtype = KILN_I32, .rank = 1, .dims = {8}, .data = y};
    ck_assert_int_eq(kiln_value_save_npy(&samples, "set-x.npy", &error), KILN_OK);
    ck_assert_int_eq(kiln_value_save_npy(&labels, "set-y.npy", &error), KILN_OK);
    ck_assert_msg(data_open("set-x.npy", &options, &data, &error) == KILN_OK, "%s", error.message);
    ck_assert_uint_eq(data_count(&data, true), 2); /* the split is as it was asked for */
    ck_assert_uint_eq(data.warning_count, 1);
    ck_assert_str_eq(data.warnings[0].text, "1 validation sample also stood in training");
    data_free(&data);
}
END_TEST

START_TEST(measures_on_one_class) {
    data_options options = {.to_measure = true};
    data_set data;
    ck_assert(mkdir("data", 0777) == 0 && mkdir("data/one", 0777) == 0);
    REFUSED(&options, "no files in its sub-folders");
    write_picture("data/one/a.pgm", 1);
    ck_assert_msg(data_open("data", &options, &data, &error) == KILN_OK, "%s", error.message);
    ck_assert_uint_eq(data.count, 1);
    data_free(&data);
}
END_TEST

START_TEST(refuses_what_cannot_be_learned) {
    data_options options = {.validation = 0.2};
    ck_assert(mkdir("data", 0777) == 0);
    REFUSED(&options, "no sub-folders");
    ck_assert(mkdir("data/one", 0777) == 0);
    REFUSED(&options, "no files in its sub-folders");
    write_picture("data/one/a.pgm", 1);
    write_picture("data/one/b.pgm", 2);
    REFUSED(&options, "one class only");
    ck_assert(mkdir("data/two", 0777) == 0);
    write_file("data/two/a.pgm", "", 0);
    REFUSED(&options, "'two': none of its 1 picture can be used; 1: empty");
    ck_assert_int_ne(data_open("nothing", &options, &(data_set){0}, &error), KILN_OK);
}
END_TEST

START_TEST(takes_a_second_folder_for_validation) {
    data_options options = {.validation_path = "other"};
    data_set data;
    make_classes(2, 4);
    ck_assert(mkdir("other", 0777) == 0 && mkdir("other/class1", 0777) == 0);
    write_picture("other/class1/x.pgm", 200);
    ck_assert_msg(data_open("data", &options, &data, &error) == KILN_OK, "%s", error.message);
    ck_assert_uint_eq(count_of(&data, 0, false), 4);
    ck_assert_uint_eq(count_of(&data, 1, true), 1);
    data_free(&data);
    ck_assert(mkdir("other/stranger", 0777) == 0);
    write_picture("other/stranger/y.pgm", 201);
    REFUSED(&options, "'stranger' is not among");
}
END_TEST

/* ---- Arrays -------------------------------------------------------------------------------- */

static void write_idx(uint32_t promised, size_t bytes) {
    uint8_t images[16 + 64] = {0, 0, 8, 3, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 2};
    images[4] = (uint8_t)(promised >> 24);
    images[7] = (uint8_t)promised;
    for (size_t k = 0; k < 64; k++) {
        images[16 + k] = (uint8_t)k;
    }
    write_file("t-images-idx3-ubyte", images, 16 + bytes);
    uint8_t labels[8 + 10] = {0, 0, 8, 1, 0, 0, 0, 10, 0, 1, 2, 0, 1, 2, 0, 1, 2, 0};
    write_file("t-labels-idx1-ubyte", labels, sizeof labels);
}

START_TEST(reads_idx_files) {
    data_options options = {.validation = 0.2, .last = true};
    data_set data;
    write_idx(10, 40);
    ck_assert_msg(data_open("t-images-idx3-ubyte", &options, &data, &error) == KILN_OK, "%s",
                  error.message);
    ck_assert_uint_eq(data.count, 10);
    ck_assert_uint_eq(data.class_count, 3);
    ck_assert_uint_eq(data.sample_size, 4);
    ck_assert_float_eq(data.values[5], 5);
    ck_assert(!data.items[7].validation && data.items[8].validation && data.items[9].validation);
    data_free(&data);
    write_idx(10, 39); /* cut short */
    ck_assert_int_eq(data_open("t-images-idx3-ubyte", &options, &data, &error), KILN_ERROR_FORMAT);
    write_idx(0x7f00000a, 40); /* promises thousands of millions */
    ck_assert_int_eq(data_open("t-images-idx3-ubyte", &options, &data, &error), KILN_ERROR_FORMAT);
    write_idx(9, 40); /* labels do not match */
    ck_assert_int_eq(data_open("t-images-idx3-ubyte", &options, &data, &error), KILN_ERROR_FORMAT);
    ck_assert(unlink("t-labels-idx1-ubyte") == 0);
    ck_assert_int_eq(data_open("t-images-idx3-ubyte", &options, &data, &error), KILN_ERROR_IO);
}
END_TEST

/* gzip packs blank pictures a thousand times: some KB would become gigabytes. */
START_TEST(refuses_what_unpacks_without_end) {
    data_options options = {.validation = 0.2, .last = true};
    data_set data;
    uint8_t header[16] = {0, 0, 8, 3, 0, 0, 0, 16, 0, 0, 4, 0, 0, 0, 4, 0}; /* 16 of 1024x1024 */
    static const uint8_t blank[1 << 20];
    gzFile file = gzopen("t-images-idx3-ubyte", "wb");
    ck_assert_int_eq(gzwrite(file, header, sizeof header), (int)sizeof header);
    for (int k = 0; k < 16; k++) {
        ck_assert_int_eq(gzwrite(file, blank, sizeof blank), (int)sizeof blank);
    }
    ck_assert_int_eq(gzclose(file), Z_OK);
    ck_assert_int_eq(data_open("t-images-idx3-ubyte", &options, &data, &error),
                     KILN_ERROR_UNSUPPORTED);
    ck_assert_ptr_nonnull(strstr(error.message, "says it holds 16777216"));
    ck_assert_ptr_null(data.values);
}
END_TEST

START_TEST(reads_npy_files) {
    data_options options = {.validation = 0.25};
    data_set data;
    float x[8][3];
    int64_t y[8];
    for (int k = 0; k < 8; k++) {
        x[k][0] = x[k][1] = x[k][2] = (float)k;
        y[k] = k % 2;
    }
    kiln_value samples = {.name = "x", .dtype = KILN_F32, .rank = 2, .dims = {8, 3}, .data = x};
    kiln_value labels = {.name = "y", .dtype = KILN_I64, .rank = 1, .dims = {8}, .data = y};
    ck_assert_int_eq(kiln_value_save_npy(&samples, "set-x.npy", &error), KILN_OK);
    ck_assert_int_eq(kiln_value_save_npy(&labels, "set-y.npy", &error), KILN_OK);
    ck_assert_msg(data_open("set-x.npy", &options, &data, &error) == KILN_OK, "%s", error.message);
    ck_assert_uint_eq(data.count, 8);
    ck_assert_uint_eq(data.rank, 1);
    ck_assert_uint_eq(data_count(&data, true), 2);
    data_free(&data);
    x[3][1] = 0.0f / 0.0f;
    ck_assert_int_eq(kiln_value_save_npy(&samples, "set-x.npy", &error), KILN_OK);
    ck_assert_int_eq(data_open("set-x.npy", &options, &data, &error), KILN_ERROR_FORMAT);
    x[3][1] = 0;
    y[2] = -1;
    ck_assert_int_eq(kiln_value_save_npy(&samples, "set-x.npy", &error), KILN_OK);
    ck_assert_int_eq(kiln_value_save_npy(&labels, "set-y.npy", &error), KILN_OK);
    ck_assert_int_eq(data_open("set-x.npy", &options, &data, &error), KILN_ERROR_FORMAT);
}
END_TEST

/* ---- Cache --------------------------------------------------------------------------------- */

static off_t cache_size(uint64_t key) {
    char path[64];
    struct stat about;
    snprintf(path, sizeof path, "cache/features-%016llx", (unsigned long long)key);
    ck_assert(stat(path, &about) == 0);
    return about.st_size;
}

START_TEST(the_cache_survives_damage) {
    feature_cache *cache;
    float row[3] = {1, 2, 3}, found[3];
    cache_open("cache", 7, 3, &cache);
    ck_assert_ptr_nonnull(cache);
    for (uint64_t k = 0; k < 300; k++) {
        row[0] = (float)k;
        cache_add(cache, k, k % 2, row);
    }
    ck_assert(cache_find(cache, 299, 1, found) && found[0] == 299);
    ck_assert(!cache_find(cache, 299, 0, found));
    cache_close(cache);
    /* Cut anywhere in the last record: that one is gone, the rest is there, and it grows again. */
    off_t whole = cache_size(7);
    ck_assert(truncate("cache/features-0000000000000007", whole - 5) == 0);
    cache_open("cache", 7, 3, &cache);
    ck_assert(!cache_find(cache, 299, 1, found) && cache_find(cache, 298, 0, found));
    cache_add(cache, 299, 1, row);
    cache_close(cache);
    ck_assert(cache_size(7) == whole);
    /* A flipped bit: nothing wrong is ever given out. */
    FILE *file = fopen("cache/features-0000000000000007", "r+b");
    ck_assert(file != NULL && fseeko(file, whole / 2, SEEK_SET) == 0);
    int byte = fgetc(file);
    ck_assert(fseeko(file, whole / 2, SEEK_SET) == 0 && fputc(byte ^ 1, file) >= 0 &&
              fclose(file) == 0);
    cache_open("cache", 7, 3, &cache);
    for (uint64_t k = 0; k < 300; k++) {
        ck_assert(!cache_find(cache, k, k % 2, found) || found[0] == (float)k);
    }
    cache_close(cache);
    /* Another network's features are another file; a second run at once has none. */
    feature_cache *second;
    cache_open("cache", 8, 3, &cache);
    ck_assert(!cache_find(cache, 5, 1, found));
    cache_open("cache", 8, 3, &second);
    ck_assert_ptr_null(second);
    cache_add(second, 1, 1, row);
    cache_close(cache);
}
END_TEST

int main(void) {
    const suite_test tests[] = {
        TEST("folders", splits_each_class_by_seed),
        TEST("folders", lists_what_it_skips),
        TEST("folders", a_loop_of_folders_ends),
        TEST("folders", what_archives_leave_makes_no_class),
        TEST("folders", a_class_says_why_it_has_no_pictures),
        TEST("folders", pictures_have_a_least_size),
        TEST("folders", keeps_copies_on_one_side),
        TEST("folders", refuses_what_cannot_be_learned),
        TEST("folders", takes_a_second_folder_for_validation),
        TEST("arrays", knows_pictures_among_arrays),
        TEST("arrays", warns_of_equal_array_samples),
        TEST("arrays", reads_npy_files),
        TEST("idx", reads_idx_files),
        TEST("idx", refuses_what_unpacks_without_end),
        TEST("metrics", measures_on_one_class),
        TEST("cache", the_cache_survives_damage),
    };
    return SUITE("data", tests, .begin = enter, .end = leave);
}
