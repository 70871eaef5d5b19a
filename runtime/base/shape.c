/* Shapes as text: see shape.h. */
#include "runtime/base/shape.h"

#include <stdio.h>

const char *shape_text(const uint32_t *dims, uint32_t rank, bool batched, char *buffer,
                       size_t size) {
    size_t used = 0;
    buffer[0] = '\0';
    for (uint32_t k = 0; k < rank && used < size; k++) {
        const char *times = k > 0 ? "x" : "";
        int written;
        if (k == 0 && batched) {
            written = dims[0] == 1 ? snprintf(buffer, size, "N")
                                   : snprintf(buffer, size, "N*%u", dims[0]);
        } else {
            written = snprintf(buffer + used, size - used, "%s%u", times, dims[k]);
        }
        used += written > 0 ? (size_t)written : 0;
    }
    if (rank == 0) {
        snprintf(buffer, size, "scalar");
    }
    return buffer;
}
