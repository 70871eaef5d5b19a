#include "compiler/cli/data/packed_cache.h"
#include "compiler/cli/data/cache_folder.h"
#include "runtime/base/checksum.h"
#include "runtime/base/files.h"
#include <kiln/machine.h>
#include <kiln/plan_format.h>

#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define CACHE_PATH 3800
#define NAME "packed-"
#define NAME_LENGTH (sizeof NAME - 1 + 16)

/* ---- The name of a file -------------------------------------------------------------------- */

/* The command's own file stands for the build: packed forms are the library's own. Where it cannot
 * be told, its version does alone. */
static uint64_t hash_build(void) {
    struct {
        char version[32], vectors[32];
        int64_t bytes, seconds, nanoseconds;
    } build;
    struct stat self;
    memset(&build, 0, sizeof build);
    strncpy(build.version, KILN_VERSION, sizeof build.version - 1);
    strncpy(build.vectors, kiln_machine_vectors(), sizeof build.vectors - 1);
    if (stat("/proc/self/exe", &self) == 0) {
        build.bytes = self.st_size;
        build.seconds = self.st_mtim.tv_sec;
        build.nanoseconds = self.st_mtim.tv_nsec;
    }
    return checksum(&build, sizeof build);
}

/* A plan's header has checksums of all that follows: it stands for the whole file. */
static bool hash_plan(const char *path, uint64_t *out_hash) {
    uint8_t header[sizeof(kiln_plan_header)] = {0};
    kiln_error unused;
    int descriptor;
    size_t size;
    if (file_open(path, &descriptor, &size, &unused) != KILN_OK) {
        return false;
    }
    ssize_t got = pread(descriptor, header, sizeof header, 0);
    (void)close(descriptor);
    *out_hash = checksum_with_seed(header, sizeof header, hash_build());
    return got > 0 && size <= (size_t)PACKED_CACHE_MIB << 20;
}

/* ---- Room ---------------------------------------------------------------------------------- */

typedef struct kept {
    char name[NAME_LENGTH + 1];
    struct timespec used;
    unsigned long long bytes;
} kept;

static int by_use(const void *a, const void *b) {
    const struct timespec *x = &((const kept *)a)->used, *y = &((const kept *)b)->used;
    if (x->tv_sec != y->tv_sec) {
        return x->tv_sec < y->tv_sec ? -1 : 1;
    }
    return (x->tv_nsec > y->tv_nsec) - (x->tv_nsec < y->tv_nsec);
}

static bool is_ours(const char *name) {
    return strlen(name) == NAME_LENGTH && strncmp(name, NAME, sizeof NAME - 1) == 0 &&
           strspn(name + sizeof NAME - 1, "0123456789abcdef") == 16;
}

/* From malloc. */
static kept *list(int folder, DIR *entries, size_t *out_count, unsigned long long *out_bytes) {
    kept *files = NULL;
    size_t count = 0, room = 0;
    const struct dirent *entry;
    *out_bytes = 0;
    while ((entry = readdir(entries)) != NULL) {
        struct stat about;
        if (!is_ours(entry->d_name) ||
            fstatat(folder, entry->d_name, &about, AT_SYMLINK_NOFOLLOW) != 0 ||
            !S_ISREG(about.st_mode)) {
            continue;
        }
        if (count == room) {
            kept *more = realloc(files, (room = 2 * room + 16) * sizeof *files);
            if (more == NULL) {
                break;
            }
            files = more;
        }
        memcpy(files[count].name, entry->d_name, NAME_LENGTH + 1);
        files[count].used = about.st_mtim;
        files[count].bytes = (unsigned long long)about.st_size;
        *out_bytes += files[count++].bytes;
    }
    *out_count = count;
    return files;
}

void packed_cache_trim(const char *folder, unsigned long long most) {
    DIR *entries = opendir(folder);
    if (entries == NULL) {
        return;
    }
    size_t count;
    unsigned long long bytes;
    kept *files = list(dirfd(entries), entries, &count, &bytes);
    if (bytes > most) {
        qsort(files, count, sizeof *files, by_use);
    }
    for (size_t k = 0; k < count && bytes > most; k++) {
        (void)unlinkat(dirfd(entries), files[k].name, 0);
        bytes -= files[k].bytes;
    }
    free(files);
    (void)closedir(entries);
}

/* ---- Its place ----------------------------------------------------------------------------- */

static char used_folder[CACHE_PATH];

static void trim_at_end(void) {
    packed_cache_trim(used_folder, (unsigned long long)PACKED_CACHE_MIB << 20);
}

bool packed_cache_path(const char *plan, char *out, size_t size) {
    uint64_t hash;
    char folder[CACHE_PATH];
    if (!hash_plan(plan, &hash) || !cache_folder(NULL, folder, sizeof folder)) {
        return false;
    }
    int length = snprintf(out, size, "%s/" NAME "%016llx", folder, (unsigned long long)hash);
    if (length < 0 || (size_t)length >= size) {
        return false;
    }
    /* What is there is used now; what is not will be written, and others may have to go for it. */
    if (utimensat(AT_FDCWD, out, NULL, 0) != 0 && used_folder[0] == '\0') {
        memcpy(used_folder, folder, sizeof used_folder);
        (void)atexit(trim_at_end);
    }
    return true;
}
