/* People of a gallery: the same however they came into it, named and not named, in plans and out of
 * them; and sections that are damaged. */
#include "tests/unit/people_gallery.h"
#include "tests/unit/suite.h"

#include <stdio.h>
#include <stdlib.h>

static const char *const everybody[] = {"ada", "bob", "cy", "dora", "eve"};
enum { EVERYBODY = sizeof everybody / sizeof *everybody };

/* All of them, with PICTURES pictures each. */
static kiln_people *gallery(void) {
    kiln_people *people = nobody();
    for (uint64_t k = 0; k < EVERYBODY; k++) {
        enrol(people, everybody[k], k, 0, PICTURES);
    }
    return people;
}

static void add_strangers(kiln_people *people, uint64_t first, size_t count) {
    float x[SIZE];
    for (uint64_t k = 0; k < count; k++) {
        draw(first + k, 0, 0.7f, x);
        GOOD(kiln_people_add_stranger(people, x, (uint32_t)k, &error));
    }
}

static void ck_same(const kiln_people *a, const kiln_people *b) {
    void *bytes[2];
    size_t sizes[2];
    GOOD(kiln_people_section(a, &bytes[0], &sizes[0], &error));
    GOOD(kiln_people_section(b, &bytes[1], &sizes[1], &error));
    ck_assert_uint_eq(sizes[0], sizes[1]);
    ck_assert_mem_eq(bytes[0], bytes[1], sizes[0]);
    kiln_free(bytes[0]);
    kiln_free(bytes[1]);
}

/* ---- However they came --------------------------------------------------------------------- */

START_TEST(order_does_not_matter) {
    kiln_people *at_once = gallery(), *slowly = nobody();
    for (size_t n = PICTURES; n-- > 0;) {
        for (uint64_t k = EVERYBODY; k-- > 0;) {
            enrol(slowly, everybody[k], k, n, 1);
        }
    }
    ck_same(at_once, slowly);
    kiln_people_close(at_once);
    kiln_people_close(slowly);
}
END_TEST

/* Strangers' scores follow the gallery, too. */
START_TEST(enrolled_is_trained_anew) {
    kiln_people *anew = nobody(), *later = nobody();
    for (uint64_t k = 0; k < EVERYBODY; k++) {
        enrol(anew, everybody[k], k, 0, PICTURES);
    }
    add_strangers(anew, 100, 20);
    for (uint64_t k = 0; k < EVERYBODY; k++) {
        if (k != 2) {
            enrol(later, everybody[k], k, 0, PICTURES);
        }
    }
    add_strangers(later, 100, 20);
    enrol(later, everybody[2], 2, 0, PICTURES);
    ck_same(anew, later);
    kiln_people_close(anew);
    kiln_people_close(later);
}
END_TEST

START_TEST(forgotten_is_never_known) {
    kiln_people *people = gallery(), *never = nobody();
    for (uint64_t k = 0; k + 1 < EVERYBODY; k++) {
        enrol(never, everybody[k], k, 0, PICTURES);
    }
    add_strangers(people, 100, 20);
    add_strangers(never, 100, 20);
    GOOD(kiln_people_forget(people, everybody[EVERYBODY - 1], &error));
    ck_same(people, never);
    ck_assert_int_eq(kiln_people_forget(people, everybody[EVERYBODY - 1], &error),
                     KILN_ERROR_ARGUMENT);
    ck_assert_msg(strstr(error.message, "nobody is called 'eve'") != NULL, "%s", error.message);
    kiln_people_close(people);
    kiln_people_close(never);
}
END_TEST

