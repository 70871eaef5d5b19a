/* What is read of many pictures: JSON, labels, parts of features. */
#include "compiler/cli/row_writer.h"
#include "compiler/cli/shards/json_walk.h"
#include "compiler/cli/shards/labels.h"
#include "compiler/cli/shards/part_set.h"
#include "tests/scratch.h"
#include "tests/unit/suite.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static kiln_error error;
static char folder[64], told[4096];
static labels *all;
static part_set set;

static void enter(void) {
    snprintf(folder, sizeof folder, "/tmp/kiln-shards-XXXXXX");
    ck_assert(mkdtemp(folder) != NULL && chdir(folder) == 0);
    told[0] = '\0';
}

static void leave(void) {
    labels_close(all);
    part_set_close(&set);
    ck_assert(chdir("/") == 0);
    ck_assert(scratch_remove(folder));
}

static void put(const char *path, const char *text) {
    FILE *file = fopen(path, "wb");
    ck_assert(file != NULL && fputs(text, file) >= 0 && fclose(file) == 0);
}

static void tell(const char *format, ...) {
    va_list values;
    size_t used = strlen(told);
    va_start(values, format);
    vsnprintf(told + used, sizeof told - used, format, values);
    va_end(values);
}

/* ---- JSON ---------------------------------------------------------------------------------- */

static void take_member(void *context, unsigned depth, const char *name, const char *string,
                        double number) {
    ck_assert_ptr_null(context);
    tell("%u %s %s %g;", depth, name, string != NULL ? string : "-", number);
}

static kiln_status walk(const char *text) {
    return json_walk((kiln_span){text, strlen(text)}, take_member, NULL, &error);
}

START_TEST(walks_through_members) {
    ck_assert_int_eq(walk(" {\"a\": \"x\\\"\\u00e4\\ud83d\\ude00\", \"b\": [1, {\"c\": -2.5e1}, "
                          "[{\"d\": null}]],\r\n \"e\": {\"f\": true}, \"g\": 7, \"h\": []} \n"),
                     KILN_OK);
    ck_assert_str_eq(told, "1 a x\"\xc3\xa4\xf0\x9f\x98\x80 0;2 c - -25;2 d - 0;2 f - 0;1 g - 7;");
}
END_TEST

static const struct {
    const char *text, *message;
} wrong[] = {
    {"", "end of file"},
    {"{", "end of file"},
    {"7", "'[' or '{' expected"},
    {"[{\"a\": 1}]", "a list, where an object is expected"},
    {"{\"a\": 1} x", "end of file expected"},
    {"{\"a\": 1, }", "string or '}' expected near '}' (behind 10 bytes)"},
    {"{\"a\" 1}", "':' expected near '1' (behind 6 bytes)"},
    {"{\"a\": 01}", "invalid token"},
    {"{\"a\": NaN}", "invalid token"},
    {"{\"a\": 1e999}", "real number overflow"},
    {"{\"a\": \"x\ty\"}", "control character 0x9"},
    {"{\"a\": \"\\x\"}", "invalid escape"},
    {"{\"a\": \"\\ud800\"}", "invalid Unicode"},
    {"{\"a\": \"\\u0000\"}", "\\u0000 is not allowed"},
    {"{\"a\": \"\xff\"}", "unable to decode byte 0xff"},
    {"{\"a\": 1, \"a\": 2}", "duplicate object key"},
    {"{\"a\": [[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]}", "nested deeper than 16"},
};

START_TEST(says_what_was_found) {
    error = (kiln_error){0};
    ck_assert_int_ne(walk(wrong[_i].text), KILN_OK);
    ck_assert_msg(strstr(error.message, wrong[_i].message) != NULL, "%s: %s", wrong[_i].text,
                  error.message);
}
END_TEST

START_TEST(nests_as_deep_as_is_said) {
    ck_assert_int_eq(walk("{\"a\": [[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]}"), KILN_OK);
}
END_TEST

