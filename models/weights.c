/* Random weights. Neither the generator nor the distributions call libm, whose last bits differ
 * between machines: a network made with a seed has the same bytes everywhere. */
#include "models/weights.h"

/* splitmix64: Steele, Lea, Flood, "Fast Splittable Pseudorandom Number Generators", OOPSLA 2014. */
static uint64_t next(weights_stream *stream) {
    uint64_t z = stream->state += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

weights_stream weights_begin(uint64_t seed, uint64_t index) {
    weights_stream of_seed = {seed};
    weights_stream stream = {next(&of_seed) ^ index};
    stream.state = next(&stream);
    return stream;
}

/* The sum of four uniform 16-bit integers (Irwin-Hall), centred and scaled to variance 1: close to
 * normal, as He's initialisation wants, and bounded, so that no weight is an outlier. */
static double standard_normal(weights_stream *stream) {
    const double scale = 1.7320508075688772 / 65536; /* the sum's deviation is 65536 / sqrt 3 */
    uint64_t bits = next(stream);
    int64_t sum = 0;
    for (int part = 0; part < 4; part++)
        sum += (int64_t)(bits >> (16 * part) & 0xffff);
    return (double)(sum - 2 * INT64_C(65535)) * scale;
}

static double unit(weights_stream *stream) {
    return (double)(next(stream) >> 11) * 0x1p-53;
}

void weights_fill(weights_stream *stream, weights_distribution distribution, float *out,
                  size_t count) {
    if (distribution.kind == WEIGHTS_NORMAL)
        for (size_t i = 0; i < count; i++)
            out[i] = (float)(standard_normal(stream) * distribution.high);
    else
        for (size_t i = 0; i < count; i++)
            out[i] =
                (float)(distribution.low + unit(stream) * (distribution.high - distribution.low));
}
