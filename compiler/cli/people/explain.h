/* What there is to say about an answer: shared by the text, JSON and the page. */
#ifndef KILN_CLI_PEOPLE_EXPLAIN_H
#define KILN_CLI_PEOPLE_EXPLAIN_H

#include "compiler/cli/faces/quality.h"
#include "compiler/cli/people/known.h"

enum { MOST_REMARKS = 12, REMARK_SIZE = 400 };

typedef struct explanation {
    const char *path;
    rgb_picture picture;
    const known *known;
    size_t faces; /* found; 0 with whole pictures */
    subject subject;
    face_quality quality; /* of a face */
    kiln_people_threshold threshold;
    ranked_person *people; /* most similar first */
    size_t count;
    size_t answer;                           /* among people; SIZE_MAX: unknown */
    char remarks[MOST_REMARKS][REMARK_SIZE]; /* what would change the answer */
    size_t remark_count;
} explanation;

/* The answer's name, or "unknown". */
static inline const char *explained_name(const explanation *e) {
    return e->answer == SIZE_MAX ? "unknown"
                                 : kiln_people_name(e->known->people, e->people[e->answer].person);
}

/* One self-contained page (explain_page.c). pictures: a folder with the people's pictures in a
 * folder each, as kiln train takes it; NULL: theirs are not shown. */
kiln_status explain_page(const explanation *e, const char *pictures, const char *path,
                         kiln_error *error);

#endif
