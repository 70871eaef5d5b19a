/* Who somebody is, of a plan that knows people: kiln_people_judge, of the features and the scores
 * of one run of the whole plan. */
#ifndef KILN_CLI_PEOPLE_JUDGE_H
#define KILN_CLI_PEOPLE_JUDGE_H

#include "compiler/cli/train/scorer.h"
#include <kiln/people.h>

#include <stdio.h>

typedef struct judge {
    kiln_people *people; /* NULL: the plan knows none */
    kiln_people_threshold threshold;
    size_t classes;  /* of the head */
    float *features; /* of what ran last */
    size_t step;     /* that makes them */
    bool seen;
} judge;

typedef kiln_people_verdict verdict;

#define FAR_DEFAULT 0.0
#define FAR_EVERYBODY 1.0

/* Watches the scorer's session, which computes scores of the whole plan. far: the rate of strangers
 * who may pass. Nothing is opened where the plan knows no people. */
kiln_status judge_open(scorer *s, double far, judge *out_judge, kiln_error *error);
void judge_close(judge *j);
/* After scorer_run (or a run of its session), of its scores. */
kiln_status judge_decide(judge *j, const float *scores, verdict *out_verdict, kiln_error *error);
/* Likewise, of everybody: out[count], the answer first. count: people, or fewer. */
kiln_status judge_rank(const judge *j, const float *scores, verdict *out, size_t count,
                       kiln_error *error);
/* Of each person a number from 0 to 1 that rises with the similarity: instead of the head's scores,
 * where that does not have all of them. */
kiln_status judge_scores(const judge *j, float *out, kiln_error *error);
/* "strangers: at most 1 % pass, ...". */
void judge_print(const judge *j, FILE *out);

/* Option --far, into a double. */
#define FAR_ROW(at)                                                                                \
    {                                                                                              \
        .kind = OPTION_CALL, .name = "far", .value = "RATE", .place = (at), .take = take_far,      \
        .help = "of strangers who are taken for somebody, at most (0.01: one of 100; 1: nobody "   \
                "is refused; default: 0.01, or the lowest that the plan's impostor scores speak "  \
                "for)"                                                                             \
    }
int take_far(const command *self, void *at, const char *value);

#endif
