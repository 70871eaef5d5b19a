/* Where finished plans go that stay in memory. */
#ifndef KILN_RUNTIME_BYTES_H
#define KILN_RUNTIME_BYTES_H

#include <kiln/kiln.h>

/* Memory that grows; data is from malloc. A parts_sink's context. */
typedef struct byte_sink {
    uint8_t *data;
    size_t size, capacity;
} byte_sink;

kiln_status byte_sink_write(void *context, const void *data, size_t size, kiln_error *error);

#endif
