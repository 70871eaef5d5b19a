/* Reading files: see files.h. */
#include "runtime/base/files.h"
#include "runtime/base/memory.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <strings.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static kiln_status fail(const char *path, int reason, kiln_error *error) {
    return kiln_fail(error, reason == ENOMEM ? KILN_ERROR_MEMORY : KILN_ERROR_IO, "%s: %s", path,
                     strerror(reason));
}

static kiln_status refuse(const char *path, mode_t mode, kiln_error *error) {
    return kiln_fail(error, KILN_ERROR_IO, "%s: not a regular file but a %s", path,
                     S_ISDIR(mode)    ? "directory"
                     : S_ISFIFO(mode) ? "pipe"
                     : S_ISSOCK(mode) ? "socket"
                                      : "device");
}

/* Looked at before it is opened, since opening alone does something to some devices, and once more
 * after, since it may have been replaced; O_NONBLOCK for FIFOs that come between. */
kiln_status file_open(const char *path, int *out_descriptor, size_t *out_size, kiln_error *error) {
    struct stat about;
    *out_descriptor = -1;
    *out_size = 0;
    if (stat(path, &about) != 0) {
        return fail(path, errno, error);
    }
    if (!S_ISREG(about.st_mode)) {
        return refuse(path, about.st_mode, error);
    }
    int descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (descriptor < 0 || fstat(descriptor, &about) != 0) {
        int reason = errno;
        if (descriptor >= 0) {
            (void)close(descriptor);
        }
        return fail(path, reason, error);
    }
    if (!S_ISREG(about.st_mode) || (uint64_t)about.st_size > SIZE_MAX / 2) {
        (void)close(descriptor);
        return S_ISREG(about.st_mode) ? fail(path, EFBIG, error)
                                      : refuse(path, about.st_mode, error);
    }
    *out_descriptor = descriptor;
    *out_size = (size_t)about.st_size;
    return KILN_OK;
}

kiln_status file_map(const char *path, kiln_span *out_bytes, kiln_error *error) {
    int descriptor;
    size_t size = 0;
    *out_bytes = (kiln_span){NULL, 0};
    kiln_status status = file_open(path, &descriptor, &size, error);
    if (status != KILN_OK) {
        return status;
    }
    void *data = size > 0 ? mmap(NULL, size, PROT_READ, MAP_PRIVATE, descriptor, 0) : NULL;
    if (data == MAP_FAILED) {
        status = fail(path, errno, error);
    } else {
        *out_bytes = (kiln_span){data, size};
    }
    (void)close(descriptor);
    return status;
}

void file_unmap(kiln_span bytes) {
    if (bytes.size > 0) {
        (void)munmap((void *)(uintptr_t)bytes.data, bytes.size);
    }
}

kiln_status file_read(const char *path, size_t most, char **out_text, size_t *out_size,
                      kiln_error *error) {
    int descriptor;
    size_t size = 0, done = 0;
    *out_text = NULL;
    kiln_status status = file_open(path, &descriptor, &size, error);
    if (status != KILN_OK) {
        return status;
    }
    char *text = size <= most ? memory_take(NULL, size + 1) : NULL;
    if (size > most) {
        status = kiln_fail(error, KILN_ERROR_UNSUPPORTED, "%s: %zu bytes; at most %zu are read",
                           path, size, most);
    } else if (text == NULL) {
        status = fail(path, ENOMEM, error);
    }
    while (status == KILN_OK && done < size) {
        ssize_t got = read(descriptor, text + done, size - done);
        if (got < 0 && errno != EINTR) {
            status = fail(path, errno, error);
        } else if (got == 0) {
            break; /* it has become shorter */
        }
        done += got > 0 ? (size_t)got : 0;
    }
    (void)close(descriptor);
    if (status != KILN_OK) {
        memory_free(text);
        return status;
    }
    text[done] = '\0';
    *out_text = text;
    *out_size = done;
    return KILN_OK;
}

const char *file_instead(kiln_span bytes) {
    static const char pointer[] = "version https://git-lfs.github.com/spec/";
    static const char *const pages[] = {"<!doctype html", "<html", "<?xml"};
    const char *text = bytes.data;
    size_t at = 0;
    if (bytes.size >= sizeof pointer && memcmp(text, pointer, sizeof pointer - 1) == 0) {
        return " (a Git LFS pointer, not the file itself: run 'git lfs pull')";
    }
    while (at < bytes.size && at < 64 && text[at] != '\0' && strchr(" \t\r\n", text[at]) != NULL) {
        at++;
    }
    for (size_t k = 0; k < sizeof pages / sizeof *pages; k++) {
        size_t length = strlen(pages[k]);
        if (bytes.size - at >= length && strncasecmp(text + at, pages[k], length) == 0) {
            return " (a page of a web site, not the file itself: download it anew)";
        }
    }
    return "";
}
