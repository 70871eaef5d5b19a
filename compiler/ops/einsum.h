/* What Einsum's files share. */
#ifndef KILN_COMPILER_EINSUM_H
#define KILN_COMPILER_EINSUM_H

#include "compiler/ops/expand.h"

#include <string.h>

enum { LETTERS = 128, LABELS = LETTERS + KILN_MAX_RANK, TERMS = 8 };

/* Labels are letters, and from LETTERS on the dims of an ellipsis. */
typedef struct term {
    uint32_t rank;
    uint8_t labels[KILN_MAX_RANK];
} term;

typedef struct equation {
    uint32_t count;
    term terms[TERMS], output;
    int64_t sizes[LABELS]; /* 0: not used */
} equation;

static inline bool has_label(const term *t, uint8_t label) {
    return memchr(t->labels, label, t->rank) != NULL;
}

static inline uint32_t uses_of_label(const term *t, uint8_t label) {
    uint32_t uses = 0;
    for (uint32_t d = 0; d < t->rank; d++) {
        uses += t->labels[d] == label;
    }
    return uses;
}

/* Appends a label, once more where it stands there already: that is a diagonal. */
static inline bool append_label(term *t, uint8_t label) {
    if (t->rank == KILN_MAX_RANK) {
        return false;
    }
    t->labels[t->rank++] = label;
    return true;
}

static inline bool add_label(term *t, uint8_t label) {
    return !has_label(t, label) && append_label(t, label);
}

/* einsum_equation.c: reads the node's equation, and the sizes of its labels from the operands;
 * false when it is wrong. */
bool einsum_read(const node *n, equation *out);
/* einsum_expand.c */
kiln_status einsum_expand(expansion *e, node *n);

#endif