/* Recursion, and memory, have limits of their own. */
START_TEST(has_limits) {
    size_t size = JSON_MOST_BYTES + 1;
    char *text = malloc(size);
    ck_assert_ptr_nonnull(text);
    memset(text, '[', size);
    ck_assert_int_eq(json_walk((kiln_span){text, size}, take_member, NULL, &error),
                     KILN_ERROR_UNSUPPORTED);
    ck_assert_int_eq(json_walk((kiln_span){text, size - 1}, take_member, NULL, &error),
                     KILN_ERROR_FORMAT);
    free(text);
}
END_TEST

/* ---- Labels -------------------------------------------------------------------------------- */

static void expect_label(const char *image, const char *label) {
    uint32_t class_number;
    bool full, there = labels_find(all, image, &class_number, &full);
    ck_assert_msg(there == (label != NULL) && !full, "%s", image);
    ck_assert(label == NULL || strcmp(labels_class(all, class_number), label) == 0);
}

static void open_labels(const char *text) {
    put("labels", text);
    ck_assert_msg(labels_open("labels", &all, &error) == KILN_OK, "%s", error.message);
}

START_TEST(labels_in_lines_of_json) {
    open_labels("\xef\xbb\xbf{\"label\": \"ada\", \"image\": \"a, 1.png\", \"x\": {\"label\": "
                "\"no\"}}\r\n\n{\"image\": \"b.png\", \"label\": \"\\u00e4\"}");
    ck_assert_uint_eq(labels_class_count(all), 2);
    expect_label("a, 1.png", "ada");
    expect_label("b.png", "\xc3\xa4");
    expect_label("c.png", NULL);
}
END_TEST

START_TEST(labels_in_csv) {
    open_labels("path,label\n\"a, \"\"1\"\".png\",ada\nb.png,bruno\r\nb.png,bruno\n");
    ck_assert_uint_eq(labels_class_count(all), 2);
    expect_label("a, \"1\".png", "ada");
    expect_label("b.png", "bruno");
    expect_label("path", NULL);
}
END_TEST

START_TEST(labels_by_folders) {
    ck_assert_int_eq(labels_open(NULL, &all, &error), KILN_OK);
    expect_label("x/ada/1.png", "ada");
    expect_label("1.png", NULL);
    labels_close(all);
    ck_assert_int_eq(labels_open("people/", &all, &error), KILN_OK);
    expect_label("people/bruno/more/1.png", "bruno");
    expect_label("others/bruno/1.png", NULL);
}
END_TEST

static const struct {
    const char *text, *message;
} wrong_labels[] = {
    {"a.png,ada\nb.png\n", "labels: line 2: expected IMAGE,LABEL, or"},
    {"{\"image\": \"a.png\"}\n", "labels: line 1: expected IMAGE,LABEL, or"},
    {"a.png,\n", "line 1: expected"},
    {"a.png,ada\n\n{\"image\": \"b.png\" \"label\": \"x\"}\n", "line 3: expected"},
    {"{\"image\": \"b.png\" \"label\": \"x\"}\n", "found: '}' expected near '\"label\"'"},
    {"a.png,ada\na.png,bruno\n", "line 2: 'a.png' is 'bruno', and was 'ada' before"},
};

START_TEST(refuses_labels_with_their_line) {
    put("labels", wrong_labels[_i].text);
    ck_assert_int_eq(labels_open("labels", &all, &error), KILN_ERROR_FORMAT);
    ck_assert_ptr_null(all);
    ck_assert_msg(strstr(error.message, wrong_labels[_i].message) != NULL, "%s", error.message);
}
END_TEST

START_TEST(refuses_labels_that_are_too_long) {
    char name[1 << 14], text[(1 << 14) + 64];
    memset(name, 'x', sizeof name);
    snprintf(text, sizeof text, "{\"image\": \"%.*s\", \"label\": \"a\"}", (int)sizeof name, name);
    put("labels", text);
    ck_assert_int_eq(labels_open("labels", &all, &error), KILN_ERROR_UNSUPPORTED);
    ck_assert_ptr_nonnull(strstr(error.message, "over 16383 bytes"));
}
END_TEST

/* ---- Parts --------------------------------------------------------------------------------- */

static char *part = "part-00000.npy";