/* To the front, to the end, to the same place, and back. */
START_TEST(renamed_is_the_same_person) {
    static const char *const names[] = {"aaron", "zoe", "cyril", "cy"};
    kiln_people *people = gallery(), *anew;
    const char *was = "cy";
    for (size_t k = 0; k < sizeof names / sizeof *names; k++) {
        GOOD(kiln_people_rename(people, was, names[k], &error));
        was = names[k];
        anew = nobody();
        for (uint64_t j = 0; j < EVERYBODY; j++) {
            enrol(anew, j == 2 ? was : everybody[j], j, 0, PICTURES);
        }
        ck_same(people, anew);
        kiln_people_close(anew);
    }
    ck_assert_int_eq(kiln_people_rename(people, "cy", "bob", &error), KILN_ERROR_ARGUMENT);
    ck_assert_int_eq(kiln_people_rename(people, "nemo", "x", &error), KILN_ERROR_ARGUMENT);
    ck_assert_int_eq(kiln_people_rename(people, "cy", "", &error), KILN_ERROR_ARGUMENT);
    kiln_people_close(people);
}
END_TEST

/* Beyond 8 pictures the mean is that of all, and the kept ones are some of them. */
START_TEST(the_mean_is_of_all_pictures) {
    kiln_people *people = gallery();
    kiln_person p;
    double sum[SIZE] = {0}, squares = 0;
    GOOD(kiln_people_person(people, 1, &p, &error));
    ck_assert_uint_eq(p.pictures, PICTURES);
    ck_assert_uint_eq(p.kept, KILN_PEOPLE_KEPT);
    for (size_t n = 0; n < PICTURES; n++) {
        float x[SIZE];
        double length = 0;
        draw(1, n, 0.7f, x);
        for (size_t k = 0; k < SIZE; k++) {
            length += (double)x[k] * (double)x[k];
        }
        for (size_t k = 0; k < SIZE; k++) {
            sum[k] += (double)x[k] / sqrt(length);
        }
    }
    for (size_t k = 0; k < SIZE; k++) {
        squares += sum[k] * sum[k];
    }
    for (size_t k = 0; k < SIZE; k++) {
        ck_assert_float_eq_tol(p.mean[k], (float)(sum[k] / sqrt(squares)), 1e-3f);
    }
    kiln_people_close(people);
}
END_TEST

/* ---- Who it is ----------------------------------------------------------------------------- */

static kiln_people_answer match(const kiln_people *people, const float *x, float threshold) {
    kiln_people_answer answer;
    GOOD(kiln_people_match(people, x, threshold, &answer, &error));
    return answer;
}

START_TEST(pictures_are_named) {
    kiln_people *people = gallery();
    float x[SIZE];
    for (uint64_t k = 0; k < EVERYBODY; k++) {
        draw(k, 99, 0.3f, x);
        kiln_people_answer a = match(people, x, 0.5f);
        ck_assert(a.known);
        ck_assert_str_eq(kiln_people_name(people, a.person), everybody[k]);
        kiln_person_similarity s;
        GOOD(kiln_people_similarity(people, x, a.person, 0.5f, &s, &error));
        ck_assert_float_eq(s.value, a.similarity);
        ck_assert_float_eq(s.value, (s.to_mean + s.to_kept) / 2);
        for (size_t j = 0; j < SIZE; j++) {
            x[j] *= 1000; /* only the direction counts */
        }
        ck_assert_float_eq_tol(match(people, x, 0.5f).similarity, a.similarity, 1e-6f);
    }
    memset(x, 0, sizeof x);
    kiln_people_answer a;
    ck_assert_int_eq(kiln_people_match(people, x, 0, &a, &error), KILN_ERROR_ARGUMENT);
    x[3] = NAN;
    ck_assert_int_eq(kiln_people_match(people, x, 0, &a, &error), KILN_ERROR_ARGUMENT);
    kiln_people_close(people);
}
END_TEST

