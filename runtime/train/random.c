/* Random numbers by position. */
#include "runtime/train/network.h"

static uint64_t mix(uint64_t z) {
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

uint64_t random_bits(uint64_t seed, uint64_t stream, uint64_t index) {
    uint64_t base = mix(seed + 0x9e3779b97f4a7c15u) ^ mix(stream * 0xd1b54a32d192ed03u + 1);
    return mix(base + (index + 1) * 0x9e3779b97f4a7c15u);
}

float random_uniform(uint64_t seed, uint64_t stream, uint64_t index) {
    return (float)(random_bits(seed, stream, index) >> 40) * 0x1p-24f;
}

void random_order(uint64_t seed, uint64_t stream, uint32_t *out_order, size_t count) {
    for (size_t k = 0; k < count; k++) {
        out_order[k] = (uint32_t)k;
    }
    random_shuffle(seed, stream, 0, out_order, count);
}

void random_shuffle(uint64_t seed, uint64_t stream, uint64_t index, uint32_t *inout_list,
                    size_t count) {
    for (size_t k = count; k > 1; k--) {
        size_t other = (size_t)(random_bits(seed, stream, index + k) % k);
        uint32_t kept = inout_list[k - 1];
        inout_list[k - 1] = inout_list[other];
        inout_list[other] = kept;
    }
}
