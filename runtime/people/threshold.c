/* From a rate of strangers who pass to a threshold: see people.h. */
#include "runtime/people/people.h"

#include <math.h>
#include <stdlib.h>

#define DEFAULT_RATE 0.01
#define TAIL 0.15 /* of the scores, that tell about the tail */
enum { TAIL_LEAST = 3, GROUPS_LEAST = 4 /* fewer say nothing of a scale */ };

typedef struct score {
    float value;
    double weight; /* of 1 picture */
    uint64_t group;
} score;

static int by_value(const void *a, const void *b) {
    float x = ((const score *)a)->value, y = ((const score *)b)->value;
    return x < y ? 1 : -(x > y);
}

static int by_group(const void *a, const void *b) {
    uint64_t x = ((const score *)a)->group, y = ((const score *)b)->group;
    return x < y ? -1 : x > y;
}

size_t kiln_people_scores_needed(double rate) {
    double needed = ceil(3 / rate - 1e-9);
    return (size_t)(int64_t)fmin(needed, 1e15);
}

/* A score of the gallery's own picture is the largest of one person less than a stranger's will be
 * compared with, so that a stranger passes more often by so much. */
static size_t count_scores(const kiln_people *people, score *out) {
    size_t count = 0, n = people->count;
    double weight = n > 1 ? as_double(n) / as_double(n - 1) : 1;
    for (size_t k = 0; n > 1 && k < n; k++) {
        const portraits *kept = &people->items[k].kept;
        for (size_t j = 0; j < kept->count; j++, count++) {
            if (out != NULL) {
                out[count] = (score){kept->items[j].score, weight, k};
            }
        }
    }
    for (size_t k = 0; k < people->strangers.count; k++, count++) {
        const portrait *p = &people->strangers.items[k];
        if (out != NULL) {
            out[count] = (score){p->score, 1, (uint64_t)n + p->who};
        }
    }
    return count;
}

/* Sorts them by it. */
static size_t count_groups(score *scores, size_t count) {
    size_t groups = 0;
    qsort(scores, count, sizeof *scores, by_group);
    for (size_t k = 0; k < count; k++) {
        groups += k == 0 || scores[k].group != scores[k - 1].group;
    }
    return groups;
}

/* Scores sorted, largest first; `rate` of strangers reach the result. */
static float threshold_for(score *scores, size_t count, double rate) {
    double all = as_double(count);
    size_t tail = (size_t)(int64_t)ceil(TAIL * all), passing = 0;
    tail = tail < TAIL_LEAST ? TAIL_LEAST : tail;
    tail = tail > count - 1 ? count - 1 : tail;
    double above = 0, excess = 0, weights = 0;
    float start = scores[tail].value;
    for (size_t k = 0; k < tail; k++) {
        above += scores[k].weight / all;
        excess += (double)(scores[k].value - start) / as_double(tail);
    }
    if (tail == 0 || rate >= above) {
        while (passing < count - 1 && weights + scores[passing].weight <= rate * all) {
            weights += scores[passing++].weight;
        }
        return nextafterf(scores[passing].value, 2);
    }
    double most = (double)(scores[0].value - start) + excess; /* a step beyond what was seen */
    size_t people = count_groups(scores, tail);
    double groups = as_double(people < GROUPS_LEAST ? GROUPS_LEAST : people);
    double beyond = groups * excess * (pow(above / rate, 1 / groups) - 1);
    float least = nextafterf(start, 2), found = (float)((double)start + fmin(beyond, most));
    return found > least ? fminf(found, 1) : least;
}

kiln_status kiln_people_decide(const kiln_people *people, double rate,
                               kiln_people_threshold *out_threshold, kiln_error *error) {
    size_t count = count_scores(people, NULL);
    if (!(rate >= 0 && rate < 1)) {
        return kiln_fail(error, KILN_ERROR_ARGUMENT, "a rate is above 0 and below 1");
    }
    if (count == 0) {
        return kiln_fail(error, KILN_ERROR_ARGUMENT,
                         "there are no impostor scores: that takes two people, or pictures of "
                         "strangers");
    }
    if (rate > 0 && count < kiln_people_scores_needed(rate)) {
        return kiln_fail(error, KILN_ERROR_ARGUMENT,
                         "a rate of %g needs %zu impostor scores; there are %zu (the lowest rate "
                         "that they can speak for is %.3g): add pictures of strangers",
                         rate, kiln_people_scores_needed(rate), count, 3 / as_double(count));
    }
    score *scores = memory_take(&people->allocator, count * sizeof *scores);
    if (scores == NULL) {
        return memory_fail(error);
    }
    (void)count_scores(people, scores);
    double told = rate > 0 ? rate : fmin(fmax(DEFAULT_RATE, 3 / as_double(count)), 1);
    double aim = rate > 0 ? rate : DEFAULT_RATE;
    size_t groups = count_groups(scores, count);
    qsort(scores, count, sizeof *scores, by_value);
    *out_threshold =
        (kiln_people_threshold){told, threshold_for(scores, count, aim), count, groups};
    memory_free(scores);
    return KILN_OK;
}
