/* Memory that grows as bytes are appended to it. */
#ifndef KILN_RUNTIME_BASE_BYTES_H
#define KILN_RUNTIME_BASE_BYTES_H

#include <kiln/kiln.h>

/* All zeros: empty, and from the default allocator. Running out of memory is remembered, so that it
 * need be looked at once, behind many calls; what was appended until then is still there. */
typedef struct byte_buffer {
    const kiln_allocator *allocator; /* NULL: the default one */
    uint8_t *data;                   /* released with memory_free */
    size_t size, capacity;
    bool failed;
} byte_buffer;

void buffer_append(byte_buffer *buffer, const void *data, size_t size);
/* Zeros up to a multiple of `alignment`, at most 64. */
void buffer_pad(byte_buffer *buffer, size_t alignment);
void buffer_free(byte_buffer *buffer);

/* The same as buffer_append, for what writes through a function; context: the buffer. */
kiln_status buffer_write(void *context, const void *data, size_t size, kiln_error *error);

#endif
