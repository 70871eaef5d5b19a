/* Sums of products, on which all of it stands: in single precision and in lanes. */
#include "runtime/people/people.h"

#define LANES 16

/* Sums in lanes, so that compilers make vectors of them without leave to reorder. */
double similarity_dot(const float *a, const float *b, size_t count) {
    float lanes[LANES] = {0};
    double sum = 0;
    size_t k = 0;
    for (; k + LANES <= count; k += LANES) {
        for (size_t j = 0; j < LANES; j++) {
            lanes[j] += a[k + j] * b[k + j];
        }
    }
    for (; k < count; k++) {
        sum += (double)a[k] * (double)b[k];
    }
    for (size_t j = 0; j < LANES; j++) {
        sum += (double)lanes[j];
    }
    return sum;
}

size_t metric_count(size_t features) {
    return features * (features + 1) / 2;
}

void metric_apply(const kiln_people *people, const float *x, float *out) {
    const float *row = people->metric;
    for (size_t i = 0; i < people->features; i++) {
        out[i] = (float)similarity_dot(row, x, i + 1);
        row += i + 1;
    }
}
