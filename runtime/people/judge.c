/* Who it is, with what the plan's head says: see kiln_people_judge. */
#include "runtime/people/people.h"

#include <math.h>
#include <stdlib.h>

/* Whether each of them is one of the first `count` labels. */
static bool all_are_among(const kiln_people *people, size_t count) {
    size_t known = 0;
    while (known < people->count && people->items[known].label < count) {
        known++;
    }
    return known == people->count;
}

bool kiln_people_all_in_head(const kiln_people *people) {
    return all_are_among(people, NOT_IN_HEAD);
}

/* Among some of the people a probability would say nothing of the others. */
static const float *scores_that_count(const kiln_people *people, const float *scores,
                                      size_t count) {
    return all_are_among(people, count) ? scores : NULL;
}

static float probability_of(const kiln_people *people, const float *scores, size_t person) {
    return scores != NULL ? scores[people->items[person].label] : NAN;
}

static bool same(float a, float b) {
    return !(a > b) && !(b > a); /* two that are no numbers, too */
}

/* The order of verdicts, which is all of the rule. */
static bool is_before(const kiln_people_verdict *a, const kiln_people_verdict *b) {
    if (a->known != b->known) {
        return a->known;
    }
    if (a->known && !same(a->probability, b->probability)) {
        return a->probability > b->probability;
    }
    return same(a->similarity, b->similarity) ? a->person < b->person
                                              : a->similarity > b->similarity;
}

static int by_rank(const void *a, const void *b) {
    return is_before(b, a) - is_before(a, b);
}

static kiln_status verdict_on(const kiln_people *people, const float *features, const float *scores,
                              size_t person, float threshold, kiln_people_verdict *out_verdict,
                              kiln_error *error) {
    kiln_person_similarity s;
    kiln_status status = kiln_people_similarity(people, features, person, threshold, &s, error);
    if (status == KILN_OK) {
        *out_verdict = (kiln_people_verdict){s.value >= s.asked, person, s.value, s.asked,
                                             probability_of(people, scores, person)};
    }
    return status;
}

kiln_status kiln_people_judge(const kiln_people *people, const float *features, const float *scores,
                              size_t score_count, float threshold, kiln_people_verdict *out_verdict,
                              kiln_error *error) {
    kiln_people_answer nearest;
    kiln_status status = kiln_people_match(people, features, threshold, &nearest, error);
    if (status != KILN_OK) {
        return status;
    }
    scores = scores_that_count(people, scores, score_count);
    kiln_people_verdict best = {nearest.known, nearest.person, nearest.similarity, nearest.asked,
                                probability_of(people, scores, nearest.person)};
    /* The nearest is the answer, unless the head has another who is similar enough. */
    for (size_t k = 0; best.known && scores != NULL && k < people->count; k++) {
        kiln_people_verdict v;
        if (probability_of(people, scores, k) >= best.probability) {
            (void)verdict_on(people, features, scores, k, threshold, &v, NULL);
            best = is_before(&v, &best) ? v : best;
        }
    }
    *out_verdict = best;
    return KILN_OK;
}

kiln_status kiln_people_rank(const kiln_people *people, const float *features, const float *scores,
                             size_t score_count, float threshold, kiln_people_verdict *out_verdicts,
                             size_t capacity, size_t *out_count, kiln_error *error) {
    kiln_people_verdict *all = memory_zeros(&people->allocator, people->count + 1, sizeof *all);
    kiln_status status = all != NULL ? KILN_OK : memory_fail(error);
    *out_count = 0;
    scores = scores_that_count(people, scores, score_count);
    for (size_t k = 0; k < people->count && status == KILN_OK; k++) {
        status = verdict_on(people, features, scores, k, threshold, &all[k], error);
    }
    if (status == KILN_OK) {
        qsort(all, people->count, sizeof *all, by_rank);
        *out_count = capacity < people->count ? capacity : people->count;
        memcpy(out_verdicts, all, *out_count * sizeof *all);
    }
    memory_free(all);
    return status;
}
