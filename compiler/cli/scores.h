/* The best classes of answers, on stdout. */
#ifndef KILN_COMPILER_CLI_SCORES_H
#define KILN_COMPILER_CLI_SCORES_H

#include <kiln/kiln.h>

typedef struct score_printer {
    const kiln_plan *plan;
    uint32_t top;   /* classes of each answer */
    bool json;      /* an array of objects, instead of lines */
    size_t printed; /* answers so far */
} score_printer;

/* One answer: the elements of the plan's last output, each the score of a class; told to be
 * probabilities where they are some. */
kiln_status scores_print(score_printer *p, const char *picture, const void *output,
                         kiln_error *error);
/* After the last answer, if there were any. */
void scores_end(const score_printer *p);

#endif
