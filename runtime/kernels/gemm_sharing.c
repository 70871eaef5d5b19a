/* Found by trying: there are few panels, and fewer threads. */
#include "runtime/kernels/gemm_sharing.h"

/* How long the threads take: turns of the largest group, in panels by a piece. */
static size_t turns_of(gemm_sharing s, size_t groups, size_t pieces) {
    size_t turns = (groups * pieces + s.threads - 1) / s.threads;
    return turns * ((s.panels + groups - 1) / groups);
}

size_t gemm_pieces(gemm_sharing s, size_t groups) {
    size_t best = 1;
    for (size_t pieces = 2; pieces <= s.threads && pieces * s.tile <= s.rows; pieces++) {
        if (turns_of(s, groups, pieces) * best < turns_of(s, groups, best) * pieces) {
            best = pieces;
        }
    }
    return best;
}

size_t gemm_groups(gemm_sharing s, size_t least) {
    size_t best = least < s.threads ? s.threads : least;
    best = best < s.panels ? best : s.panels;
    for (size_t groups = best + 1; s.threads > 1 && groups <= s.panels; groups++) {
        size_t pieces = gemm_pieces(s, groups), others = gemm_pieces(s, best);
        if (turns_of(s, groups, pieces) * others < turns_of(s, best, others) * pieces) {
            best = groups;
        }
    }
    return best;
}
