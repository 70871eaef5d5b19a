/* All kernels, by their number in the plan format; or those of them that KILN_KERNELS selects: then
 * CMake's built_in.h has EACH_BUILT_IN_KERNEL. */
#include "runtime/kernels/kernel.h"

#include <built_in.h>
#ifdef EACH_BUILT_IN_KERNEL
#define ENTRY(NAME, name) [KILN_KERNEL_##NAME] = &kernel_##name,
#else
#define EACH_BUILT_IN_KERNEL KILN_EACH_KERNEL
#define ENTRY(number, NAME, name) [number] = &kernel_##name,
#endif

static const kernel *const kernels[KILN_KERNEL_COUNT] = {EACH_BUILT_IN_KERNEL(ENTRY)};

const kernel *kernel_find(uint32_t kernel_id) {
    return kernel_id < KILN_KERNEL_COUNT ? kernels[kernel_id] : NULL;
}
