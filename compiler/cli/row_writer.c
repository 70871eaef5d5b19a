/* Rows to arrays: see row_writer.h. */
#include "compiler/cli/row_writer.h"
#include "runtime/base/checksum.h"

#include <errno.h>
#include <string.h>

enum { FRONT_BYTES = 10 };

/* numpy.lib.format, version 1.0; the spaces leave room for any number of rows. */
void row_writer_header(const row_writer *w, char out[ROW_HEADER_BYTES]) {
    const uint8_t front[FRONT_BYTES] = {
        0x93, 'N', 'U', 'M', 'P', 'Y', 1, 0, ROW_HEADER_BYTES - FRONT_BYTES};
    memset(out, ' ', ROW_HEADER_BYTES);
    memcpy(out, front, sizeof front);
    int length = snprintf(out + FRONT_BYTES, ROW_HEADER_BYTES - FRONT_BYTES,
                          "{'descr': '<f4', 'fortran_order': False, 'shape': (%llu, %zu), }",
                          (unsigned long long)w->count, w->columns);
    out[FRONT_BYTES + length] = ' ';
    out[ROW_HEADER_BYTES - 1] = '\n';
}

kiln_status row_writer_begin(row_writer *out_writer, const char *path, size_t columns,
                             kiln_error *error) {
    char header[ROW_HEADER_BYTES];
    row_writer *w = out_writer;
    *w = (row_writer){.columns = columns};
    kiln_status status = file_begin(&w->file, path, error);
    if (status == KILN_OK) {
        row_writer_header(w, header);
        status = file_write(&w->file, header, sizeof header, error);
        status = status == KILN_OK ? status : file_end(&w->file, status, error);
    }
    return status;
}

kiln_status row_writer_add(row_writer *w, const float *row, kiln_error *error) {
    w->checksum = checksum_with_seed(row, w->columns * sizeof *row, w->checksum);
    w->count++;
    return file_write(&w->file, row, w->columns * sizeof *row, error);
}

kiln_status row_writer_end(row_writer *w, kiln_status status, kiln_error *error) {
    char header[ROW_HEADER_BYTES];
    if (status == KILN_OK && fflush(w->file.file) != 0) {
        status =
            kiln_fail(error, KILN_ERROR_IO, "%s: cannot write: %s", w->file.path, strerror(errno));
    }
    if (status == KILN_OK) {
        row_writer_header(w, header);
        status = file_write_at(&w->file, header, sizeof header, 0, error);
    }
    return file_end(&w->file, status, error);
}