/* Two rows of two; `lines` is what they are of. */
static void put_part(const char *about, const char *lines) {
    static const float rows[2][2] = {{1, 2}, {3, 4}};
    char text[1024];
    row_writer w;
    ck_assert_int_eq(row_writer_begin(&w, part, 2, &error), KILN_OK);
    ck_assert_int_eq(row_writer_add(&w, rows[0], &error), KILN_OK);
    ck_assert_int_eq(row_writer_add(&w, rows[1], &error), KILN_OK);
    ck_assert_int_eq(row_writer_end(&w, KILN_OK, &error), KILN_OK);
    snprintf(text, sizeof text, about, w.checksum);
    put("part-00000.json", text);
    put("part-00000.jsonl", lines);
}

#define ABOUT                                                                                      \
    "{\"command\": \"embed\", \"kiln\": \"1\", \"network\": \"n\", \"list\": \"l\", \"part\": 0, " \
    "\"parts\": 1, \"columns\": 2, \"rows\": 2, \"part_pictures\": 2, "                            \
    "\"checksum\": \"%016" PRIx64 "\"}"
#define LINES                                                                                      \
    "{\"image\": \"a.png\", \"content\": \"ff\", \"row\": 0}\n"                                    \
    "{\"image\": \"b.png\", \"error\": \"why\"}\n"                                                 \
    "{\"image\": \"c.png\", \"faces\": [{\"row\": 1}]}\n"

static kiln_status take_line(void *context, const part_line *line, kiln_error *why) {
    (void)context;
    (void)why;
    tell("%s %s %" PRIx64 " %" PRIu64 "+%" PRIu64 ";", line->image,
         line->error != NULL ? line->error : "-", line->content, line->first_row, line->rows);
    return KILN_OK;
}

static kiln_status read_it(void) {
    kiln_status status = part_set_open(&part, 1, &set, &error);
    return status == KILN_OK ? part_set_read(&set, take_line, NULL, &error) : status;
}

START_TEST(reads_parts) {
    put_part(ABOUT, LINES);
    ck_assert_msg(read_it() == KILN_OK, "%s", error.message);
    ck_assert_str_eq(told, "a.png - ff 0+1;b.png why 0 1+0;c.png - 0 1+1;");
}
END_TEST

static const struct {
    const char *about, *lines, *message;
} wrong_parts[] = {
    {"{", LINES, "part-00000.json: does not say what the part is: string or '}' expected"},
    {"{}", LINES, "part-00000.json: does not say what the part is"},
    {ABOUT, "{\"image\": \"a.png\", \"row\": 0}\n{\"image\": \"b.png\" \"row\": 1}\n",
     "part-00000.jsonl: line 2 is not as kiln embed writes it: '}' expected near '\"row\"'"},
    {ABOUT, "{\"image\": \"a.png\", \"row\": 1}\n", "line 1 is not as"},
    {ABOUT, "{\"image\": \"a.png\"}\n", "line 1 is not as"},
    {ABOUT, "{\"image\": \"a.png\", \"row\": 0}\n", "2 rows, its lines tell of 1"},
};

START_TEST(refuses_parts_with_what_is_wrong) {
    put_part(wrong_parts[_i].about, wrong_parts[_i].lines);
    ck_assert_int_eq(read_it(), KILN_ERROR_FORMAT);
    ck_assert_msg(strstr(error.message, wrong_parts[_i].message) != NULL, "%s", error.message);
}
END_TEST

int main(void) {
    const suite_test tests[] = {
        TEST("json", walks_through_members),
        EACH("json", says_what_was_found, wrong),
        TEST("json", nests_as_deep_as_is_said),
        TEST("json", has_limits),
        TEST("labels", labels_in_lines_of_json),
        TEST("labels", labels_in_csv),
        TEST("labels", labels_by_folders),
        EACH("labels", refuses_labels_with_their_line, wrong_labels),
        TEST("labels", refuses_labels_that_are_too_long),
        TEST("parts", reads_parts),
        EACH("parts", refuses_parts_with_what_is_wrong, wrong_parts),
    };
    return SUITE("shards", tests, .begin = enter, .end = leave);
}
