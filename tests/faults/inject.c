/* Loaded before the C library (LD_PRELOAD): the N-th call that could fail fails, as it would for
 * want of memory, room on the disk or threads; with KILN_FAULT_LASTING all that follow it, too. At
 * the end the report tells how many calls there were, whether one failed, and how many blocks from
 * malloc were never freed. What the C library calls inside itself is not seen.
 *
 *   KILN_FAULT=N            0 or absent: none fails
 *   KILN_FAULT_LASTING=1
 *   KILN_FAULT_STOP=1       SIGTRAP there, for a debugger
 *   KILN_FAULT_REPORT=FILE  "CALLS REASON BLOCKS": the errno of the first that failed, or 0 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/types.h>
#include <unistd.h>

#define PUBLIC __attribute__((visibility("default")))

/* NOLINTBEGIN(bugprone-reserved-identifier,cert-dcl37-c,cert-dcl51-cpp): glibc's own names */
void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *old, size_t size);
void *__libc_memalign(size_t alignment, size_t size);
void __libc_free(void *block);
/* NOLINTEND(bugprone-reserved-identifier,cert-dcl37-c,cert-dcl51-cpp) */

static atomic_bool counting;
static atomic_long calls, blocks;
static atomic_int first_reason;
static long fault;
static bool lasting, stops;

/* Where libcpuinfo lies, which XNNPACK starts with: without memory it crashes, for which nobody
 * here can do anything. Its calls do not count. */
static uintptr_t excused_begin, excused_end;

static int find_excused(struct dl_phdr_info *object, size_t size, void *context) {
    (void)size;
    (void)context;
    for (int k = 0; strstr(object->dlpi_name, "libcpuinfo") != NULL && k < object->dlpi_phnum;
         k++) {
        if (object->dlpi_phdr[k].p_type == PT_LOAD && (object->dlpi_phdr[k].p_flags & PF_X) != 0) {
            excused_begin = object->dlpi_addr + object->dlpi_phdr[k].p_vaddr;
            excused_end = excused_begin + object->dlpi_phdr[k].p_memsz;
        }
    }
    return 0;
}

/* Is this the call that fails? */
#define fails(reason) is_fault((uintptr_t)__builtin_return_address(0), reason)
static bool is_fault(uintptr_t caller, int reason) {
    if (!atomic_load(&counting) || (excused_begin <= caller && caller < excused_end)) {
        return false;
    }
    long call = atomic_fetch_add(&calls, 1) + 1;
    if (fault == 0 || (lasting ? call < fault : call != fault)) {
        return false;
    }
    int none = 0;
    (void)atomic_compare_exchange_strong(&first_reason, &none, reason);
    if (stops) {
        (void)raise(SIGTRAP);
    }
    errno = reason;
    return true;
}

