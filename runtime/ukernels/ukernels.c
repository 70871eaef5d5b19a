/* The sets of vector instructions that are built in, the best first. CMake writes isa_rows.h, with
 * a line ISA(NAME) for each (KILN_ISA). */
#include "runtime/ukernels/ukernels.h"

#define ISA(name) extern const ukernels ukernel_table_##name;
#include <isa_rows.h>
#undef ISA

#define HAS_avx512 __builtin_cpu_supports("avx512f")
/* Every processor with AVX2 has F16C, which clang 14 cannot ask for. */
#define HAS_avx2 (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
#define HAS_base true

const ukernels *ukernels_at(size_t k) {
#define ISA(name)                                                                                  \
    if (HAS_##name && k-- == 0) {                                                                  \
        return &ukernel_table_##name;                                                              \
    }
#include <isa_rows.h>
#undef ISA
    return NULL;
}

const ukernels *ukernels_best(void) {
    return ukernels_at(0);
}