/* The picture itself is refused, what is nearer is not, and others are as they were. */
START_TEST(a_correction_asks_for_more) {
    kiln_people *people = gallery();
    float x[SIZE], right[SIZE];
    draw(0, 50, 1.2f, x);
    draw(0, 1, 0.7f, right);
    kiln_people_answer before = match(people, x, 0.2f);
    ck_assert(before.known);
    ck_assert_str_eq(kiln_people_name(people, before.person), "ada");
    GOOD(kiln_people_correct(people, "ada", x, "50.jpg", &error));
    kiln_people_answer after = match(people, x, 0.2f);
    ck_assert(!after.known || after.person != before.person);
    ck_assert(match(people, right, 0.2f).known);
    kiln_person_similarity s;
    GOOD(kiln_people_similarity(people, x, before.person, 0.2f, &s, &error));
    ck_assert_float_gt(s.asked, s.value);
    GOOD(kiln_people_similarity(people, x, 1, 0.2f, &s, &error));
    ck_assert_float_eq(s.asked, 0.2f);
    kiln_people_close(people);
}
END_TEST

START_TEST(what_is_wrong_changes_nothing) {
    kiln_people *people = gallery(), *as_it_was = gallery();
    float x[2 * SIZE] = {1};
    char name[KILN_PEOPLE_NAME + 2];
    memset(name, 'x', sizeof name - 1);
    name[sizeof name - 1] = '\0';
    ck_assert_int_eq(kiln_people_enrol(people, "new", x, 2, NULL, &error), KILN_ERROR_ARGUMENT);
    ck_assert_int_eq(kiln_people_enrol(people, "ada", x, 0, NULL, &error), KILN_ERROR_ARGUMENT);
    ck_assert_int_eq(kiln_people_enrol(people, "", x, 1, NULL, &error), KILN_ERROR_ARGUMENT);
    ck_assert_int_eq(kiln_people_enrol(people, name, x, 1, NULL, &error), KILN_ERROR_ARGUMENT);
    ck_assert_int_eq(kiln_people_correct(people, "nemo", x, NULL, &error), KILN_ERROR_ARGUMENT);
    ck_same(people, as_it_was);
    kiln_people_close(people);
    kiln_people_close(as_it_was);
}
END_TEST

/* ---- Strangers ----------------------------------------------------------------------------- */

START_TEST(rates_need_scores) {
    kiln_people *people = gallery();
    kiln_people_threshold t, lower;
    ck_assert_uint_eq(kiln_people_scores_needed(0.001), 3000);
    ck_assert_int_eq(kiln_people_decide(people, 0.01, &t, &error), KILN_ERROR_ARGUMENT);
    ck_assert_msg(strstr(error.message, "needs 300 impostor scores; there are 40") != NULL, "%s",
                  error.message);
    GOOD(kiln_people_decide(people, 0, &t, &error));
    ck_assert_double_eq_tol(t.rate, 3.0 / 40, 1e-12);
    ck_assert_uint_eq(t.groups, EVERYBODY);
    add_strangers(people, 100, 260);
    GOOD(kiln_people_decide(people, 0, &t, &error));
    ck_assert_double_eq(t.rate, 0.01);
    ck_assert_uint_eq(t.scores, 300);
    ck_assert_uint_eq(t.groups, EVERYBODY + 260);
    GOOD(kiln_people_decide(people, 0.3, &lower, &error));
    ck_assert_float_lt(lower.similarity, t.similarity);
    ck_assert_int_eq(kiln_people_decide(people, 1, &t, &error), KILN_ERROR_ARGUMENT);
    ck_assert_int_eq(kiln_people_decide(people, (double)NAN, &t, &error), KILN_ERROR_ARGUMENT);
    kiln_people *few = nobody();
    enrol(few, "ada", 0, 0, 3);
    ck_assert_int_eq(kiln_people_decide(few, 0, &t, &error), KILN_ERROR_ARGUMENT);
    kiln_people_close(few);
    kiln_people_close(people);
}
END_TEST

