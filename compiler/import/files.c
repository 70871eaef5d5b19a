/* Mapping the model and its external data. */
#include "compiler/import/importing.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static kiln_status map_descriptor(int descriptor, const char *path, kiln_error *error,
                                  kiln_span *out_bytes) {
    struct stat file;
    if (fstat(descriptor, &file) != 0) {
        return kiln_fail(error, KILN_ERROR_IO, "%s: %s", path, strerror(errno));
    }
    if (!S_ISREG(file.st_mode)) {
        return kiln_fail(error, KILN_ERROR_IO, "%s: not a regular file", path);
    }
    if (file.st_size == 0) {
        return kiln_fail(error, KILN_ERROR_FORMAT, "%s: the file is empty", path);
    }
    void *data = mmap(NULL, (size_t)file.st_size, PROT_READ, MAP_PRIVATE, descriptor, 0);
    if (data == MAP_FAILED) {
        return kiln_fail(error, KILN_ERROR_IO, "%s: cannot map: %s", path, strerror(errno));
    }
    *out_bytes = (kiln_span){data, (size_t)file.st_size};
    return KILN_OK;
}

kiln_status files_map(mapped_file **inout_files, const char *path, kiln_error *error,
                      kiln_span *out_bytes) {
    for (mapped_file *f = *inout_files; f != NULL; f = f->next) {
        if (strcmp(f->path, path) == 0) {
            *out_bytes = (kiln_span){f->data, f->size};
            return KILN_OK;
        }
    }
    mapped_file *f = calloc(1, sizeof *f);
    char *copy = strdup(path);
    int descriptor = open(path, O_RDONLY | O_CLOEXEC);
    kiln_status status = KILN_OK;
    if (f == NULL || copy == NULL) {
        status = kiln_fail(error, KILN_ERROR_MEMORY, "%s: out of memory", path);
    } else if (descriptor < 0) {
        status = kiln_fail(error, KILN_ERROR_IO, "%s: %s", path, strerror(errno));
    } else {
        status = map_descriptor(descriptor, path, error, out_bytes);
    }
    if (descriptor >= 0) {
        (void)close(descriptor);
    }
    if (status != KILN_OK) {
        free(f);
        free(copy);
        return status;
    }
    *f = (mapped_file){copy, (uint8_t *)(uintptr_t)out_bytes->data, out_bytes->size, *inout_files};
    *inout_files = f;
    return KILN_OK;
}

void files_unmap(void *files) {
    mapped_file *f = files;
    while (f != NULL) {
        mapped_file *next = f->next;
        (void)munmap(f->data, f->size);
        free(f->path);
        free(f);
        f = next;
    }
}