/* The next library's function of that name, in a pointer of its type. */
#define REAL(name)                                                                                 \
    static __typeof__(name) *real;                                                                 \
    if (real == NULL) {                                                                            \
        void *symbol = dlsym(RTLD_NEXT, #name);                                                    \
        memcpy(&real, &symbol, sizeof real);                                                       \
    }

/* ---- Memory -------------------------------------------------------------------------------- */

static void *counted(void *block) {
    atomic_fetch_add(&blocks, block != NULL);
    return block;
}

PUBLIC void *malloc(size_t size) {
    return fails(ENOMEM) ? NULL : counted(__libc_malloc(size));
}

PUBLIC void *calloc(size_t count, size_t size) {
    return fails(ENOMEM) ? NULL : counted(__libc_calloc(count, size));
}

PUBLIC void *realloc(void *old, size_t size) {
    if (fails(ENOMEM)) {
        return NULL;
    }
    void *block = __libc_realloc(old, size);
    atomic_fetch_add(&blocks, (block != NULL) - (old != NULL && (block != NULL || size == 0)));
    return block;
}

PUBLIC void *aligned_alloc(size_t alignment, size_t size) {
    return fails(ENOMEM) ? NULL : counted(__libc_memalign(alignment, size));
}

PUBLIC void *memalign(size_t alignment, size_t size);
PUBLIC void *memalign(size_t alignment, size_t size) {
    return fails(ENOMEM) ? NULL : counted(__libc_memalign(alignment, size));
}

PUBLIC int posix_memalign(void **out_block, size_t alignment, size_t size) {
    if (fails(ENOMEM)) {
        return ENOMEM;
    }
    void *block = counted(__libc_memalign(alignment, size));
    *out_block = block != NULL ? block : *out_block;
    return block != NULL ? 0 : ENOMEM;
}

PUBLIC void free(void *block) {
    atomic_fetch_sub(&blocks, block != NULL);
    __libc_free(block);
}

PUBLIC void *mmap(void *address, size_t length, int protection, int flags, int file, off_t offset) {
    REAL(mmap)
    return fails(ENOMEM) ? MAP_FAILED : real(address, length, protection, flags, file, offset);
}

PUBLIC int pthread_create(pthread_t *restrict out_thread, const pthread_attr_t *restrict attributes,
                          void *(*run)(void *), void *restrict context) {
    REAL(pthread_create)
    return fails(EAGAIN) ? EAGAIN : real(out_thread, attributes, run, context);
}

/* The stream remembers it, as of a fault of its own. */
static bool stream_fails(FILE *file, int reason) {
    bool fault_here = file != stderr && fails(reason);
    if (fault_here) {
        file->_flags |= 0x20; /* _IO_ERR_SEEN of glibc */
    }
    return fault_here;
}

/* ---- Files --------------------------------------------------------------------------------- */

static mode_t mode_of(int flags, va_list arguments) {
    bool has_mode = (flags & O_CREAT) != 0 || (flags & O_TMPFILE) == O_TMPFILE;
    return has_mode ? (mode_t)va_arg(arguments, int) : 0;
}

PUBLIC int open(const char *path, int flags, ...) {
    REAL(open)
    va_list arguments;
    va_start(arguments, flags);
    mode_t mode = mode_of(flags, arguments);
    va_end(arguments);
    return fails(EMFILE) ? -1 : real(path, flags, mode);
}

PUBLIC FILE *fopen(const char *restrict path, const char *restrict mode) {
    REAL(fopen)
    return fails(EMFILE) ? NULL : real(path, mode);
}

PUBLIC FILE *fdopen(int file, const char *mode) {
    REAL(fdopen)
    return fails(ENOMEM) ? NULL : real(file, mode);
}

PUBLIC ssize_t read(int file, void *data, size_t size) {
    REAL(read)
    return fails(EIO) ? -1 : real(file, data, size);
}

PUBLIC ssize_t pread(int file, void *data, size_t size, off_t offset) {
    REAL(pread)
    return fails(EIO) ? -1 : real(file, data, size, offset);
}

PUBLIC size_t fread(void *restrict data, size_t size, size_t count, FILE *restrict file) {
    REAL(fread)
    return stream_fails(file, EIO) ? 0 : real(data, size, count, file);
}

PUBLIC ssize_t write(int file, const void *data, size_t size) {
    REAL(write)
    return fails(ENOSPC) ? -1 : real(file, data, size);
}

PUBLIC ssize_t pwrite(int file, const void *data, size_t size, off_t offset) {
    REAL(pwrite)
    return fails(ENOSPC) ? -1 : real(file, data, size, offset);
}

PUBLIC size_t fwrite(const void *restrict data, size_t size, size_t count, FILE *restrict file) {
    REAL(fwrite)
    return stream_fails(file, ENOSPC) ? 0 : real(data, size, count, file);
}

PUBLIC int fflush(FILE *file) {
    REAL(fflush)
    return file != NULL && stream_fails(file, ENOSPC) ? EOF : real(file);
}

PUBLIC int fclose(FILE *file) {
    REAL(fclose)
    bool fault_here = fails(ENOSPC);
    int closed = real(file);
    errno = fault_here ? ENOSPC : errno;
    return fault_here ? EOF : closed;
}

PUBLIC int ftruncate(int file, off_t length) {
    REAL(ftruncate)
    return fails(EIO) ? -1 : real(file, length);
}

PUBLIC int fsync(int file) {
    REAL(fsync)
    return fails(EIO) ? -1 : real(file);
}

PUBLIC int rename(const char *from, const char *to) {
    REAL(rename)
    return fails(EACCES) ? -1 : real(from, to);
}

PUBLIC int linkat(int from_folder, const char *from, int to_folder, const char *to, int flags) {
    REAL(linkat)
    return fails(EPERM) ? -1 : real(from_folder, from, to_folder, to, flags);
}

/* ---- Beginning and end --------------------------------------------------------------------- */

static __attribute__((constructor)) void begin(void) {
    const char *number = getenv("KILN_FAULT");
    fault = number != NULL ? strtol(number, NULL, 10) : 0;
    lasting = getenv("KILN_FAULT_LASTING") != NULL;
    stops = getenv("KILN_FAULT_STOP") != NULL;
    (void)dl_iterate_phdr(find_excused, NULL);
    atomic_store(&blocks, 0);
    atomic_store(&counting, true);
}

static __attribute__((destructor)) void end(void) {
    char text[64];
    const char *path = getenv("KILN_FAULT_REPORT");
    atomic_store(&counting, false);
    int file = path != NULL ? open(path, O_WRONLY | O_CREAT | O_TRUNC, 0666) : -1;
    if (file >= 0) {
        int length = snprintf(text, sizeof text, "%ld %d %ld\n", atomic_load(&calls),
                              atomic_load(&first_reason), atomic_load(&blocks));
        (void)!write(file, text, (size_t)length);
        (void)close(file);
    }
}