/* Strangers never seen pass as often as was asked, over galleries of other people each time. */
START_TEST(a_rate_is_kept) {
    static const double rates[] = {0.01, 0.05, 0.2};
    size_t passed = 0, shown = 0;
    for (uint64_t round = 0; round < 20; round++) {
        kiln_people *people = nobody();
        kiln_people_threshold t;
        uint64_t first = 1000 * (round + 1);
        for (uint64_t k = 0; k < 20; k++) {
            char name[8];
            snprintf(name, sizeof name, "%d", (int)k);
            enrol(people, name, first + k, 0, 5);
        }
        add_strangers(people, first + 100, 220);
        GOOD(kiln_people_decide(people, rates[_i], &t, &error));
        for (uint64_t k = 0; k < 400; k++) {
            float x[SIZE];
            draw(first + 500 + k, 0, 0.7f, x);
            passed += match(people, x, t.similarity).known;
            shown++;
        }
        kiln_people_close(people);
    }
    double got = (double)passed / (double)shown;
    ck_assert_msg(got > rates[_i] * 0.4 && got < rates[_i] * 1.5, "asked %g, got %g", rates[_i],
                  got);
}
END_TEST

/* ---- Sections ------------------------------------------------------------------------------ */

static kiln_people *small(void) {
    kiln_people *people = nobody();
    float x[SIZE];
    enrol(people, "ada", 0, 0, 9);
    enrol(people, "bob", 1, 0, 2);
    add_strangers(people, 100, 2);
    draw(7, 0, 1, x);
    GOOD(kiln_people_correct(people, "bob", x, "not.jpg", &error));
    return people;
}

START_TEST(sections_are_read_as_written) {
    size_t size;
    kiln_people *people = small(), *again;
    uint8_t *bytes = section_of(people, &size);
    GOOD(people_read((kiln_span){bytes, size}, NULL, &again, &error));
    ck_same(people, again);
    enrol(people, "cy", 2, 0, 9);
    enrol(again, "cy", 2, 0, 9);
    enrol(people, "ada", 0, 9, 3);
    enrol(again, "ada", 0, 9, 3);
    ck_same(people, again);
    kiln_free(bytes);
    kiln_people_close(people);
    kiln_people_close(again);
}
END_TEST

/* Any length but the right one, and any byte: refused in words, or a sound gallery. */
START_TEST(damaged_sections_are_refused) {
    size_t size, sound = 0;
    kiln_people *people = small(), *again;
    if (_i == 1) {
        GOOD(kiln_people_learn(people, &error));
    }
    uint8_t *bytes = section_of(people, &size);
    for (size_t cut = 0; cut < size; cut++) {
        uint8_t *exact = malloc(cut + 1); /* at its end, so that an overread shows */
        memcpy(exact, bytes, cut);
        ck_assert_int_eq(people_read((kiln_span){exact, cut}, NULL, &again, &error),
                         KILN_ERROR_FORMAT);
        ck_assert_msg(strstr(error.message, "PEOPLE") != NULL, "%s", error.message);
        free(exact);
    }
    for (size_t at = 0; at < size * 3; at++) {
        static const uint8_t changes[] = {0xff, 0x80, 0x01};
        bytes[at / 3] ^= changes[at % 3];
        error.message[0] = '\0';
        if (people_read((kiln_span){bytes, size}, NULL, &again, &error) == KILN_OK) {
            kiln_people_threshold t;
            GOOD(kiln_people_decide(again, 0, &t, &error));
            kiln_people_close(again);
            sound++;
        } else {
            ck_assert_uint_gt(strlen(error.message), 0);
        }
        bytes[at / 3] ^= changes[at % 3];
    }
    ck_assert_uint_gt(sound, 0);
    uint32_t many = UINT32_MAX;
    for (size_t word = 0; word < 5; word++) {
        uint32_t was;
        memcpy(&was, bytes + 4 * word, 4);
        memcpy(bytes + 4 * word, &many, 4);
        ck_assert_int_ne(people_read((kiln_span){bytes, size}, NULL, &again, &error), KILN_OK);
        memcpy(bytes + 4 * word, &was, 4);
    }
    kiln_free(bytes);
    kiln_people_close(people);
}
END_TEST

/* ---- What is learnt ------------------------------------------------------------------------ */

/* As draw, but what a picture has of its own lies mostly in three directions. */
static void draw_lit(uint64_t who, uint64_t n, float out[SIZE]) {
    draw(who, n, 0.2f, out);
    for (uint64_t k = 0; k < 3; k++) {
        out[k] += 3 * random_uniform(50 + who, n, k);
    }
}

