/* How well people are told from strangers: identification in an open set, in NIST's terms (FRVT
 * 1:N). FPIR: the share of strangers' pictures that are taken for somebody; FNIR: the share of
 * known people's pictures that are not given their name. */
#ifndef KILN_CLI_PEOPLE_OPEN_SET_H
#define KILN_CLI_PEOPLE_OPEN_SET_H

#include "compiler/cli/people/judge.h"

#include <stdio.h>

typedef struct similarities {
    float *values;
    size_t count, capacity;
} similarities;

/* All zeros: empty. */
typedef struct open_set {
    similarities known;     /* of the right person, where that would be the answer; else -2 */
    similarities strangers; /* of the most similar person */
    size_t passed, named;   /* of them, at the plan's threshold */
    kiln_people_threshold threshold;
} open_set;

void open_set_free(open_set *o);
/* A picture that has just run, of a person of the gallery, or (SIZE_MAX) of a stranger. */
kiln_status open_set_add(open_set *o, judge *j, const float *scores, size_t person,
                         kiln_error *error);
/* Sorts what was added; before what follows. */
void open_set_settle(open_set *o);

/* A share with its interval of 95 %, Wilson's (1927): it holds where shares are near 0 or 1. */
typedef struct share {
    size_t of, all;
    double value, low, high; /* NaN where all is 0 */
} share;
share share_of(size_t of, size_t all);

/* Where at most a rate of the strangers passes: the threshold, the share that does, and the share
 * of known pictures that are named. */
typedef struct operating_point {
    double threshold;
    share passing, named;
} operating_point;
operating_point open_set_at(const open_set *o, double rate);

void open_set_print(const open_set *o, FILE *out);
/* An object. */
void open_set_json(const open_set *o, FILE *out);
/* One self-contained page: the numbers, and the curve (curve.c). */
kiln_status open_set_write(const open_set *o, const char *title, const char *path,
                           kiln_error *error);

#endif
