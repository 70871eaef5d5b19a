/* Many pictures through one plan, on several threads: each decodes, finds faces and scores with a
 * session of its own, and waits for nobody. Answers are taken in the order of the pictures. */
#ifndef KILN_CLI_TRAIN_SCORING_H
#define KILN_CLI_TRAIN_SCORING_H

#include "compiler/cli/paths.h"
#include "compiler/cli/people/judge.h"
#include "compiler/cli/train/scorer.h"

typedef struct scored_picture {
    uint64_t content; /* XXH3-64 of the file, where it is asked for; 0: it could not be read */
    char *path;       /* from malloc */
    kiln_error why; /* its status is not KILN_OK: there are no subjects, and the message says why */
    rgb_picture picture; /* where pictures are kept */
    subject *subjects;
    size_t found, count; /* faces, and those of them (or the picture) that count */
    float *rows;         /* [count][scorer.count] */
    verdict *verdicts;   /* by subject, where the plan's people are asked */
    verdict *ranks;      /* [count][scoring.ranked], likewise: see judge_rank */
} scored_picture;

typedef struct scoring_worker {
    scorer scorer;
    judge judge; /* empty where no people are asked */
} scoring_worker;

typedef struct scoring_options {
    scorer_options scorer; /* threads: of all together */
    bool judged;           /* people are asked who somebody is, where the plan knows some */
    double far;            /* see judge.h */
    size_t ranked;         /* people who are told of each subject, at most */
    bool keep_pictures, contents;
} scoring_options;

typedef struct scoring {
    scoring_options options;
    scoring_worker *workers; /* by thread; the first is open, others are when they are needed */
    size_t worker_count;
    size_t open_count;
    size_t ranked; /* people who are told of each subject */
} scoring;

/* pictures: how many there will be at most; fewer than threads share them, with several compute
 * threads each. On failure *out_scoring is empty. */
kiln_status scoring_open(const char *plan, const scoring_options *options, size_t pictures,
                         scoring *out_scoring, kiln_error *error);
void scoring_close(scoring *s);

/* Where pictures come from: a stretch of a list, or lines as they come. */
typedef struct scoring_source {
    const path_list *list;
    size_t next, end;
    FILE *stream; /* NULL: the list. An answer for each line, whatever is in it */
} scoring_source;

/* One run, and what becomes of its pictures. */
typedef struct scoring_run {
    scoring_source *source;
    void *context;
    /* One thread at a time, in order. The picture is freed after. */
    kiln_status (*take)(void *context, scored_picture *picture, kiln_error *error);
} scoring_run;

/* Ends with the first failure; that a picture cannot be scored is none. May be called again. */
kiln_status scoring_run_all(scoring *s, const scoring_run *run, kiln_error *error);

#endif
