/* Pictures by words, folders and lists; the formats of answers. */
#include "compiler/cli/answers.h"
#include "compiler/cli/paths.h"
#include "tests/scratch.h"
#include "tests/unit/suite.h"

#include <check.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static kiln_error error;
static char folder[64];
static path_list found;
static size_t passed_over;

static void enter(void) {
    snprintf(folder, sizeof folder, "/tmp/kiln-paths-XXXXXX");
    ck_assert(mkdtemp(folder) != NULL && chdir(folder) == 0);
}

static void leave(void) {
    path_list_free(&found);
    ck_assert(chdir("/") == 0);
    ck_assert(scratch_remove(folder));
}

static void put(const char *path, const char *text, size_t size) {
    FILE *file = fopen(path, "wb");
    ck_assert(file != NULL && fwrite(text, 1, size, file) == size && fclose(file) == 0);
}

static void put_picture(const char *path) {
    put(path, "P5 1 1 255\nx", 12);
}

static void make_photos(void) {
    ck_assert(mkdir("photos", 0777) == 0 && mkdir("photos/b", 0777) == 0);
    ck_assert(mkdir("photos/__MACOSX", 0777) == 0 && mkdir("photos/.cache", 0777) == 0);
    ck_assert(mkdir("photos/empty", 0777) == 0);
    put_picture("photos/c.pgm");
    put_picture("photos/B.pgm");
    put_picture("photos/b/a \xc3\xa4.pgm");
    put_picture("photos/.hidden.pgm");
    put_picture("photos/__MACOSX/._c.pgm");
    put_picture("photos/.cache/c.pgm");
    put("photos/notes.txt", "notes", 5);
    ck_assert(symlink("..", "photos/up") == 0);
    ck_assert(symlink("nowhere", "photos/d.png") == 0);
    ck_assert(mkfifo("photos/pipe", 0777) == 0);
}

static void expect(const char *const *paths, size_t count) {
    ck_assert_uint_eq(found.count, count);
    for (size_t k = 0; k < count; k++) {
        ck_assert_str_eq(found.paths[k], paths[k]);
    }
}
#define EXPECT(...)                                                                                \
    expect((const char *const[]){__VA_ARGS__},                                                     \
           sizeof((const char *const[]){__VA_ARGS__}) / sizeof(char *))

static kiln_status expand(const char *word, const char *list) {
    char *words[] = {(char *)(uintptr_t)word};
    path_list_free(&found);
    return paths_expand(words, word != NULL, list, &found, &passed_over, &error);
}

START_TEST(a_folder_stands_for_its_pictures) {
    make_photos();
    ck_assert_msg(expand("photos", NULL) == KILN_OK, "%s", error.message);
    EXPECT("photos/B.pgm", "photos/b/a \xc3\xa4.pgm", "photos/c.pgm", "photos/d.png");
    ck_assert_uint_eq(passed_over, 3); /* notes, link to a folder, FIFO */
    ck_assert(expand("photos/", NULL) == KILN_OK);
    ck_assert_str_eq(found.paths[0], "photos/B.pgm");
}
END_TEST

START_TEST(a_file_is_taken_as_it_is) {
    make_photos();
    ck_assert(expand("photos/notes.txt", NULL) == KILN_OK);
    EXPECT("photos/notes.txt");
    ck_assert(expand("missing.jpg", NULL) == KILN_OK);
    EXPECT("missing.jpg");
    ck_assert(expand("photos/.hidden.pgm", NULL) == KILN_OK);
    EXPECT("photos/.hidden.pgm");
}
END_TEST

START_TEST(lists_have_lines_of_every_kind) {
    static const char list[] = "\xef\xbb\xbf"
                               "first.jpg\r\n\n two words.jpg \n\xc3\xa4.jpg\nphotos/b\r\n#5.jpg";
    make_photos();
    put("list", list, sizeof list - 1);
    ck_assert_msg(expand("x.png", "list") == KILN_OK, "%s", error.message);
    EXPECT("x.png", "first.jpg", " two words.jpg ", "\xc3\xa4.jpg", "photos/b/a \xc3\xa4.pgm",
           "#5.jpg");
}
END_TEST

