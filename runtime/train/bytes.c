/* Sinks for bytes. */
#include "runtime/train/bytes.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

bool byte_sink_write(void *context, const void *data, size_t size) {
    byte_sink *sink = context;
    if (size > sink->capacity - sink->size) {
        size_t capacity = (sink->size + size) * 3 / 2 + 4096;
        uint8_t *grown = realloc(sink->data, capacity);
        if (grown == NULL) {
            return false;
        }
        sink->data = grown;
        sink->capacity = capacity;
    }
    memcpy(sink->data + sink->size, data, size);
    sink->size += size;
    return true;
}

kiln_status file_sink_open(file_sink *out_sink, const char *path, kiln_error *error) {
    struct stat existing;
    size_t length = strlen(path) + 32;
    *out_sink = (file_sink){.path = path, .temporary = malloc(length)};
    if (out_sink->temporary == NULL) {
        return kiln_fail(error, KILN_ERROR_MEMORY, "out of memory");
    }
    snprintf(out_sink->temporary, length, "%s.%ld.tmp", path, (long)getpid());
    if (stat(path, &existing) == 0 && !S_ISREG(existing.st_mode)) {
        (void)kiln_fail(error, KILN_ERROR_IO, "%s: not a regular file", path);
    } else {
        out_sink->file = fopen(out_sink->temporary, "wb");
        if (out_sink->file == NULL) {
            (void)kiln_fail(error, KILN_ERROR_IO, "%s: cannot create: %s", path, strerror(errno));
        }
    }
    if (out_sink->file == NULL) {
        free(out_sink->temporary);
        return KILN_ERROR_IO;
    }
    return KILN_OK;
}

bool file_sink_write(void *context, const void *data, size_t size) {
    return fwrite(data, 1, size, ((file_sink *)context)->file) == size;
}

kiln_status file_sink_close(file_sink *sink, kiln_status status, kiln_error *error) {
    if (fclose(sink->file) != 0 && status == KILN_OK) {
        status =
            kiln_fail(error, KILN_ERROR_IO, "%s: cannot write: %s", sink->path, strerror(errno));
    }
    if (status == KILN_OK && rename(sink->temporary, sink->path) != 0) {
        status =
            kiln_fail(error, KILN_ERROR_IO, "%s: cannot rename: %s", sink->path, strerror(errno));
    }
    if (status != KILN_OK) {
        (void)unlink(sink->temporary);
    }
    free(sink->temporary);
    return status;
}
