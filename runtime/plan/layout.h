/* The one place that knows in which physical order a tensor's dims lie (kiln_plan_layout): the
 * channels-last permutation and its inverse, for dims of any integer type. */
#ifndef KILN_RUNTIME_PLAN_LAYOUT_H
#define KILN_RUNTIME_PLAN_LAYOUT_H

#include <kiln/plan_format.h>

/* Which dim, counted in ONNX order, lies at a physical position. */
static inline uint32_t layout_logical_axis(uint8_t layout, uint32_t rank, uint32_t position) {
    if (layout != KILN_CHANNELS_LAST || position == 0) {
        return position;
    }
    return position + 1 == rank ? 1 : position + 1;
}

/* At which physical position a dim, counted in ONNX order, lies. */
static inline uint32_t layout_physical_axis(uint8_t layout, uint32_t rank, uint32_t axis) {
    if (layout != KILN_CHANNELS_LAST || axis == 0) {
        return axis;
    }
    return axis == 1 ? rank - 1 : axis - 1;
}

/* The length of the last physical dim, of which elements always follow each other; 1 for a scalar.
 * `dims` are in ONNX order. */
static inline uint32_t layout_inner(uint8_t layout, uint32_t rank, const uint32_t *dims) {
    return rank == 0 ? 1 : dims[layout_logical_axis(layout, rank, rank - 1)];
}

#endif
