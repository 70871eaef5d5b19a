/* How threads share a product's strip of few rows: its panels in groups, its rows in pieces. */
#ifndef KILN_KERNELS_GEMM_SHARING_H
#define KILN_KERNELS_GEMM_SHARING_H

#include <stddef.h>

typedef struct gemm_sharing {
    size_t panels, rows;
    size_t tile; /* rows of one: a piece has no fewer */
    size_t threads;
} gemm_sharing;

/* In how many pieces rows are cut: so that threads which cannot share the groups evenly are done as
 * early as they can be, and no more, since each piece reads the group's weights again. */
size_t gemm_pieces(gemm_sharing s, size_t groups);
/* In how many groups panels are: `least`, or more where threads share those more evenly. */
size_t gemm_groups(gemm_sharing s, size_t least);

#endif
