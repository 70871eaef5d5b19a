/* Triangles about the positions of a scaled row or column. */
#include "runtime/image/filter.h"

#include <math.h>

static void fill_weights(image_filter *f, size_t k, double centre, double half, size_t source) {
    double sum = 0;
    double start = ceil(centre - half - 0.5);
    size_t first = start > 0 ? (size_t)start : 0;
    first = first < source - 1 ? first : source - 1;
    first = first + f->taps <= source ? first : source - f->taps;
    float *weights = f->weights + k * f->taps;
    for (size_t t = 0; t < f->taps; t++) {
        double distance = fabs((double)(first + t) + 0.5 - centre) / half;
        weights[t] = distance < 1 ? (float)(1 - distance) : 0;
        sum += weights[t];
    }
    for (size_t t = 0; t < f->taps; t++) {
        weights[t] = (float)(weights[t] / sum);
    }
    f->first[k] = first;
}

size_t image_filter_taps(double half, size_t source) {
    size_t taps = (size_t)ceil(2 * half);
    return taps < source ? taps : source;
}

void image_filter_fill(image_filter *f, size_t source, double step, double half, size_t offset,
                       size_t count) {
    for (size_t k = 0; k < count; k++) {
        fill_weights(f, k, ((double)(offset + k) + 0.5) * step, half, source);
    }
}
