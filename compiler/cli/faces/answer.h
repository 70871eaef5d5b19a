/* Answers about the subjects of pictures: whole pictures are told by their name, faces by their box
 * as well. In text and CSV each subject is an answer of its own; in JSON a picture is one object,
 * with an array "faces" where faces are looked for. */
#ifndef KILN_CLI_FACES_ANSWER_H
#define KILN_CLI_FACES_ANSWER_H

#include "compiler/cli/answers.h"
#include "compiler/cli/faces/subjects.h"

typedef struct subject_answer {
    answers *answers;
    const char *path;
    const uint64_t *content; /* of the file; NULL: it is not told */
    bool faces;              /* are looked for */
    size_t found;            /* in the picture, those that do not count too */
    size_t told;
} subject_answer;

/* Begins a picture's answers; each subject's own words stand between next and close: in JSON the
 * members of its object, in CSV its last fields. */
void subject_answer_begin(const subject_answer *a);
void subject_answer_next(subject_answer *a, const subject *which);
void subject_answer_close(const subject_answer *a);
void subject_answer_end(const subject_answer *a);
/* An answer that says why there is none. */
void subject_answer_failure(answers *a, const char *path, const uint64_t *content, const char *why);

/* The columns of CSV, `rest` being a literal. */
#define SUBJECT_COLUMNS(faces, rest)                                                               \
    ((faces) ? "image,left,top,right,bottom,score," rest : "image," rest)

/* "80x92+120+34": width, height, and the left upper corner, in whole pixels. */
const char *face_text(const kiln_face *face, char *out, size_t size);
/* Members "score", "box": [left, top, right, bottom], and "points", without braces. */
void face_json(FILE *out, const kiln_face *face);

#endif
