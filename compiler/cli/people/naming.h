/* Names for faces that are found already, by the plan of a classifier: as kiln classify names them.
 */
#ifndef KILN_CLI_PEOPLE_NAMING_H
#define KILN_CLI_PEOPLE_NAMING_H

#include "compiler/cli/people/judge.h"

typedef struct naming {
    scorer scorer;
    judge judge;
    char **names; /* of classes */
    float *scores;
    const char *measure; /* what `value` is: "similarity", "probability", "class_score" */
} naming;

typedef struct face_name {
    const char *text; /* "unknown": nobody who is known */
    float value;      /* to, or of, that person; of who is unknown to the nearest */
} face_name;

/* For the plan in a file. On failure *out_naming is empty. */
kiln_status naming_open(const char *path, uint32_t threads, naming *out_naming, kiln_error *error);
void naming_close(naming *n); /* an empty one is allowed */
bool naming_is_open(const naming *n);
kiln_status naming_ask(naming *n, const rgb_picture *picture, const kiln_face *face,
                       face_name *out_name, kiln_error *error);

#endif
