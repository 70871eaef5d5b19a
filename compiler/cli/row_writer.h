/* Rows of numbers to an array file, [rows][columns] of float32 (NumPy's .npy), as they come: how
 * many there will be need not be known. */
#ifndef KILN_COMPILER_CLI_ROW_WRITER_H
#define KILN_COMPILER_CLI_ROW_WRITER_H

#include "runtime/base/files.h"

typedef struct row_writer {
    file_writer file; /* file.durable may be set after row_writer_begin */
    size_t columns;
    uint64_t count;    /* of rows written */
    uint64_t checksum; /* of them: XXH3-64 of each row, seeded with that of those before it */
} row_writer;

/* path is borrowed until the end. */
kiln_status row_writer_begin(row_writer *out_writer, const char *path, size_t columns,
                             kiln_error *error);
kiln_status row_writer_add(row_writer *writer, const float *row, kiln_error *error);
/* As file_end. */
kiln_status row_writer_end(row_writer *writer, kiln_status status, kiln_error *error);

/* The front of a file of so many rows and columns, before the rows. */
enum { ROW_HEADER_BYTES = 128 };
void row_writer_header(const row_writer *writer, char out[ROW_HEADER_BYTES]);

#endif