static kiln_people *lit_gallery(size_t people, bool learn_first) {
    kiln_people *all = nobody();
    float pictures[6][SIZE];
    for (uint64_t who = 0; who < people; who++) {
        char name[8];
        snprintf(name, sizeof name, "%u", (unsigned)who);
        for (uint64_t n = 0; n < 6; n++) {
            draw_lit(who, n, pictures[n]);
        }
        GOOD(kiln_people_enrol(all, name, pictures[0], 6, NULL, &error));
        if (learn_first && who == 0) {
            GOOD(kiln_people_learn(all, &error));
        }
    }
    return all;
}

static size_t count_right(const kiln_people *people) {
    size_t right = 0;
    for (uint64_t who = 0; who < 8; who++) {
        for (uint64_t n = 10; n < 20; n++) {
            float x[SIZE];
            char name[8];
            draw_lit(who, n, x);
            snprintf(name, sizeof name, "%u", (unsigned)who);
            right += strcmp(kiln_people_name(people, match(people, x, -1).person), name) == 0;
        }
    }
    return right;
}

/* Directions in which pictures of one person vary count less: more are right. */
START_TEST(what_varies_counts_less) {
    kiln_people *people = lit_gallery(8, false);
    size_t before = count_right(people);
    GOOD(kiln_people_learn(people, &error));
    size_t after = count_right(people);
    ck_assert_msg(after > 75 && after > before + 5, "%zu, then %zu of 80", before, after);
    kiln_people_close(people);
}
END_TEST

/* Up to 64 people, whenever it was first learnt, and after somebody has come and gone. */
START_TEST(what_is_learnt_follows) {
    kiln_people *early = lit_gallery(9, true), *late = lit_gallery(9, false), *again;
    size_t size;
    GOOD(kiln_people_learn(late, &error));
    add_strangers(early, 100, 5);
    add_strangers(late, 100, 5);
    ck_same(early, late);
    enrol(late, "somebody", 3, 0, 5);
    GOOD(kiln_people_forget(late, "somebody", &error));
    ck_same(early, late);
    uint8_t *bytes = section_of(late, &size);
    GOOD(people_read((kiln_span){bytes, size}, NULL, &again, &error));
    enrol(again, "somebody", 3, 0, 5);
    enrol(early, "somebody", 3, 0, 5);
    ck_same(early, again);
    kiln_free(bytes);
    kiln_people_close(early);
    kiln_people_close(late);
    kiln_people_close(again);
}
END_TEST

/* Where nothing varies features are compared as they are. */
START_TEST(nothing_is_learnt_of_nothing) {
    kiln_people *people = nobody();
    float x[SIZE];
    enrol(people, "ada", 0, 0, 1);
    enrol(people, "bob", 1, 0, 1);
    draw(0, 5, 0.7f, x);
    float before = match(people, x, 0).similarity;
    GOOD(kiln_people_learn(people, &error));
    ck_assert_float_eq_tol(match(people, x, 0).similarity, before, 1e-5f);
    kiln_people_close(people);
}
END_TEST

int main(void) {
    const suite_test tests[] = {
        TEST("came", order_does_not_matter),
        TEST("came", enrolled_is_trained_anew),
        TEST("came", forgotten_is_never_known),
        TEST("came", renamed_is_the_same_person),
        TEST("came", the_mean_is_of_all_pictures),
        TEST("who", pictures_are_named),
        TEST("who", a_correction_asks_for_more),
        TEST("who", what_is_wrong_changes_nothing),
        TEST("strangers", rates_need_scores),
        LOOP("strangers", a_rate_is_kept, 0, 3),
        TEST("sections", sections_are_read_as_written),
        LOOP("sections", damaged_sections_are_refused, 0, 2),
        TEST("learnt", what_varies_counts_less),
        TEST("learnt", what_is_learnt_follows),
        TEST("learnt", nothing_is_learnt_of_nothing),
    };
    return SUITE("people", tests, .begin = make_samples);
}
