/* Writing files: see files.h.
 *
 * Where the system has them (O_TMPFILE), temporary files have no name until they are complete, so
 * that a killed process leaves nothing. Elsewhere, and for the moment between naming and renaming,
 * they are called .NAME.K.kiln-tmp beside the target and locked while their writer lives; one that
 * can be locked is a dead writer's, and the next writer of that target removes it. */
#include "runtime/base/files.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { MAX_LINKS = 40, FIXED_NAMES = 8, MAX_NAMES = 64 };

static kiln_status fail_to(const char *what, const char *path, int reason, kiln_error *error) {
    return kiln_fail(error, reason == ENOMEM ? KILN_ERROR_MEMORY : KILN_ERROR_IO,
                     "%s: cannot %s: %s", path, what, strerror(reason != 0 ? reason : EIO));
}

static kiln_status fail(const char *path, int reason, kiln_error *error) {
    return fail_to("write", path, reason, error);
}

/* ---- Where to ------------------------------------------------------------------------------ */

/* All of these give false, with errno, where there is no such path. */

/* The first bytes of a text. */
static bool put(const char *text, size_t length, char out[FILE_PATH]) {
    if (length >= FILE_PATH) {
        errno = ENAMETOOLONG;
        return false;
    }
    memcpy(out, text, length);
    out[length] = '\0';
    return true;
}

/* "FOLDER/NAME" */
static bool join(const char *folder, size_t folder_length, const char *name, char out[FILE_PATH]) {
    if (folder_length + 1 + strlen(name) >= FILE_PATH) {
        errno = ENAMETOOLONG;
        return false;
    }
    memcpy(out, folder, folder_length);
    out[folder_length] = '/';
    return put(name, strlen(name), out + folder_length + 1);
}

static const char *name_of(const char *path) {
    const char *slash = strrchr(path, '/');
    return slash != NULL ? slash + 1 : path;
}

/* The path that a link which leads to nothing names; false with errno 0: `path` is no link. */
static bool read_link(const char *path, char out[FILE_PATH]) {
    char to[FILE_PATH];
    ssize_t length = readlink(path, to, sizeof to - 1);
    if (length < 0) {
        errno = errno == EINVAL || errno == ENOENT ? 0 : errno;
        return false;
    }
    to[length] = '\0';
    size_t folder = (size_t)(name_of(path) - path);
    return to[0] == '/' || folder == 0 ? put(to, (size_t)length, out)
                                       : join(path, folder - 1, to, out);
}

/* The absolute path of what is no link and need not exist. */
static bool absolute(const char *path, char out[FILE_PATH]) {
    char folder[FILE_PATH], real[FILE_PATH];
    const char *name = name_of(path);
    if (*name == '\0') {
        errno = EISDIR;
        return false;
    }
    return (name == path ? put(".", 1, folder) : put(path, (size_t)(name - path), folder)) &&
           realpath(folder, real) != NULL && join(real, strlen(real), name, out);
}

/* The absolute path of a file that need not exist, links followed. */
static bool resolve(const char *path, char out[FILE_PATH]) {
    struct stat about;
    char at[FILE_PATH], next[FILE_PATH];
    bool resolved = realpath(path, out) != NULL;
    /* What can be looked at but has no path is a file without a name, behind /proc. */
    if (resolved || errno != ENOENT || stat(path, &about) == 0) {
        return resolved;
    }
    if (!put(path, strlen(path), at)) {
        return false;
    }
    for (int links = 0; read_link(at, next); links++) {
        if (links == MAX_LINKS) {
            errno = ELOOP;
            return false;
        }
        (void)put(next, strlen(next), at);
    }
    return errno == 0 && absolute(at, out);
}

/* What is there may be replaced: a regular file that may be written, or nothing. */
static kiln_status check_place(const char *path, kiln_error *error) {
    struct stat about;
    if (stat(path, &about) != 0) {
        return errno == ENOENT ? KILN_OK : fail(path, errno, error);
    }
    if (!S_ISREG(about.st_mode)) {
        return kiln_fail(error, KILN_ERROR_IO,
                         "%s: not a regular file, so it is neither written nor replaced", path);
    }
    return access(path, W_OK) == 0 ? KILN_OK : fail(path, errno, error);
}

bool file_is_same(const char *a, const char *b) {
    struct stat x, y;
    if (stat(a, &x) == 0 && stat(b, &y) == 0) {
        return x.st_dev == y.st_dev && x.st_ino == y.st_ino;
    }
    char first[FILE_PATH], second[FILE_PATH];
    return resolve(a, first) && resolve(b, second) && strcmp(first, second) == 0;
}