START_TEST(what_is_no_list_is_refused) {
    char longest[5000];
    ck_assert(expand(NULL, "missing") == KILN_ERROR_IO && strstr(error.message, "missing"));
    ck_assert(expand(NULL, ".") == KILN_ERROR_IO);
    put("binary", "a.jpg\n\0\0\0", 9);
    ck_assert(expand(NULL, "binary") == KILN_ERROR_FORMAT && strstr(error.message, "line 2"));
    memset(longest, 'a', sizeof longest);
    put("long", longest, sizeof longest);
    ck_assert(expand(NULL, "long") == KILN_ERROR_FORMAT && strstr(error.message, "line 1"));
    ck_assert(expand(NULL, "/dev/zero") == KILN_ERROR_FORMAT);
    put("empty", "\n\r\n", 3);
    ck_assert(expand(NULL, "empty") == KILN_ERROR_ARGUMENT && strstr(error.message, "no pictures"));
    ck_assert(mkdir("none", 0777) == 0);
    ck_assert(expand("none", NULL) == KILN_ERROR_ARGUMENT && strstr(error.message, "none"));
    ck_assert_ptr_null(found.paths);
}
END_TEST

START_TEST(what_lies_in_a_folder_is_counted) {
    folder_rest rest = {0};
    make_photos();
    ck_assert(paths_in_folder("photos", &found, &rest, &error) == KILN_OK);
    ck_assert_uint_eq(found.count, 5);
    ck_assert_uint_eq(rest.nested, 1);
    ck_assert_uint_eq(rest.hidden, 3);
    ck_assert_uint_eq(rest.links, 1);
    ck_assert_uint_eq(rest.special, 1);
}
END_TEST

START_TEST(very_deep_folders_end) {
    folder_rest rest = {0};
    for (int k = 0; k < 70; k++) {
        ck_assert(mkdir("d", 0777) == 0 && chdir("d") == 0);
    }
    ck_assert(chdir(folder) == 0);
    ck_assert(paths_in_folder("d", &found, &rest, &error) == KILN_ERROR_UNSUPPORTED);
}
END_TEST

/* ---- Shards -------------------------------------------------------------------------------- */

static path_shards shards;

static kiln_status expand_shards(const char *word, const char *list, uint32_t first, uint32_t last,
                                 uint32_t of) {
    char *words[] = {(char *)(uintptr_t)word};
    const shard_range range = {first, last, of};
    path_shards_free(&shards);
    return paths_shards(words, word != NULL, list, &range, &shards, &error);
}

/* Seven files named a to g, shared among 1 to 9, one or several at a time. */
START_TEST(shards_are_all_files_once_and_in_order) {
    put("list", "a\nb\nc\nd\ne\nf\ng\n", 14);
    for (uint32_t of = 1; of <= 9; of++) {
        for (uint32_t each = 1; each <= of; each++) {
            char seen[16] = "";
            for (uint32_t first = 0; first < of; first += each) {
                uint32_t last = first + each <= of ? first + each - 1 : of - 1;
                ck_assert_msg(expand_shards(NULL, "list", first, last, of) == KILN_OK, "%s",
                              error.message);
                ck_assert_uint_eq(shards.count, 7);
                for (uint32_t k = 0; k <= last - first; k++) {
                    size_t held = shards.begins[k + 1] - shards.begins[k];
                    ck_assert(held == 7 / of || held == (7 + of - 1) / of);
                }
                ck_assert_uint_eq(shards.begins[0], 0);
                ck_assert_uint_eq(shards.begins[last - first + 1], shards.pictures.count);
                for (size_t k = 0; k < shards.pictures.count; k++) {
                    strcat(seen, shards.pictures.paths[k]);
                }
            }
            ck_assert_str_eq(seen, "abcdefg");
        }
    }
    path_shards_free(&shards);
}
END_TEST

