#include "runtime/prepacked.h"
#include "runtime/lanes/lanes.h"
#include <kiln/kiln.h>

#define XXH_INLINE_ALL
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xxhash.h>

#define MAGIC "KILNPACK"
#define VERSION 1u
#define ALIGNMENT ((size_t)64)
#define STRETCHES ((size_t)16) /* of a part, each with a checksum of its own, for threads */

typedef struct entry {
    uint64_t key;
    uint64_t offset; /* from the file's start, a multiple of 64 */
    uint64_t bytes;
    uint64_t checksum; /* of the stretches' checksums */
} entry;

/* Entries follow it, then their bytes. */
typedef struct header {
    char magic[8];
    uint32_t version;
    uint32_t entry_count;
    uint64_t file_bytes;
    uint64_t plan;
    char library[16], lanes[16]; /* KILN_VERSION, the instruction set */
    uint64_t entries_checksum;   /* of each, seeded with that of those before it */
    uint64_t checksum;           /* of what stands before */
} header;

static header make_header(uint64_t plan, size_t count) {
    header h;
    memset(&h, 0, sizeof h);
    memcpy(h.magic, MAGIC, sizeof h.magic);
    h.version = VERSION;
    h.entry_count = (uint32_t)count;
    h.plan = plan;
    strncpy(h.library, KILN_VERSION, sizeof h.library - 1);
    strncpy(h.lanes, lanes_best()->name, sizeof h.lanes - 1);
    return h;
}

static size_t round_up(size_t bytes) {
    return (bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
}

/* ---- Checksums ----------------------------------------------------------------------------- */

typedef struct summing {
    const uint8_t *data;
    size_t bytes;
    uint64_t sums[STRETCHES];
} summing;

static void sum_stretch(void *context, size_t k) {
    summing *s = context;
    size_t begin = s->bytes / STRETCHES * k;
    size_t end = k + 1 == STRETCHES ? s->bytes : s->bytes / STRETCHES * (k + 1);
    s->sums[k] = XXH3_64bits(s->data + begin, end - begin);
}

static uint64_t checksum_of(const void *data, size_t bytes, pthreadpool_t threadpool) {
    summing s = {.data = data, .bytes = bytes};
    pthreadpool_parallelize_1d(threadpool, sum_stretch, &s, STRETCHES, 0);
    return XXH3_64bits(s.sums, sizeof s.sums);
}

/* ---- Reading ------------------------------------------------------------------------------- */

static const entry *entries_of(const prepacked *file) {
    return (const entry *)(const void *)((const uint8_t *)file->mapping + sizeof(header));
}

static bool is_ours(const prepacked *file, uint64_t plan) {
    if (file->size < sizeof(header)) {
        return false;
    }
    const header *h = file->mapping;
    header wanted = make_header(plan, h->entry_count);
    wanted.file_bytes = file->size;
    wanted.entries_checksum = h->entries_checksum;
    wanted.checksum = XXH3_64bits(&wanted, offsetof(header, checksum));
    if (memcmp(h, &wanted, sizeof wanted) != 0 ||
        h->entry_count > (file->size - sizeof *h) / sizeof(entry)) {
        return false;
    }
    uint64_t sum = 0;
    for (size_t k = 0; k < h->entry_count; k++) {
        const entry *e = &entries_of(file)[k];
        if (e->offset % ALIGNMENT != 0 || e->offset > file->size ||
            e->bytes > file->size - e->offset) {
            return false;
        }
        sum = XXH3_64bits_withSeed(e, sizeof *e, sum);
    }
    return sum == h->entries_checksum;
}

bool prepacked_open(const char *path, uint64_t plan, prepacked *out_file) {
    struct stat about;
    *out_file = (prepacked){0};
    int descriptor = open(path, O_RDONLY | O_CLOEXEC);
    if (descriptor < 0) {
        return false;
    }
    if (fstat(descriptor, &about) == 0 && S_ISREG(about.st_mode) && about.st_size > 0 &&
        (uint64_t)about.st_size <= SIZE_MAX) {
        prepacked file = {.size = (size_t)about.st_size};
        file.mapping = mmap(NULL, file.size, PROT_READ, MAP_PRIVATE, descriptor, 0);
        if (file.mapping != MAP_FAILED) {
            *out_file = file;
        }
    }
    (void)close(descriptor);
    if (out_file->mapping != NULL && !is_ours(out_file, plan)) {
        prepacked_close(out_file);
    }
    return out_file->mapping != NULL;
}

void prepacked_close(prepacked *file) {
    if (file->mapping != NULL) {
        (void)munmap(file->mapping, file->size);
        *file = (prepacked){0};
    }
}

const void *prepacked_find(const prepacked *file, uint64_t key, size_t bytes, bool check,
                           pthreadpool_t threadpool) {
    const header *h = file->mapping;
    for (size_t k = 0; h != NULL && k < h->entry_count; k++) {
        const entry *e = &entries_of(file)[k];
        if (e->key == key && e->bytes == bytes) {
            const void *data = (const uint8_t *)file->mapping + e->offset;
            return check && checksum_of(data, bytes, threadpool) != e->checksum ? NULL : data;
        }
    }
    return NULL;
}

/* ---- Writing ------------------------------------------------------------------------------- */

static bool write_all(FILE *out, const void *bytes, size_t size) {
    return fwrite(bytes, 1, size, out) == size;
}

static bool write_padding(FILE *out, size_t used) {
    static const uint8_t zeros[ALIGNMENT];
    return write_all(out, zeros, round_up(used) - used);
}

static bool write_parts(FILE *out, uint64_t plan, const prepacked_part *parts, size_t count,
                        pthreadpool_t threadpool) {
    header h = make_header(plan, count);
    uint64_t sum = 0;
    size_t index = sizeof h + count * sizeof(entry), at = round_up(index);
    /* The header stands for the room it takes until the entries' checksum is known. */
    bool good = write_all(out, &h, sizeof h);
    for (size_t k = 0; k < count && good; k++) {
        entry e = {parts[k].key, at, parts[k].bytes,
                   checksum_of(parts[k].data, parts[k].bytes, threadpool)};
        sum = XXH3_64bits_withSeed(&e, sizeof e, sum);
        good = write_all(out, &e, sizeof e);
        at += round_up(parts[k].bytes);
    }
    good = good && write_padding(out, index);
    for (size_t k = 0; k < count && good; k++) {
        good = write_all(out, parts[k].data, parts[k].bytes) && write_padding(out, parts[k].bytes);
    }
    h.file_bytes = at;
    h.entries_checksum = sum;
    h.checksum = XXH3_64bits(&h, offsetof(header, checksum));
    return good && fseek(out, 0, SEEK_SET) == 0 && write_all(out, &h, sizeof h);
}

bool prepacked_write(const char *path, uint64_t plan, const prepacked_part *parts, size_t count,
                     bool durably, pthreadpool_t threadpool) {
    char temporary[4096];
    int length = snprintf(temporary, sizeof temporary, "%s.%ld.tmp", path, (long)getpid());
    if (length < 0 || (size_t)length >= sizeof temporary) {
        return false;
    }
    int descriptor = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (descriptor < 0) {
        return false;
    }
    FILE *out = fdopen(descriptor, "wb");
    if (out == NULL) {
        (void)close(descriptor);
        (void)unlink(temporary);
        return false;
    }
    bool good = write_parts(out, plan, parts, count, threadpool) && fflush(out) == 0;
    good = good && (!durably || fsync(descriptor) == 0);
    good = fclose(out) == 0 && good && rename(temporary, path) == 0;
    if (!good) {
        (void)unlink(temporary);
    }
    return good;
}
