/* All kernels, by their number in the plan format. */
#include "runtime/kernels/kernel.h"

static const kernel *const kernels[KILN_KERNEL_COUNT] = {
#define ENTRY(number, NAME, name) [number] = &kernel_##name,
    KILN_EACH_KERNEL(ENTRY)};

const kernel *kernel_find(uint32_t kernel_id) {
    return kernel_id < KILN_KERNEL_COUNT ? kernels[kernel_id] : NULL;
}
