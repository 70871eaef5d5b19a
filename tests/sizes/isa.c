/* A library without some sets of vector instructions takes the next lower one: this program is
 * linked with AVX2's and the baseline alone. */
#include "runtime/ukernels/ukernels.h"

#include <stdio.h>
#include <string.h>

static bool is(const ukernels *set, const char *name) {
    return set != NULL && strcmp(set->name, name) == 0;
}

int main(void) {
    bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
    size_t k = 0;
    if ((avx2 && !is(ukernels_at(k++), "AVX2")) || !is(ukernels_at(k), "SSE") ||
        ukernels_at(k + 1) != NULL || ukernels_best() != ukernels_at(0)) {
        printf("FAILED: the best of the sets is %s\n", ukernels_best()->name);
        return 1;
    }
    printf("%s\n", ukernels_best()->name);
    return 0;
}
