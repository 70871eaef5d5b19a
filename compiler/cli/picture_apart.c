/* Decoding in a process of its own, for codecs that do not know limits. libheif takes the size of a
 * picture from its file's header, but its decoders from what they decode: of a file of 2 KB they
 * would make 2 GB. It is C++, too, which ends a program that has no memory left. A process of its
 * own is given a limit of memory and of time, and what ends it is the picture's failure alone.
 *
 * The process is this one, forked: all that it does after is to decode, and to write what came out
 * of it into a pipe. */
#include "compiler/cli/picture.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

enum { MOST_SECONDS = 300, BYTES_A_PIXEL = 64 };
#define SPARE_BYTES ((uint64_t)256 << 20)
#define THREAD_BYTES ((uint64_t)16 << 20) /* decoders have threads: stacks, mostly */

typedef struct reply {
    uint32_t status, width, height; /* rows follow */
    char message[sizeof((kiln_error *)NULL)->message];
} reply;

/* ---- There --------------------------------------------------------------------------------- */

/* What is mapped so far, to which a limit adds: the sixth number of proc_pid_statm(5); 0: not
 * known. */
static uint64_t mapped_bytes(void) {
    char line[256] = "", *at = line;
    unsigned long long pages = 0;
    FILE *in = fopen("/proc/self/statm", "re");
    if (in == NULL || fgets(line, sizeof line, in) == NULL) {
        line[0] = '\0';
    }
    for (int k = 0; k < 6; k++) {
        pages = strtoull(at, &at, 10);
    }
    if (in != NULL) {
        (void)fclose(in);
    }
    return pages * (uint64_t)sysconf(_SC_PAGESIZE);
}

void picture_limit_memory(uint64_t pixels) {
    uint64_t mapped = mapped_bytes(), threads = (uint64_t)sysconf(_SC_NPROCESSORS_ONLN);
    if (mapped > 0) {
        rlim_t most =
            (rlim_t)(mapped + pixels * BYTES_A_PIXEL + SPARE_BYTES + threads * THREAD_BYTES);
        (void)setrlimit(RLIMIT_DATA, &(struct rlimit){most, most});
    }
}

static bool write_all(int out, const void *data, size_t size) {
    const char *at = data;
    while (size > 0) {
        ssize_t count = write(out, at, size);
        if (count < 0 && errno != EINTR) {
            return false;
        }
        at += count > 0 ? count : 0;
        size -= count > 0 ? (size_t)count : 0;
    }
    return true;
}

static _Noreturn void work(picture_decoder decode, kiln_span bytes, int out) {
    rgb_picture picture = {0};
    kiln_error error = {0};
    reply r = {0};
    int silence = open("/dev/null", O_WRONLY | O_CLOEXEC); /* decoders tell of damage there */
    (void)dup2(silence, STDERR_FILENO);
    (void)setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
    (void)setrlimit(RLIMIT_CPU, &(struct rlimit){MOST_SECONDS, MOST_SECONDS});
    r.status = (uint32_t)decode(bytes, &picture, &error);
    r.width = picture.width;
    r.height = picture.height;
    memcpy(r.message, error.message, sizeof r.message);
    bool good = write_all(out, &r, sizeof r) &&
                (r.status != KILN_OK ||
                 write_all(out, picture.rgb, (size_t)picture.width * picture.height * 3));
    _exit(good ? 0 : 1);
}

/* ---- Here ---------------------------------------------------------------------------------- */

static bool read_all(int in, void *data, size_t size) {
    char *at = data;
    while (size > 0) {
        ssize_t count = read(in, at, size);
        if (count == 0 || (count < 0 && errno != EINTR)) {
            return false;
        }
        at += count > 0 ? count : 0;
        size -= count > 0 ? (size_t)count : 0;
    }
    return true;
}

static kiln_status ended(kiln_error *error) {
    return kiln_fail(
        error, KILN_ERROR_UNSUPPORTED,
        "the decoder failed: the picture is damaged, or needs far more memory than one "
        "of its size");
}

static kiln_status take(int in, kiln_span bytes, rgb_picture *out_picture, kiln_error *error) {
    reply r;
    if (!read_all(in, &r, sizeof r)) {
        return ended(error);
    }
    r.message[sizeof r.message - 1] = '\0';
    if (r.status != KILN_OK) {
        return kiln_fail(error, (kiln_status)r.status, "%s", r.message);
    }
    kiln_status status = picture_begin(bytes, out_picture, r.width, r.height, error);
    if (status != KILN_OK) {
        return status;
    }
    size_t size = (size_t)r.width * r.height * 3;
    return read_all(in, out_picture->rgb, size) ? KILN_OK : ended(error);
}

kiln_status picture_decode_apart(picture_decoder decode, kiln_span bytes, rgb_picture *out_picture,
                                 kiln_error *error) {
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0) {
        return kiln_fail(error, KILN_ERROR_MEMORY, "no pipe to a decoder: %s", strerror(errno));
    }
    pid_t child = fork();
    if (child == 0) {
        (void)close(ends[0]);
        work(decode, bytes, ends[1]);
    }
    (void)close(ends[1]);
    kiln_status status = child > 0 ? take(ends[0], bytes, out_picture, error)
                                   : kiln_fail(error, KILN_ERROR_MEMORY,
                                               "no process for a decoder: %s", strerror(errno));
    (void)close(ends[0]); /* a decoder that is not read to its end ends by that */
    while (child > 0 && waitpid(child, NULL, 0) < 0 && errno == EINTR) {
    }
    return status;
}
