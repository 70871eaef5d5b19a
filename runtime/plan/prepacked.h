/* A file of packed weights, beside a plan, for the next start: read by mapping it, written whole.
 * Not part of the plan format: only the library that wrote it reads it, on the same kind of
 * processor. The file is untrusted: everything in it is checked before it is used. */
#ifndef KILN_RUNTIME_PREPACKED_H
#define KILN_RUNTIME_PREPACKED_H

#include "runtime/base/thread_pool.h"

/* A mapped file; all zeros where there is none. */
typedef struct prepacked {
    void *mapping;
    size_t size;
} prepacked;

/* One constant in one form. */
typedef struct prepacked_part {
    uint64_t key;
    const void *data;
    size_t bytes;
} prepacked_part;

/* `plan` is a number that no other plan has. Without such a file KILN_OK, and no mapping; an error
 * where it is damaged or for another plan, version or processor, and says so. */
kiln_status prepacked_open(const char *path, uint64_t plan, prepacked *out_file, kiln_error *error);
void prepacked_close(prepacked *file);

/* The bytes of a key, aligned to 64; NULL: not there, of another size, or (`check`) damaged, which
 * *inout_error then says. Valid until the file is closed. */
const void *prepacked_find(const prepacked *file, uint64_t key, size_t bytes, bool check,
                           thread_pool *pool, kiln_error *inout_error);

/* Writes the file whole; `durably`: not before the bytes are on the disk. Where it cannot be
 * written, what was at `path` is still there. */
kiln_status prepacked_write(const char *path, uint64_t plan, const prepacked_part *parts,
                            size_t count, bool durably, thread_pool *pool, kiln_error *error);

#endif
