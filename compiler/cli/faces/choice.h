/* Which faces of a picture count. */
#ifndef KILN_CLI_FACES_CHOICE_H
#define KILN_CLI_FACES_CHOICE_H

#include "compiler/cli/options.h"
#include <kiln/faces.h>

typedef enum face_choice {
    FACES_LARGEST, /* one: the largest, those near the middle before others */
    FACES_ALL,
    FACES_ONLY /* the one face of a picture that has no other */
} face_choice;

/* With one of the above: the user asked for it. */
enum { FACES_ASKED = 0x100 };
/* Option --faces, into an unsigned. */
int take_face_choice(const command *self, void *at, const char *value);

/* Orders faces so that those which count come first, the largest near the middle before all others;
 * returns how many count. */
size_t faces_choose(face_choice choice, kiln_face *inout_faces, size_t count, uint32_t width,
                    uint32_t height);

const char *face_choice_word(unsigned k);

#endif