kiln_status file_keep(const char *input, const char *output, kiln_error *error) {
    if (input == NULL || output == NULL || !file_is_same(input, output)) {
        return KILN_OK;
    }
    return kiln_fail(error, KILN_ERROR_ARGUMENT, "%s: is read too (as %s): not overwritten", output,
                     input);
}

/* ---- Temporary files ----------------------------------------------------------------------- */

static bool temporary_name(const char *target, int attempt, char out[FILE_PATH]) {
    char name[160];
    const char *base = name_of(target);
    struct timespec now = {0};
    (void)clock_gettime(CLOCK_REALTIME, &now);
    /* The fixed names are those that are found again; the others are for when locks fail us. */
    long long key = attempt < FIXED_NAMES ? attempt : now.tv_nsec + now.tv_sec * 1000000000LL;
    snprintf(name, sizeof name, ".%.100s.%lld.kiln-tmp", base, key);
    return join(target, (size_t)(base - target) - 1, name, out);
}

/* Removes a file whose writer is dead. */
static bool remove_dead(const char *name) {
    struct stat held, named;
    int descriptor = open(name, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOFOLLOW);
    if (descriptor < 0) {
        return errno == ENOENT;
    }
    bool dead = fstat(descriptor, &held) == 0 && S_ISREG(held.st_mode) &&
                flock(descriptor, LOCK_EX | LOCK_NB) == 0 && stat(name, &named) == 0 &&
                held.st_dev == named.st_dev && held.st_ino == named.st_ino && unlink(name) == 0;
    (void)close(descriptor);
    return dead;
}

/* Locked; -1 with errno: not created. */
static int create_named(const char *name) {
    struct stat about;
    int descriptor = open(name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0666);
    if (descriptor < 0) {
        return -1;
    }
    (void)flock(descriptor, LOCK_EX);
    if (fstat(descriptor, &about) == 0 && about.st_nlink == 0) { /* taken for dead just before */
        (void)close(descriptor);
        errno = EEXIST;
        return -1;
    }
    return descriptor;
}

static void proc_name(int descriptor, char out[32]) {
    snprintf(out, 32, "/proc/self/fd/%d", descriptor);
}

/* In the target's folder, locked; -1: there are no files without a name, or none that can get one
 * later. */
static int create_unnamed(const char *target) {
    int descriptor = -1;
/* Android has them, but lets no app link a file (SELinux), which is seen at the end only. */
#if defined(O_TMPFILE) && !defined(__ANDROID__)
    char proc[32], folder[FILE_PATH];
    if (put(target, (size_t)(name_of(target) - target), folder)) {
        descriptor = open(folder, O_TMPFILE | O_RDWR | O_CLOEXEC, 0666);
    }
    if (descriptor >= 0) {
        proc_name(descriptor, proc);
        (void)flock(descriptor, LOCK_EX | LOCK_NB);
        if (access(proc, F_OK) != 0) {
            (void)close(descriptor);
            descriptor = -1;
        }
    }
#else
    (void)target;
#endif
    return descriptor;
}

/* Links the file there, or creates it there if it does not exist yet. */
static bool place_at(file_writer *w, const char *name) {
    char proc[32];
    if (w->descriptor < 0) {
        w->descriptor = create_named(name);
        return w->descriptor >= 0;
    }
    proc_name(w->descriptor, proc);
    return linkat(AT_FDCWD, proc, AT_FDCWD, name, AT_SYMLINK_FOLLOW) == 0;
}

static bool name_temporary(file_writer *w) {
    for (int attempt = 0; attempt < MAX_NAMES; attempt++) {
        char name[FILE_PATH];
        if (!temporary_name(w->target, attempt, name)) {
            return false;
        }
        bool placed = place_at(w, name), taken = !placed && errno == EEXIST;
        if (placed || (taken && remove_dead(name) && place_at(w, name))) {
            memcpy(w->temporary, name, sizeof name);
            return true;
        }
        if (!taken) {
            return false;
        }
    }
    errno = EEXIST;
    return false;
}

/* ---- Beginning and ending ------------------------------------------------------------------ */

static void release(file_writer *w) {
    if (w->file != NULL) {
        (void)fclose(w->file);
    }
    if (w->temporary[0] != '\0') {
        (void)unlink(w->temporary);
    }
    if (w->descriptor >= 0) {
        (void)close(w->descriptor); /* and with it the lock */
    }
    *w = (file_writer){.descriptor = -1};
}

/* The stream of a file that has been created. */
static kiln_status open_stream(file_writer *w, kiln_error *error) {
    int copy = w->descriptor >= 0 ? fcntl(w->descriptor, F_DUPFD_CLOEXEC, 0) : -1;
    w->file = copy >= 0 ? fdopen(copy, "w+b") : NULL;
    if (w->file != NULL) {
        return KILN_OK;
    }
    kiln_status status = fail_to("create", w->path, errno, error);
    if (copy >= 0) {
        (void)close(copy);
    }
    release(w);
    return status;
}

