/* Checksums: XXH3 of 64 bits, compiled once. */
#ifndef KILN_RUNTIME_BASE_CHECKSUM_H
#define KILN_RUNTIME_BASE_CHECKSUM_H

#include <stddef.h>
#include <stdint.h>

uint64_t checksum(const void *data, size_t size);
/* Of what is hashed piece by piece: `seed` is the checksum of the pieces before. */
uint64_t checksum_with_seed(const void *data, size_t size, uint64_t seed);

/* The checksum of bytes that come in pieces. */
typedef struct checksum_stream {
    _Alignas(64) unsigned char state[640];
} checksum_stream;

void checksum_begin(checksum_stream *out_stream);
void checksum_add(checksum_stream *inout_stream, const void *data, size_t size);
uint64_t checksum_end(const checksum_stream *stream);

#endif
