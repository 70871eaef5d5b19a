/* A plan that knows people, for the commands about them. */
#ifndef KILN_CLI_PEOPLE_KNOWN_H
#define KILN_CLI_PEOPLE_KNOWN_H

#include "compiler/cli/cli.h"
#include "compiler/cli/paths.h"
#include "compiler/cli/train/scorer.h"
#include <kiln/people.h>

typedef struct known {
    const char *path;
    kiln_plan *plan; /* the scorer's, or our own */
    kiln_people *people;
    scorer scorer; /* gives features; not open where no pictures are looked at */
    float *features;
} known;

/* options NULL: without pictures. */
kiln_status known_open(const char *path, const scorer_options *options, known *out_known,
                       kiln_error *error);
void known_close(known *k); /* an empty one is allowed */

/* Features of the picture's first subject, to k->features; none is KILN_ERROR_UNSUPPORTED. */
kiln_status known_look(known *k, const char *picture, kiln_error *error);

/* Writes the plan with its people to `output`, or where it was (NULL). */
kiln_status known_save(const known *k, const char *output, kiln_error *error);

/* The place of a person; KILN_ERROR_ARGUMENT: nobody is called so, and who nearly is. */
kiln_status known_person(const known *k, const char *name, size_t *out_person, kiln_error *error);

/* The person whose mean is nearest to that of `person`, by cosine; false: there is nobody else. */
bool known_nearest(const known *k, size_t person, size_t *out_other, double *out_cosine);

typedef struct ranked_person {
    size_t person;
    kiln_person_similarity similarity;
    kiln_person_picture nearest; /* kept picture */
} ranked_person;

/* Everybody by k->features, the most similar first; *out_ranked is released with free(). */
kiln_status known_rank(const known *k, float threshold, ranked_person **out_ranked,
                       size_t *out_count, kiln_error *error);
/* Whether it is similar enough to be that person. */
bool ranked_is_known(const ranked_person *r);

/* "/a/b.jpg": "b.jpg". */
const char *picture_name(const char *path);

/* What the commands that change people share: -o, and how pictures are looked at. */
typedef struct people_call {
    scorer_options options;
    const char *output, *list;
    bool json;
    known known;
} people_call;

/* options_read, and check that there are from `least` to `most` words (0: any number). */
int people_read_call(const command *self, people_call *call, int *inout_argc, char ***inout_argv,
                     int least, int most);

#define OUTPUT_ROW(at)                                                                             \
    {                                                                                              \
        .kind = OPTION_TEXT, .letter = 'o', .name = "output", .value = "PLAN", .place = (at),      \
        .help = "the changed plan (default: in its place)"                                         \
    }

#endif
