/* Text from files: what is escaped, what is not, where it is cut. */
#include "runtime/base/text.h"
#include "tests/unit/suite.h"
#include <kiln/kiln.h>

#include <check.h>
#include <stdlib.h>
#include <string.h>

static void check_escaped(const char *text, const char *expected) {
    char out[200];
    ck_assert_str_eq(text_escape(text, out, sizeof out), expected);
}

START_TEST(escapes_what_terminals_obey) {
    check_escaped("plain text, 'quoted' \\n", "plain text, 'quoted' \\n");
    check_escaped("naïve 顔 😀", "naïve 顔 😀");
    check_escaped("\x1b[31mred\nline\ttab\r\x7f", "\\x1b[31mred\\nline\\ttab\\r\\x7f");
    check_escaped("\xc2\x9b" /* CSI in one */ "1m", "\\u009b1m");
    /* NOLINTNEXTLINE(misc-misleading-bidirectional): what is tested */
    check_escaped("a\xe2\x80\xae" /* turns what follows */ "b\xe2\x81\xa6", "a\\u202eb\\u2066");
    check_escaped("\xe2\x80\xa8", "\\u2028");
}
END_TEST

START_TEST(escapes_what_is_no_utf8) {
    check_escaped("\xff\xfe", "\\xff\\xfe");
    check_escaped("caf\xe9", "caf\\xe9");                      /* Latin-1 */
    check_escaped("\xc0\xaf", "\\xc0\\xaf");                   /* too long a form */
    check_escaped("\xed\xa0\x80", "\\xed\\xa0\\x80");          /* a surrogate */
    check_escaped("\xf4\x90\x80\x80", "\\xf4\\x90\\x80\\x80"); /* past the last */
    check_escaped("\xe9\xa1", "\\xe9\\xa1");                   /* cut short */
    check_escaped("\xe9\xa1"
                  "A\x94",
                  "\\xe9\\xa1"
                  "A\\x94");
}
END_TEST

START_TEST(cuts_between_words) {
    char out[20];
    ck_assert_str_eq(text_escape("one two three four", out, 20), "one two three four");
    ck_assert_str_eq(text_escape("one two three four five", out, 20), "one two three ...");
    ck_assert_str_eq(text_escape("onetwothreefourfivesix", out, 20), "onetwothreefourf...");
    ck_assert_str_eq(text_escape("顔顔顔顔顔顔顔", out, 20), "顔顔顔顔顔...");
    ck_assert_str_eq(text_escape("\x1b\x1b\x1b\x1b\x1b\x1b", out, 20), "\\x1b\\x1b\\x1b\\x1b...");
}
END_TEST

START_TEST(columns_are_of_one_width) {
    char out[TEXT_COLUMN(6)];
    ck_assert_str_eq(text_column("abc", 6, out), "abc   ");
    ck_assert_str_eq(text_column("abcdefgh", 6, out), "abcdef");
    ck_assert_str_eq(text_column("äöüäöüäöü", 6, out), "äöüäöü");
    ck_assert_str_eq(text_column("abc\x1b[1m", 6, out), "abc   ");
    ck_assert_str_eq(text_column("\x1b\x1b", 6, out), "\\x1b  ");
}
END_TEST

START_TEST(lists_end_between_items) {
    char list[24] = "";
    text_list_add(list, sizeof list, "first");
    ck_assert_str_eq(list, "first");
    text_list_add(list, sizeof list, "second");
    ck_assert_str_eq(list, "first, second");
    text_list_add(list, sizeof list, "the third");
    ck_assert_str_eq(list, "first, second, ...");
    text_list_add(list, sizeof list, "x");
    ck_assert_str_eq(list, "first, second, ...");
}
END_TEST

/* The format's own line breaks, and no others. */
START_TEST(arguments_begin_no_lines) {
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    text_print(out, "\nlabel %s: %d\n", "a\nkiln: forged", 7);
    text_print(out, "%s\n\n", "ends\n");
    text_print(out, "%s", "\n");
    char *large = malloc(5001);
    memset(large, 'x', 5000);
    large[5000] = '\0';
    text_print(out, "%s\n", large);
    ck_assert_int_eq(fclose(out), 0);
    static const char expected[] = "\nlabel a\\nkiln: forged: 7\nends\\n\n\n\\n";
    ck_assert_int_eq(memcmp(text, expected, sizeof expected - 1), 0);
    ck_assert_uint_eq(size, sizeof expected - 1 + 5001);
    ck_assert_int_eq(text[size - 1], '\n');
    free(large);
    free(text);
}
END_TEST

START_TEST(errors_are_one_plain_line) {
    kiln_error error;
    char name[sizeof error.message + 88];
    (void)kiln_fail(&error, KILN_ERROR_FORMAT, "node '%s'", "a\x1b]0;title\x07\n\xff");
    ck_assert_str_eq(error.message, "node 'a\\x1b]0;title\\x07\\n\\xff'");
    memset(name, 'n', sizeof name);
    memcpy(name + sizeof error.message - 7, " last words", 12);
    (void)kiln_fail(&error, KILN_ERROR_FORMAT, "%s", name);
    ck_assert_str_eq(error.message + sizeof error.message - 7, " ...");
}
END_TEST

int main(void) {
    const suite_test tests[] = {
        TEST("escapes", escapes_what_terminals_obey), TEST("escapes", escapes_what_is_no_utf8),
        TEST("layout", cuts_between_words),           TEST("layout", columns_are_of_one_width),
        TEST("layout", lists_end_between_items),      TEST("errors", arguments_begin_no_lines),
        TEST("errors", errors_are_one_plain_line),
    };
    return SUITE("text", tests);
}
