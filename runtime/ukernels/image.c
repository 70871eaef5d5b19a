/* Rows of an image's bytes to one of floats. Plain loops, which compilers make vectors of. */
#include "runtime/ukernels/vector.h"

static void add_rows(const uint8_t *restrict upper, const uint8_t *restrict lower, float above,
                     float below, size_t count, float *restrict sums) {
    for (size_t k = 0; k < count; k++) {
        sums[k] += above * (float)upper[k] + below * (float)lower[k];
    }
}

const image_ukernels UKERNEL(image) = {.add_rows = add_rows};
