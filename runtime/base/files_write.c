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

/* "FOLDER/NAME", or as `length` bytes of format; NULL: no memory. */
static char *join(const char *folder, size_t folder_length, const char *name) {
    size_t length = strlen(name);
    char *path = malloc(folder_length + length + 2);
    if (path != NULL) {
        memcpy(path, folder, folder_length);
        path[folder_length] = '/';
        memcpy(path + folder_length + 1, name, length + 1);
    }
    return path;
}

static const char *name_of(const char *path) {
    const char *slash = strrchr(path, '/');
    return slash != NULL ? slash + 1 : path;
}

/* The path that a link which leads to nothing names; NULL with errno 0: `path` is no link. */
static char *read_link(const char *path) {
    char to[4096];
    ssize_t length = readlink(path, to, sizeof to - 1);
    if (length < 0) {
        errno = errno == EINVAL || errno == ENOENT ? 0 : errno;
        return NULL;
    }
    to[length] = '\0';
    size_t folder = (size_t)(name_of(path) - path);
    return to[0] == '/' || folder == 0 ? strdup(to) : join(path, folder - 1, to);
}

/* The absolute path of what is no link and need not exist. */
static char *absolute(const char *path) {
    const char *name = name_of(path);
    if (*name == '\0') {
        errno = EISDIR;
        return NULL;
    }
    char *folder = name == path ? strdup(".") : strndup(path, (size_t)(name - path));
    char *real = folder != NULL ? realpath(folder, NULL) : NULL;
    char *joined = real != NULL ? join(real, strlen(real), name) : NULL;
    free(real);
    free(folder);
    return joined;
}

/* The absolute path of a file that need not exist, links followed; NULL with errno: there can be no
 * such file. */
static char *resolve(const char *path) {
    struct stat about;
    char *resolved = realpath(path, NULL);
    /* What can be looked at but has no path is a file without a name, behind /proc. */
    if (resolved != NULL || errno != ENOENT || stat(path, &about) == 0) {
        return resolved;
    }
    char *at = strdup(path);
    for (int links = 0; at != NULL; links++) {
        char *next = read_link(at);
        if (next == NULL) {
            break;
        }
        free(at);
        at = links < MAX_LINKS ? next : NULL;
        errno = ELOOP;
        if (at == NULL) {
            free(next);
        }
    }
    resolved = at != NULL && errno == 0 ? absolute(at) : NULL;
    free(at);
    return resolved;
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
    char *first = resolve(a), *second = resolve(b);
    bool same = first != NULL && second != NULL && strcmp(first, second) == 0;
    free(first);
    free(second);
    return same;
}

kiln_status file_keep(const char *input, const char *output, kiln_error *error) {
    if (input == NULL || output == NULL || !file_is_same(input, output)) {
        return KILN_OK;
    }
    return kiln_fail(error, KILN_ERROR_ARGUMENT, "%s: is read too (as %s): not overwritten", output,
                     input);
}

/* ---- Temporary files ----------------------------------------------------------------------- */

static char *temporary_name(const char *target, int attempt) {
    char name[160];
    const char *base = name_of(target);
    struct timespec now = {0};
    (void)clock_gettime(CLOCK_REALTIME, &now);
    /* The fixed names are those that are found again; the others are for when locks fail us. */
    long long key = attempt < FIXED_NAMES ? attempt : now.tv_nsec + now.tv_sec * 1000000000LL;
    snprintf(name, sizeof name, ".%.100s.%lld.kiln-tmp", base, key);
    return join(target, (size_t)(base - target) - 1, name);
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
#ifdef O_TMPFILE
    char proc[32], *folder = strndup(target, (size_t)(name_of(target) - target));
    descriptor = folder != NULL ? open(folder, O_TMPFILE | O_RDWR | O_CLOEXEC, 0666) : -1;
    free(folder);
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
        char *name = temporary_name(w->target, attempt);
        if (name == NULL) {
            return false;
        }
        bool placed = place_at(w, name), taken = !placed && errno == EEXIST;
        if (placed || (taken && remove_dead(name) && place_at(w, name))) {
            w->temporary = name;
            return true;
        }
        int reason = errno;
        free(name);
        if (!taken) {
            errno = reason;
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
    if (w->temporary != NULL) {
        (void)unlink(w->temporary);
    }
    if (w->descriptor >= 0) {
        (void)close(w->descriptor); /* and with it the lock */
    }
    free(w->temporary);
    free(w->target);
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
    w->target = resolve(path);
    if (w->target != NULL) {
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
    char name[4096];
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
                   fseek(writer->file, (long)size, SEEK_SET) == 0
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
    if (w->temporary == NULL) {
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
    free(w->temporary);
    w->temporary = NULL;
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
    if (status == KILN_OK && writer->target != NULL) {
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
