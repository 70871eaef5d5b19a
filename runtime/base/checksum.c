#include "runtime/base/checksum.h"

#define XXH_INLINE_ALL
/* Else each function would hold copies of all others: three times the code. Half as fast from the
 * caches, and as fast as memory is. */
#define XXH_NO_INLINE_HINTS 1
#include <xxhash.h>

uint64_t checksum(const void *data, size_t size) {
    return checksum_with_seed(data, size, 0); /* which XXH3 defines to be the same */
}

uint64_t checksum_with_seed(const void *data, size_t size, uint64_t seed) {
    return XXH3_64bits_withSeed(data, size, seed);
}

_Static_assert(sizeof(XXH3_state_t) <= sizeof(checksum_stream), "the state does not fit");

void checksum_begin(checksum_stream *out_stream) {
    XXH3_64bits_reset((XXH3_state_t *)(void *)out_stream->state);
}

void checksum_add(checksum_stream *inout_stream, const void *data, size_t size) {
    XXH3_64bits_update((XXH3_state_t *)(void *)inout_stream->state, data, size);
}

uint64_t checksum_end(const checksum_stream *stream) {
    return XXH3_64bits_digest((const XXH3_state_t *)(const void *)stream->state);
}
