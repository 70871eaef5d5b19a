/* Fuzz target: the section of people in a plan. */
#include "runtime/people/people.h"
#include "tests/fuzz/fuzz.h"

enum { FEATURES = 12 };

static void make_features(uint64_t *state, float out[FEATURES]) {
    for (size_t k = 0; k < FEATURES; k++) {
        out[k] = (float)(fuzz_random(state) % 2001) / 1000 - 1;
    }
}

/* All that a command does with a gallery that was opened. */
static void exercise(kiln_people *people) {
    kiln_people_threshold t = {.similarity = 0.5f};
    kiln_people_answer answer;
    kiln_error error;
    size_t features = kiln_people_feature_count(people), size;
    void *bytes = NULL;
    float *x = calloc(features, sizeof *x);
    if (x == NULL) {
        return;
    }
    x[0] = 1;
    (void)kiln_people_decide(people, 0, &t, &error);
    (void)kiln_people_match(people, x, t.similarity, &answer, &error);
    (void)kiln_people_enrol(people, "new", x, 1, NULL, &error);
    if (kiln_people_count(people) > 1) {
        (void)kiln_people_rename(people, kiln_people_name(people, 0), "other", &error);
        (void)kiln_people_forget(people, kiln_people_name(people, 1), &error);
    }
    (void)kiln_people_correct(people, "new", x, "x.jpg", &error);
    if (kiln_people_section(people, &bytes, &size, &error) == KILN_OK) {
        kiln_people *again = NULL;
        if (people_read((kiln_span){bytes, size}, NULL, &again, &error) != KILN_OK) {
            fprintf(stderr, "what was written is not read: %s\n", error.message);
            abort();
        }
        kiln_people_close(again);
    }
    kiln_free(bytes);
    free(x);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    kiln_people *people = NULL;
    kiln_error error = {0};
    uint8_t *exact = malloc(size + 1); /* so that an overread shows */
    if (exact != NULL) {
        memcpy(exact, data, size);
        if (people_read((kiln_span){exact, size}, NULL, &people, &error) == KILN_OK) {
            exercise(people);
            kiln_people_close(people);
        } else {
            fuzz_expect_message(&error);
        }
    }
    free(exact);
    return 0;
}

/* Seed k: so many people. */
size_t fuzz_seed(size_t k, uint8_t *out, size_t room) {
    kiln_people *people = NULL;
    uint64_t state = k + 1;
    float x[FEATURES];
    void *bytes = NULL;
    size_t size = 0;
    if (k >= 4 || kiln_people_create(FEATURES, NULL, &people, NULL) != KILN_OK) {
        return 0;
    }
    for (size_t n = 0; n < 10 * k; n++) {
        char name[] = {(char)('a' + n % k), '\0'};
        const char *const picture = "picture.jpg";
        make_features(&state, x);
        (void)kiln_people_enrol(people, name, x, 1, &picture, NULL);
        make_features(&state, x);
        (void)kiln_people_add_stranger(people, x, (uint32_t)n, NULL);
    }
    if (k == 3) {
        (void)kiln_people_learn(people, NULL);
    }
    make_features(&state, x);
    (void)kiln_people_correct(people, "a", x, "not.jpg", NULL);
    if (kiln_people_section(people, &bytes, &size, NULL) == KILN_OK && size <= room) {
        memcpy(out, bytes, size);
    } else {
        size = 0;
    }
    kiln_free(bytes);
    kiln_people_close(people);
    return size;
}

size_t fuzz_change(uint64_t *state, uint8_t *bytes, size_t size, size_t room) {
    (void)room;
    if (state != NULL && size >= 4) {
        uint32_t word = fuzz_word(state);
        memcpy(bytes + fuzz_random(state) % (size / 4) * 4, &word, sizeof word);
    }
    return size;
}
