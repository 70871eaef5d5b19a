/* Whether XNNPACK or a kernel of ours computes a convolution. */
#ifndef KILN_RUNTIME_CONV_CHOICE_H
#define KILN_RUNTIME_CONV_CHOICE_H

#include "runtime/kernels/kernel.h"

/* Classes of layers, by what their speed depends on. */
typedef enum conv_class {
    CONV_PRODUCT = 0, /* one group */
    CONV_DEPTHWISE = 1,
    CONV_NARROW_GROUPS =
        2, /* a group's outputs fit in a tile of ours, and may leave much of it empty */
    CONV_WIDE_GROUPS = 3,
    CONV_TRANSPOSED = 4, /* one group */
    CONV_CLASSES = 5
} conv_class;

conv_class conv_class_of(const kernel_call *call);

/* The time that XNNPACK takes, where ours takes 1: with the set of micro-kernels of that name and
 * XNNPACK's generation of that name. */
float conv_cost_by_xnnpack(const char *ukernels, const char *generation, conv_class of);

/* False in builds without XNNPACK, where it does not start, in bands, and where something is
 * added to results or a function applied: it knows neither. */
bool conv_can_be_by_xnnpack(const kernel_call *call);
/* Whether it is: where it can, and is faster by measurement or by the costs. */
bool conv_is_by_xnnpack(const kernel_call *call);
/* The XNNPACK of this build, as xnnpack_generation; "Kiln" of a build without. */
const char *conv_library(void);

#endif
