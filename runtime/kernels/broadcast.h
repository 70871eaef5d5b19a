/* Loops over an output's rows with broadcast operands: BINARY, WHERE. */
#ifndef KILN_RUNTIME_BROADCAST_H
#define KILN_RUNTIME_BROADCAST_H

#include "runtime/kernels/kernel.h"

#define BROADCAST_MAX_INPUTS 3

/* One row of the output: `count` elements; inputs step by 0 or 1 element. */
typedef void (*broadcast_row)(const void *context, const void *const *inputs,
                              const size_t *input_steps, void *output, size_t count);

/* True when the inputs broadcast to output 0. */
bool broadcast_fits(const kernel_call *call, uint32_t input_count);
void broadcast_run(const kernel_call *call, uint32_t input_count, const void *context,
                   broadcast_row row);

#endif
