/* What becomes of a kernel's results before its step is done: bounds, or a function of one element
 * (KILN_STEP_FUNCTION), which is applied to rows that have just been written, while they are in a
 * near cache. */
#ifndef KILN_KERNELS_FINISH_H
#define KILN_KERNELS_FINISH_H

#include "runtime/kernels/kernel.h"
#include "runtime/ukernels/ukernels.h"

typedef struct finish {
    float min, max;          /* of the kernel's own clamp; infinite where a function follows */
    unary_ukernel *function; /* NULL: none */
    float alpha, beta;
} finish;

/* The micro-kernel of a kiln_unary_op; NULL: there is none. */
unary_ukernel *finish_function(uint32_t op);
/* Whether there is one that is not built in. */
bool finish_is_missing(uint32_t op);
/* Whether results may go through that function. */
bool finish_takes(uint32_t op);
/* Whether such a function has a beta, too. */
bool finish_takes_beta(uint32_t op);
/* min and max are the fields of that name of the call's parameters. */
bool finish_is_sound(const kernel_call *call, float min, float max);
finish finish_of(const kernel_call *call, float min, float max);
/* That of a function in a kernel's own parameters: CLAMP, or one that finish_takes. */
finish finish_by(const kiln_unary_params *function);

/* Rows of `count` floats, `stride` floats apart. */
void finish_rows(const finish *f, float *y, size_t rows, size_t stride, size_t count);

#endif
