#include "runtime/lanes/lanes.h"

extern const lanes lanes_base;
#ifdef KILN_LANES_X86
extern const lanes lanes_avx2, lanes_avx512;
#endif

const lanes *lanes_at(size_t k) {
#ifdef KILN_LANES_X86
    if (__builtin_cpu_supports("avx512f")) {
        if (k == 0) {
            return &lanes_avx512;
        }
        k--;
    }
    /* Every processor with AVX2 has F16C, which clang 14 cannot ask for. */
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) {
        if (k == 0) {
            return &lanes_avx2;
        }
        k--;
    }
#endif
    return k == 0 ? &lanes_base : NULL;
}

const lanes *lanes_best(void) {
    return lanes_at(0);
}
