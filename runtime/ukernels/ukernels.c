/* The sets of vector instructions that are built in, and the micro-kernels of each family for each
 * set. CMake writes built_in.h: EACH_ISA, of the sets with the best first (KILN_ISA), and where
 * kernels are selected (KILN_KERNELS), EACH_BUILT_IN_FUNCTION and BUILT_IN_DEPTHWISE_SEVERAL. */
#include "runtime/ukernels/ukernels.h"

#include <built_in.h>
#ifndef EACH_BUILT_IN_FUNCTION
#define EACH_BUILT_IN_FUNCTION EACH_UNARY
#define BUILT_IN_DEPTHWISE_SEVERAL 1
#endif

#if defined __arm__ && defined __linux__
#include <asm/hwcap.h>
#include <sys/auxv.h>
#define HAS_neon ((~getauxval(AT_HWCAP) & (HWCAP_NEON | HWCAP_VFPv4)) == 0)
#endif

#define DECLARE_SET(set, _) extern const ukernels ukernel_table_##set;
EACH_ISA(DECLARE_SET, )

#define HAS_avx512 __builtin_cpu_supports("avx512f")
/* Every processor with AVX2 has F16C, which clang 14 cannot ask for. */
#define HAS_avx2 (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
#define HAS_base true

const ukernels *ukernels_at(size_t k) {
#define TAKE_SET(set, _)                                                                           \
    if (HAS_##set && k-- == 0) {                                                                   \
        return &ukernel_table_##set;                                                               \
    }
    EACH_ISA(TAKE_SET, )
    return NULL;
}

const ukernels *ukernels_best(void) {
    return ukernels_at(0);
}

#define OF_SET(set, family) [SET_##set] = &ukernel_##family##_##set,
/* Those of sets that are not built in are declared for nothing. */
#define DECLARE_SETS(family, type)                                                                 \
    extern type ukernel_##family##_avx512, ukernel_##family##_avx2;                                \
    extern type ukernel_##family##_neon, ukernel_##family##_base;
#define FAMILY(family, type)                                                                       \
    DECLARE_SETS(family, type)                                                                     \
    type *const ukernels_of_##family[UKERNEL_SETS] = {EACH_ISA(OF_SET, family)};
EACH_UKERNEL_FAMILY(FAMILY)

#define FUNCTION(NAME, name) DECLARE_SETS(unary_##name, unary_ukernel)
EACH_UNARY(FUNCTION)

#define OF_FUNCTION(NAME, name) [UNARY_##NAME] = {EACH_ISA(OF_SET, unary_##name)},
unary_ukernel *ukernels_unary(const ukernels *set, size_t function) {
    static unary_ukernel *const functions[UNARY_FUNCTIONS][UKERNEL_SETS] = {
        EACH_BUILT_IN_FUNCTION(OF_FUNCTION)};
    return functions[function][set->set];
}

sliding_ukernel *ukernels_depthwise_several(const ukernels *set) {
#if BUILT_IN_DEPTHWISE_SEVERAL
    return ukernels_depthwise_multiplier(set);
#else
    (void)set;
    return NULL;
#endif
}
