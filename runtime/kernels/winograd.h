/* Convolution by Winograd's minimal filtering: 3x3, stride 1 or, up to m = 4, 2, dilation 1, one
 * group. */
#ifndef KILN_KERNELS_WINOGRAD_H
#define KILN_KERNELS_WINOGRAD_H

#include "runtime/kernels/kernel.h"
#include "runtime/ukernels/ukernels.h"

/* Checks that the parameters' algorithm can be used on the operands; where it cannot, returns what
 * kernel_fail does. */
const char *winograd_check(const kernel_call *call);
kiln_status winograd_prepare(kernel_call *call, kiln_error *error);
size_t winograd_scratch(const kernel_call *call);
kiln_status winograd_bind(kernel_call *call, kiln_error *error);
kiln_status winograd_run(kernel_call *call, kiln_error *error);

/* Inputs whose late weights are transformed together: F(4)'s then take 300 KB of an L2 cache. */
#define WINOGRAD_CHUNK ((size_t)64)

/* How a layer keeps its weights. Transformed they take 1.8, 4 or 7 times what they take as taps.
 *   early  Transformed when they are packed: [positions][panels][inputs][nr].
 *   late   As taps: [panels][inputs][9][nr]. Each run transforms some inputs' at a time into a
 *          buffer: where there are many weights and few tiles that takes less time than to read
 *          them transformed from memory. */
typedef struct winograd_weights {
    const ukernels *ukernels;
    winograd_size size;
    size_t side, positions, inputs, panels, nr; /* m + 2, and its square */
    bool late;
    size_t step; /* floats from one position of the buffer to the next: [positions][step] */
} winograd_weights;

/* winograd_pack.c: how the call keeps them; its packs, as kernel.h tells; and of late ones, the
 * transform of a panel's weights for some inputs: position p's are [inputs][nr] from
 * to + p * step on. At most WINOGRAD_CHUNK inputs. */
winograd_weights winograd_weights_of(const kernel_call *call);
size_t winograd_weight_bytes(const winograd_weights *form);
bool winograd_packs(const kernel_call *call, packed_form *out_form);
void winograd_transform_chunk(const winograd_weights *form, const float *packed, size_t panel,
                              size_t first, size_t inputs, float *to);

#endif
