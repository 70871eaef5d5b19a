/* kiln classify: what it knows while it answers, and the words of the answers. */
#ifndef KILN_CLI_TRAIN_CLASSIFY_H
#define KILN_CLI_TRAIN_CLASSIFY_H

#include "compiler/cli/answers.h"
#include "compiler/cli/train/sweep.h"

typedef struct classify_call {
    scoring_options options;
    sweep sweep;
    const char *drawing;
    answer_format format;
    double reject;
    uint32_t top;
    scoring scoring;
    const kiln_people *people; /* of plans that know some */
    size_t classes;
    const char *measure; /* PROBABILITY or CLASS_SCORE */
    bool probable;       /* the former */
    char **names;
    float *left; /* scores that are not told yet */
} classify_call;

/* What the numbers of classes are: "score" is that of a face, by its detector. */
#define PROBABILITY "probability"
#define CLASS_SCORE "class_score"

/* The name of a subject that has been scored; NULL: nobody known, or nothing certain. */
const char *classify_name(const classify_call *c, const scored_picture *p, size_t which);
/* A subject's members, or fields. */
void classify_print(const classify_call *c, const answers *to, const scored_picture *p,
                    size_t which);

/* The name of who is nobody known. */
#define UNKNOWN "unknown"

#endif
