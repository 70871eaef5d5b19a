/* Verdicts about people: see judge.h. */
#include "compiler/cli/people/judge.h"
#include "compiler/cli/cli.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- Watching ------------------------------------------------------------------------------ */

static bool watch(void *context, kiln_session *session, size_t step) {
    judge *j = context;
    if (step == j->step) {
        kiln_buffer to = {j->features, kiln_people_feature_count(j->people) * sizeof(float)};
        j->seen = kiln_session_step_read(session, step, 0, to, NULL) == KILN_OK;
    }
    return true;
}

/* Which class of the head each person is. */
static void find_classes(const kiln_plan *plan, judge *j) {
    size_t count = kiln_people_count(j->people);
    j->head_ranks = true;
    for (size_t k = 0; k < count; k++) {
        j->class_of[k] = SIZE_MAX;
    }
    for (size_t c = 0; c < kiln_plan_label_count(plan); c++) {
        size_t person;
        if (kiln_people_find(j->people, kiln_plan_label(plan, c), &person)) {
            j->class_of[person] = c;
        }
    }
    for (size_t k = 0; k < count; k++) {
        j->head_ranks = j->head_ranks && j->class_of[k] != SIZE_MAX;
    }
}

static kiln_status choose_far(judge *j, double far, kiln_error *error) {
    if (far < FAR_EVERYBODY) {
        return kiln_people_decide(j->people, far, &j->threshold, error);
    }
    j->threshold = (kiln_people_threshold){.rate = far, .similarity = -1};
    return KILN_OK;
}

kiln_status judge_open(scorer *s, double far, judge *out_judge, kiln_error *error) {
    judge *j = out_judge;
    *j = (judge){.people = NULL};
    if (!kiln_people_are_in(s->plan)) {
        return far == FAR_DEFAULT
                   ? KILN_OK
                   : kiln_fail(error, KILN_ERROR_ARGUMENT,
                               "--far: the plan knows no people (kiln train --people makes one "
                               "that does)");
    }
    kiln_status status = kiln_people_open(s->plan, &j->people, error);
    if (status == KILN_OK) {
        status = kiln_people_step(s->plan, &j->step, error);
    }
    if (status == KILN_OK) {
        status = choose_far(j, far, error);
    }
    if (status == KILN_OK) {
        j->features = calloc(kiln_people_feature_count(j->people), sizeof *j->features);
        j->class_of = calloc(kiln_people_count(j->people) + 1, sizeof *j->class_of);
        status = j->features != NULL && j->class_of != NULL
                     ? KILN_OK
                     : kiln_fail(error, KILN_ERROR_MEMORY, "out of memory");
    }
    if (status == KILN_OK) {
        find_classes(s->plan, j);
        kiln_session_observe(s->session, watch, j);
    }
    return status;
}

void judge_close(judge *j) {
    kiln_people_close(j->people);
    free(j->features);
    free(j->class_of);
    *j = (judge){.people = NULL};
}

/* ---- Deciding ------------------------------------------------------------------------------ */

/* Among some of the people a probability would say nothing of the others. */
static float probability_of(const judge *j, const float *scores, size_t person) {
    return j->head_ranks ? scores[j->class_of[person]] : NAN;
}

kiln_status judge_decide(judge *j, const float *scores, verdict *out_verdict, kiln_error *error) {
    kiln_people_answer nearest;
    if (!j->seen) {
        return kiln_fail(error, KILN_ERROR_FORMAT,
                         "the plan's people do not fit its network: no %zu features",
                         kiln_people_feature_count(j->people));
    }
    float threshold = j->threshold.similarity, best = -INFINITY;
    kiln_status status = kiln_people_match(j->people, j->features, threshold, &nearest, error);
    if (status != KILN_OK) {
        return status;
    }
    verdict v = {nearest.known, nearest.person, nearest.similarity, nearest.asked, NAN};
    for (size_t k = 0; v.known && j->head_ranks && k < kiln_people_count(j->people); k++) {
        kiln_person_similarity s;
        if (scores[j->class_of[k]] > best) {
            (void)kiln_people_similarity(j->people, j->features, k, threshold, &s, NULL);
            if (s.value >= s.asked) {
                best = scores[j->class_of[k]];
                v = (verdict){true, k, s.value, s.asked, best};
            }
        }
    }
    v.probability = probability_of(j, scores, v.person);
    *out_verdict = v;
    return KILN_OK;
}

static int by_rank(const void *a, const void *b) {
    const verdict *x = a, *y = b;
    if (x->known != y->known) {
        return x->known ? -1 : 1;
    }
    if (x->known && x->probability != y->probability && !isnan(x->probability)) {
        return x->probability > y->probability ? -1 : 1;
    }
    if (x->similarity != y->similarity) {
        return x->similarity > y->similarity ? -1 : 1;
    }
    return x->person < y->person ? -1 : x->person > y->person;
}

kiln_status judge_rank(const judge *j, const float *scores, verdict *out, size_t count,
                       kiln_error *error) {
    size_t people = kiln_people_count(j->people);
    verdict *all = calloc(people + 1, sizeof *all);
    kiln_status status =
        all != NULL ? KILN_OK : kiln_fail(error, KILN_ERROR_MEMORY, "out of memory");
    for (size_t k = 0; k < people && status == KILN_OK; k++) {
        kiln_person_similarity s;
        status =
            kiln_people_similarity(j->people, j->features, k, j->threshold.similarity, &s, error);
        all[k] = (verdict){s.value >= s.asked, k, s.value, s.asked, probability_of(j, scores, k)};
    }
    if (status == KILN_OK) {
        qsort(all, people, sizeof *all, by_rank);
        memcpy(out, all, (count < people ? count : people) * sizeof *all);
    }
    free(all);
    return status;
}

kiln_status judge_scores(const judge *j, float *out, kiln_error *error) {
    kiln_status status = KILN_OK;
    for (size_t k = 0; k < kiln_people_count(j->people) && status == KILN_OK; k++) {
        kiln_person_similarity s;
        status = kiln_people_similarity(j->people, j->features, k, -1, &s, error);
        out[k] = status == KILN_OK ? (1 + s.value) / 2 : 0;
    }
    return status;
}

void judge_print(const judge *j, FILE *out) {
    const kiln_people_threshold *t = &j->threshold;
    if (t->rate < FAR_EVERYBODY) {
        fprintf(
            out,
            "kiln: at most %.3g %% of strangers pass at similarity %.3f (%zu impostor scores of "
            "%zu people)\n",
            100 * t->rate, (double)t->similarity, t->scores, t->groups);
    }
}

int take_far(const command *self, void *at, const char *value) {
    double rate;
    bool good = parse_real(value, &rate) && rate > 0 && rate <= 1;
    *(double *)at = rate;
    return good ? 0 : option_wrong(self, "far", value, "a rate above 0, at most 1");
}
