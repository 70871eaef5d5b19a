#include "runtime/ukernels/ukernels.h"

extern const ukernels ukernel_table_base;
#ifdef KILN_UKERNELS_X86
extern const ukernels ukernel_table_avx2, ukernel_table_avx512;
#endif

const ukernels *ukernels_at(size_t k) {
#ifdef KILN_UKERNELS_X86
    if (__builtin_cpu_supports("avx512f")) {
        if (k == 0) {
            return &ukernel_table_avx512;
        }
        k--;
    }
    /* Every processor with AVX2 has F16C, which clang 14 cannot ask for. */
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) {
        if (k == 0) {
            return &ukernel_table_avx2;
        }
        k--;
    }
#endif
    return k == 0 ? &ukernel_table_base : NULL;
}

const ukernels *ukernels_best(void) {
    return ukernels_at(0);
}
