/* The sum of products of two rows, of floats or doubles: `static DOT(name, type, sums)` defines
 * it. It is made of so many independent sums, so that the compiler may use vectors. */
#ifndef KILN_TRAIN_DOT_H
#define KILN_TRAIN_DOT_H

#include <stddef.h>

#define DOT(name, type, sums)                                                                      \
    type name(const type *a, const type *b, size_t size) {                                         \
        type partial[sums] = {0}, sum = 0;                                                         \
        size_t k = 0;                                                                              \
        for (; k + sums <= size; k += sums) {                                                      \
            for (size_t lane = 0; lane < sums; lane++) {                                           \
                partial[lane] += a[k + lane] * b[k + lane];                                        \
            }                                                                                      \
        }                                                                                          \
        for (; k < size; k++) {                                                                    \
            sum += a[k] * b[k];                                                                    \
        }                                                                                          \
        for (size_t lane = 0; lane < sums; lane++) {                                               \
            sum += partial[lane];                                                                  \
        }                                                                                          \
        return sum;                                                                                \
    }

#endif
