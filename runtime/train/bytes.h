/* Where finished plans go: memory or a file. */
#ifndef KILN_RUNTIME_BYTES_H
#define KILN_RUNTIME_BYTES_H

#include <kiln/kiln.h>
#include <stdio.h>

/* Memory that grows; data is from malloc. A parts_sink's context. */
typedef struct byte_sink {
    uint8_t *data;
    size_t size, capacity;
} byte_sink;

bool byte_sink_write(void *context, const void *data, size_t size);

/* A file beside `path` that becomes `path` when all went well. */
typedef struct file_sink {
    FILE *file;
    char *temporary;
    const char *path;
} file_sink;

kiln_status file_sink_open(file_sink *out_sink, const char *path, kiln_error *error);
bool file_sink_write(void *context, const void *data, size_t size);
/* Closes; renames when status is KILN_OK, else removes. Returns the status or a new failure. */
kiln_status file_sink_close(file_sink *sink, kiln_status status, kiln_error *error);

#endif
