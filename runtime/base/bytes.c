/* Byte buffers. */
#include "runtime/base/bytes.h"
#include "runtime/base/memory.h"

#include <string.h>

void buffer_append(byte_buffer *buffer, const void *data, size_t size) {
    if (buffer->failed || size == 0) {
        return;
    }
    if (size > buffer->capacity - buffer->size) {
        size_t capacity = (buffer->size + size) * 2;
        uint8_t *grown = memory_grow(buffer->allocator, buffer->data, capacity);
        if (grown == NULL) {
            buffer->failed = true;
            return;
        }
        buffer->data = grown;
        buffer->capacity = capacity;
    }
    memcpy(buffer->data + buffer->size, data, size);
    buffer->size += size;
}

void buffer_pad(byte_buffer *buffer, size_t alignment) {
    static const uint8_t zeros[64];
    size_t past = buffer->size % alignment;
    if (past != 0) {
        buffer_append(buffer, zeros, alignment - past);
    }
}

void buffer_free(byte_buffer *buffer) {
    memory_free(buffer->data);
    *buffer = (byte_buffer){.allocator = buffer->allocator};
}

kiln_status buffer_write(void *context, const void *data, size_t size, kiln_error *error) {
    byte_buffer *buffer = context;
    buffer_append(buffer, data, size);
    return buffer->failed ? memory_fail(error) : KILN_OK;
}
