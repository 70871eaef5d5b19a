/* The face that a picture is about. */
#include "compiler/cli/faces/choice.h"

#include <stdlib.h>
#include <string.h>

/* The area less twice the squared distance of its middle from the picture's: who is photographed
 * stands large and near the middle. The rule, and the two, are FaceNet's (Sandberg,
 * align_dataset_mtcnn.py), which InsightFace took over. */
static double weight(const kiln_face *f, uint32_t width, uint32_t height) {
    double wide = (double)f->right - (double)f->left, high = (double)f->bottom - (double)f->top;
    double across = ((double)f->left + (double)f->right) / 2 - (double)width / 2;
    double down = ((double)f->top + (double)f->bottom) / 2 - (double)height / 2;
    return wide * high - 2 * (across * across + down * down);
}

/* Faces are few: insertion keeps the order of equals, which is that of their scores. */
static void sort(kiln_face *faces, size_t count, uint32_t width, uint32_t height) {
    for (size_t k = 1; k < count; k++) {
        kiln_face moved = faces[k];
        size_t at = k;
        while (at > 0 && weight(&faces[at - 1], width, height) < weight(&moved, width, height)) {
            faces[at] = faces[at - 1];
            at--;
        }
        faces[at] = moved;
    }
}

size_t faces_choose(face_choice choice, kiln_face *inout_faces, size_t count, uint32_t width,
                    uint32_t height) {
    sort(inout_faces, count, width, height);
    switch (choice) {
    case FACES_ALL:
        return count;
    case FACES_ONLY:
        return count == 1 ? 1 : 0;
    default:
        return count > 0 ? 1 : 0;
    }
}

const char *face_choice_word(unsigned k) {
    static const char *const words[] = {"largest", "all", "only"};
    return k < sizeof words / sizeof *words ? words[k] : NULL;
}

int take_face_choice(const command *self, void *at, const char *value) {
    (void)self;
    unsigned word = 0;
    while (strcmp(face_choice_word(word), value) != 0) { /* it is one of them */
        word++;
    }
    *(unsigned *)at = word | FACES_ASKED;
    return 0;
}