kiln_status file_begin(file_writer *out_writer, const char *path, kiln_error *error) {
    file_writer *w = out_writer;
    *w = (file_writer){.descriptor = -1, .path = path};
    kiln_status status = check_place(path, error);
    if (status != KILN_OK) {
        return status;
    }
    if (resolve(path, w->target)) {
        w->descriptor = create_unnamed(w->target);
        if (w->descriptor < 0) {
            (void)name_temporary(w);
        }
    }
    return open_stream(w, error);
}

kiln_status file_begin_scratch(file_writer *out_writer, kiln_error *error) {
    file_writer *w = out_writer;
    const char *folder = getenv("TMPDIR");
    char name[FILE_PATH];
    folder = folder != NULL && folder[0] != '\0' ? folder : "/tmp";
    *w = (file_writer){.descriptor = -1, .path = folder};
    snprintf(name, sizeof name, "%s/kiln-XXXXXX", folder);
    w->descriptor = create_unnamed(name);
    if (w->descriptor < 0) {
        w->descriptor = mkostemp(name, O_CLOEXEC);
        if (w->descriptor >= 0) {
            (void)unlink(name);
        }
    }
    return open_stream(w, error);
}

kiln_status file_write(file_writer *writer, const void *data, size_t size, kiln_error *error) {
    errno = 0;
    return fwrite(data, 1, size, writer->file) == size ? KILN_OK : fail(writer->path, errno, error);
}

kiln_status file_write_at(file_writer *writer, const void *data, size_t size, uint64_t offset,
                          kiln_error *error) {
    const uint8_t *rest = data;
    while (size > 0) {
        ssize_t written = pwrite(writer->descriptor, rest, size, (off_t)offset);
        if (written == 0 || (written < 0 && errno != EINTR)) {
            return fail(writer->path, written < 0 ? errno : ENOSPC, error);
        }
        size_t done = written > 0 ? (size_t)written : 0;
        rest += done;
        offset += done;
        size -= done;
    }
    return KILN_OK;
}

kiln_status file_cut(file_writer *writer, uint64_t size, kiln_error *error) {
    return fflush(writer->file) == 0 && ftruncate(writer->descriptor, (off_t)size) == 0 &&
                   fseeko(writer->file, (off_t)size, SEEK_SET) == 0
               ? KILN_OK
               : fail(writer->path, errno, error);
}

/* Everything is in the file, with the permissions it is to have. */
static bool complete(file_writer *w) {
    struct stat replaced;
    errno = 0;
    bool good = ferror(w->file) == 0 && fflush(w->file) == 0;
    good = good &&
           (stat(w->target, &replaced) != 0 || fchmod(w->descriptor, replaced.st_mode & 0777) == 0);
    good = good && (!w->durable || fsync(w->descriptor) == 0);
    int reason = errno;
    if (fclose(w->file) != 0 && good) {
        good = false;
        reason = errno;
    }
    w->file = NULL;
    errno = good ? 0 : reason;
    return good;
}

/* A file without a name takes a free place at once; else by a temporary name. */
static bool take_place(file_writer *w) {
    char proc[32];
    proc_name(w->descriptor, proc);
    if (w->temporary[0] == '\0') {
        if (linkat(AT_FDCWD, proc, AT_FDCWD, w->target, AT_SYMLINK_FOLLOW) == 0) {
            return true;
        }
        if (w->only_new || !name_temporary(w)) {
            return false;
        }
    }
    if (w->only_new) { /* its temporary name goes when it is released */
        return link(w->temporary, w->target) == 0;
    }
    if (rename(w->temporary, w->target) != 0) {
        return false;
    }
    w->temporary[0] = '\0';
    return true;
}

static kiln_status replace_target(file_writer *w, kiln_error *error) {
    if (!complete(w)) {
        return fail(w->path, errno, error);
    }
    kiln_status status = check_place(w->target, error); /* hours may have passed */
    return status != KILN_OK || take_place(w) ? status : fail(w->path, errno, error);
}

kiln_status file_end(file_writer *writer, kiln_status status, kiln_error *error) {
    if (status == KILN_OK && writer->target[0] != '\0') {
        status = replace_target(writer, error);
    }
    release(writer);
    return status;
}

kiln_status file_try(const char *path, kiln_error *error) {
    file_writer out;
    kiln_status status = file_begin(&out, path, error);
    if (status == KILN_OK) {
        (void)file_end(&out, KILN_ERROR_IO, NULL);
    }
    return status;
}
