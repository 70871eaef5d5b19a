/* Mapping the model and its external data. */
#include "runtime/base/files.h"
#include "compiler/import/importing.h"

#include <stdlib.h>
#include <string.h>

kiln_status files_map(mapped_file **inout_files, const char *path, kiln_error *error,
                      kiln_span *out_bytes) {
    for (mapped_file *f = *inout_files; f != NULL; f = f->next) {
        if (strcmp(f->path, path) == 0) {
            *out_bytes = f->bytes;
            return KILN_OK;
        }
    }
    mapped_file *f = calloc(1, sizeof *f);
    char *copy = strdup(path);
    kiln_status status = f != NULL && copy != NULL
                             ? file_map(path, out_bytes, error)
                             : kiln_fail(error, KILN_ERROR_MEMORY, "%s: out of memory", path);
    if (status == KILN_OK && out_bytes->size == 0) {
        status = kiln_fail(error, KILN_ERROR_FORMAT, "%s: the file is empty", path);
    }
    if (status != KILN_OK) {
        free(f);
        free(copy);
        return status;
    }
    *f = (mapped_file){copy, *out_bytes, *inout_files};
    *inout_files = f;
    return KILN_OK;
}

kiln_status import_keep(const graph *g, const char *output, kiln_error *error) {
    kiln_status status = KILN_OK;
    for (const mapped_file *f = g->file_context; f != NULL && status == KILN_OK; f = f->next) {
        status = file_keep(f->path, output, error);
    }
    return status;
}

void files_unmap(void *files) {
    mapped_file *f = files;
    while (f != NULL) {
        mapped_file *next = f->next;
        file_unmap(f->bytes);
        free(f->path);
        free(f);
        f = next;
    }
}
