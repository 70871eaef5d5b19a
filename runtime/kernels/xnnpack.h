/* The one door to XNNPACK. Kernels use these wrappers and never call XNNPACK itself, so that its
 * API generations (create and setup until 2023; create, reshape and setup after) meet in xnnpack.c
 * alone.
 *
 * A create function makes call->state, an operator that is run by xnnpack_run and freed by
 * xnnpack_release. A setup function gives it sizes and pointers; it may be called again. */
#ifndef KILN_RUNTIME_XNNPACK_H
#define KILN_RUNTIME_XNNPACK_H

#include "runtime/kernels/kernel.h"

#define XNNPACK_MARGIN 16 /* bytes that operators may read past their inputs; never more */

/* Initialises XNNPACK once a process; any thread may call it. It fails where the processor is not
 * recognised. */
kiln_status xnnpack_initialize(kiln_error *error);

kiln_status xnnpack_run(kernel_call *call, kiln_error *error);
void xnnpack_release(kernel_call *call);

/* Convolutions, whose operands are those of CONV_2D and DECONV_2D. The operator is the caller's. */
kiln_status xnnpack_create_conv(const kernel_call *call, const kiln_conv_params *params,
                                bool transposed, void **out_operator, kiln_error *error);
kiln_status xnnpack_setup_conv(const kernel_call *call, const kiln_conv_params *params,
                               bool transposed, void *operator_, kiln_error *error);
kiln_status xnnpack_run_conv(const kernel_call *call, void *operator_, kiln_error *error);
void xnnpack_delete(void *operator_);

kiln_status xnnpack_create_resize_bilinear(kernel_call *call, kiln_resize_mode mode,
                                           kiln_error *error);
kiln_status xnnpack_setup_resize_bilinear(kernel_call *call, kiln_error *error);
kiln_status xnnpack_create_prelu(kernel_call *call, kiln_error *error);

/* Operators that work row by row (PReLU), from input 0's rows to output 0's. */
kiln_status xnnpack_setup_rows(kernel_call *call, kiln_error *error);

/* y[m][n] = sum over k of a[m][k] b: outside of plans, for training. b lies as [n][k] or, with
 * b_by_k, as [k][n]; it is packed; xnnpack_delete frees the operator. a and y are dense; a is read
 * up to XNNPACK_MARGIN past its end.
 */
kiln_status xnnpack_create_product(size_t k, size_t n, const float *b, bool b_by_k,
                                   void **out_operator, kiln_error *error);
kiln_status xnnpack_run_product(void *operator_, size_t m, const float *a, float *y,
                                pthreadpool_t pool, kiln_error *error);

#endif
