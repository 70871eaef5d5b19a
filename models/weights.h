/* Seeded random values for the weights of reference networks: the same bytes on every machine. */
#ifndef KILN_MODELS_WEIGHTS_H
#define KILN_MODELS_WEIGHTS_H

#include <stddef.h>
#include <stdint.h>

typedef enum weights_kind {
    WEIGHTS_NORMAL, /* mean 0, standard deviation `high`; `low` is not used */
    WEIGHTS_UNIFORM /* low .. high */
} weights_kind;

typedef struct weights_distribution {
    weights_kind kind;
    double low, high;
} weights_distribution;

/* One stream of random numbers. */
typedef struct weights_stream {
    uint64_t state;
} weights_stream;

/* A stream for tensor `index` of the network with this seed, independent of all others. */
weights_stream weights_begin(uint64_t seed, uint64_t index);

/* Fills `out` with the next `count` values of the stream. */
void weights_fill(weights_stream *stream, weights_distribution distribution, float *out,
                  size_t count);

#endif
