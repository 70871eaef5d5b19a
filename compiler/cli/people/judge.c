/* Verdicts about people: see judge.h. */
#include "compiler/cli/people/judge.h"
#include "compiler/cli/cli.h"

#include <stdlib.h>

/* ---- Watching ------------------------------------------------------------------------------ */

static bool watch(void *context, kiln_session *session, size_t step) {
    judge *j = context;
    if (step == j->step) {
        kiln_buffer to = {j->features, kiln_people_feature_count(j->people) * sizeof(float)};
        j->seen = kiln_session_step_read(session, step, 0, to, NULL) == KILN_OK;
    }
    return true;
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
    *j = (judge){.classes = s->count};
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
        status =
            j->features != NULL ? KILN_OK : kiln_fail(error, KILN_ERROR_MEMORY, "out of memory");
    }
    if (status == KILN_OK) {
        kiln_session_observe(s->session, watch, j);
    }
    return status;
}

void judge_close(judge *j) {
    kiln_people_close(j->people);
    free(j->features);
    *j = (judge){.people = NULL};
}

/* ---- Deciding ------------------------------------------------------------------------------ */

kiln_status judge_decide(judge *j, const float *scores, verdict *out_verdict, kiln_error *error) {
    return j->seen ? kiln_people_judge(j->people, j->features, scores, j->classes,
                                       j->threshold.similarity, out_verdict, error)
                   : kiln_fail(error, KILN_ERROR_FORMAT,
                               "the plan's people do not fit its network: no %zu features",
                               kiln_people_feature_count(j->people));
}

kiln_status judge_rank(const judge *j, const float *scores, verdict *out, size_t count,
                       kiln_error *error) {
    return kiln_people_rank(j->people, j->features, scores, j->classes, j->threshold.similarity,
                            out, count, &count, error);
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
