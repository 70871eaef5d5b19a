/* A sink for bytes. */
#include "runtime/train/bytes.h"

#include <stdlib.h>
#include <string.h>

kiln_status byte_sink_write(void *context, const void *data, size_t size, kiln_error *error) {
    byte_sink *sink = context;
    if (size > sink->capacity - sink->size) {
        size_t capacity = (sink->size + size) * 3 / 2 + 4096;
        uint8_t *grown = realloc(sink->data, capacity);
        if (grown == NULL) {
            return kiln_fail(error, KILN_ERROR_MEMORY, "out of memory");
        }
        sink->data = grown;
        sink->capacity = capacity;
    }
    memcpy(sink->data + sink->size, data, size);
    sink->size += size;
    return KILN_OK;
}
