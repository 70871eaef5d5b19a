/* Loops over an output's rows with broadcast operands: BINARY, WHERE. */
#ifndef KILN_RUNTIME_BROADCAST_H
#define KILN_RUNTIME_BROADCAST_H

#include "runtime/kernels/kernel.h"

#define BROADCAST_MAX_INPUTS 3

/* Rows of the output that lie at equal distances, as do the inputs' parts for them. Steps are
 * counted in elements; within a row an input steps by 0 or 1. */
typedef struct broadcast_rows {
    const void *inputs[BROADCAST_MAX_INPUTS];
    size_t steps[BROADCAST_MAX_INPUTS], row_steps[BROADCAST_MAX_INPUTS];
    void *output;
    size_t output_row_step;
    size_t rows, count; /* elements of a row */
} broadcast_rows;
typedef void (*broadcast_function)(const void *context, const broadcast_rows *rows);

/* One row of the output: `count` elements; inputs step by 0 or 1 element. */
typedef void (*broadcast_row)(const void *context, const void *const *inputs,
                              const size_t *input_steps, void *output, size_t count);

/* True when the inputs broadcast to output 0. */
bool broadcast_fits(const kernel_call *call, uint32_t input_count);
void broadcast_run(const kernel_call *call, uint32_t input_count, const void *context,
                   broadcast_function function);
/* As broadcast_run, but `function` gets one row at a time. */
void broadcast_run_by_row(const kernel_call *call, uint32_t input_count, const void *context,
                          broadcast_row row);

#endif