START_TEST(shards_of_folders_count_what_is_no_picture) {
    make_photos();
    ck_assert(expand_shards("photos", NULL, 0, 0, 1) == KILN_OK);
    ck_assert_uint_eq(shards.count, 5);
    ck_assert_uint_eq(shards.pictures.count, 4); /* the notes are none */
    ck_assert_uint_eq(shards.passed_over, 3);
    uint64_t whole = shards.fingerprint;
    ck_assert(expand_shards("photos", NULL, 1, 1, 2) == KILN_OK);
    ck_assert(shards.fingerprint == whole);
    ck_assert_str_eq(shards.pictures.paths[0], "photos/c.pgm");
    put_picture("photos/e.pgm");
    ck_assert(expand_shards("photos", NULL, 1, 1, 2) == KILN_OK);
    ck_assert(shards.fingerprint != whole);
    path_shards_free(&shards);
}
END_TEST

START_TEST(shards_of_lists_are_of_files) {
    make_photos();
    put("list", "photos\nphotos/c.pgm\n", 20);
    ck_assert(expand_shards(NULL, "list", 0, 0, 1) == KILN_OK);
    ck_assert_uint_eq(shards.count, 2);
    ck_assert_str_eq(shards.pictures.paths[0], "photos");
    path_shards_free(&shards);
}
END_TEST

START_TEST(shards_of_nothing_are_refused) {
    put("empty", "\n", 1);
    ck_assert(expand_shards(NULL, "empty", 0, 0, 1) == KILN_ERROR_ARGUMENT);
    ck_assert(expand_shards(NULL, "missing", 0, 0, 1) == KILN_ERROR_IO);
    ck_assert(expand_shards(NULL, "/dev/zero", 0, 0, 1) == KILN_ERROR_FORMAT);
    ck_assert(expand_shards(NULL, ".", 0, 0, 1) == KILN_ERROR_IO);
    ck_assert_ptr_null(shards.begins);
}
END_TEST

/* ---- Answers ------------------------------------------------------------------------------- */

static void check_answers(answer_format format, const char *expected) {
    answers a;
    char *text;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    answers_begin(&a, out, format, "x");
    for (int k = 0; k < 2; k++) {
        answers_next(&a);
        fprintf(out, "%d", k);
        answers_close(&a);
    }
    answers_end(&a);
    fclose(out);
    ck_assert_str_eq(text, expected);
    free(text);
}

START_TEST(formats_differ_around_answers) {
    check_answers(ANSWERS_TEXT, "0\n1\n");
    check_answers(ANSWERS_JSON, "[0,\n 1]\n");
    check_answers(ANSWERS_JSONL, "0\n1\n");
    check_answers(ANSWERS_CSV, "x\n0\n1\n");
}
END_TEST

START_TEST(fields_are_quoted_where_they_need_it) {
    static const char *const cases[][2] = {{"a b", "a b"},         {"a,b", "\"a,b\""},
                                           {"a\"b", "\"a\"\"b\""}, {"a\nb", "a\\nb"},
                                           {"", "\"\""},           {"\x1b[m", "\\x1b[m"}};
    for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
        char *text;
        size_t size;
        FILE *out = open_memstream(&text, &size);
        csv_string(out, cases[k][0]);
        fclose(out);
        ck_assert_str_eq(text, cases[k][1]);
        free(text);
    }
}
END_TEST

int main(void) {
    const suite_test tests[] = {
        TEST("paths", a_folder_stands_for_its_pictures),
        TEST("paths", a_file_is_taken_as_it_is),
        TEST("paths", lists_have_lines_of_every_kind),
        TEST("paths", what_is_no_list_is_refused),
        TEST("paths", what_lies_in_a_folder_is_counted),
        TEST("paths", very_deep_folders_end),
        TEST("shards", shards_are_all_files_once_and_in_order),
        TEST("shards", shards_of_folders_count_what_is_no_picture),
        TEST("shards", shards_of_lists_are_of_files),
        TEST("shards", shards_of_nothing_are_refused),
        TEST("answers", formats_differ_around_answers),
        TEST("answers", fields_are_quoted_where_they_need_it),
    };
    return SUITE("paths", tests, .begin = enter, .end = leave);
}
