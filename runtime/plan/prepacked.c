#include "runtime/plan/prepacked.h"
#include "runtime/base/checksum.h"
#include "runtime/base/files.h"
#include "runtime/ukernels/ukernels.h"
#include <kiln/kiln.h>

#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define MAGIC "KILNPACK"
#define VERSION 1u
#define ALIGNMENT ((size_t)64)
/* A part has so many stretches, each with a checksum of its own, so that threads can share them. */
#define STRETCHES ((size_t)16)

typedef struct entry {
    uint64_t key;
    uint64_t offset; /* from the file's start, a multiple of 64 */
    uint64_t bytes;
    uint64_t checksum; /* checksum of the stretches' checksums */
} entry;

/* Entries follow it, then their bytes. */
typedef struct header {
    char magic[8];
    uint32_t version;
    uint32_t entry_count;
    uint64_t file_bytes;
    uint64_t plan;
    char library[16], ukernels[16]; /* KILN_VERSION, the instruction set */
    /* Each entry's checksum is seeded with that of those before it; this is the last one's. */
    uint64_t entries_checksum;
    uint64_t checksum; /* checksum of the header before this field */
} header;

static header make_header(uint64_t plan, size_t count) {
    header h;
    memset(&h, 0, sizeof h);
    memcpy(h.magic, MAGIC, sizeof h.magic);
    h.version = VERSION;
    h.entry_count = (uint32_t)count;
    h.plan = plan;
    strncpy(h.library, KILN_VERSION, sizeof h.library - 1);
    strncpy(h.ukernels, ukernels_best()->name, sizeof h.ukernels - 1);
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
    s->sums[k] = checksum(s->data + begin, end - begin);
}

static uint64_t checksum_of(const void *data, size_t bytes, thread_pool *pool) {
    summing s = {.data = data, .bytes = bytes};
    thread_pool_each(pool, sum_stretch, &s, STRETCHES);
    return checksum(s.sums, sizeof s.sums);
}

/* ---- Reading ------------------------------------------------------------------------------- */

static const entry *entries_of(const prepacked *file) {
    return (const entry *)(const void *)((const uint8_t *)file->mapping + sizeof(header));
}

static bool has_sound_entries(const prepacked *file) {
    const header *h = file->mapping;
    uint64_t sum = 0;
    if (h->entry_count > (file->size - sizeof *h) / sizeof(entry)) {
        return false;
    }
    for (size_t k = 0; k < h->entry_count; k++) {
        const entry *e = &entries_of(file)[k];
        if (e->offset % ALIGNMENT != 0 || e->offset > file->size ||
            e->bytes > file->size - e->offset) {
            return false;
        }
        sum = checksum_with_seed(e, sizeof *e, sum);
    }
    return sum == h->entries_checksum;
}

/* NULL: nothing. */
static const char *what_is_wrong(const prepacked *file, uint64_t plan) {
    const header *h = file->mapping;
    if (file->size < sizeof *h || memcmp(h->magic, MAGIC, sizeof h->magic) != 0) {
        return "not a file of packed weights";
    }
    header ours = make_header(plan, h->entry_count);
    if (h->version != VERSION || memcmp(h->library, ours.library, sizeof h->library) != 0) {
        return "of another version of Kiln";
    }
    if (h->checksum != checksum(h, offsetof(header, checksum)) || h->file_bytes != file->size) {
        return "damaged";
    }
    if (h->plan != plan) {
        return "of another plan";
    }
    if (memcmp(h->ukernels, ours.ukernels, sizeof h->ukernels) != 0) {
        return "for another kind of processor";
    }
    return has_sound_entries(file) ? NULL : "damaged";
}

kiln_status prepacked_open(const char *path, uint64_t plan, prepacked *out_file,
                           kiln_error *error) {
    kiln_span bytes = {0};
    *out_file = (prepacked){0};
    if (access(path, F_OK) != 0) {
        return KILN_OK;
    }
    kiln_status status = file_map(path, &bytes, error);
    *out_file = (prepacked){(void *)(uintptr_t)bytes.data, bytes.size};
    const char *wrong = status == KILN_OK ? what_is_wrong(out_file, plan) : NULL;
    if (wrong != NULL) {
        prepacked_close(out_file);
        return kiln_fail(error, KILN_ERROR_FORMAT, "%s is not used: it is %s", path, wrong);
    }
    return status;
}

void prepacked_close(prepacked *file) {
    if (file->mapping != NULL) {
        (void)munmap(file->mapping, file->size);
        *file = (prepacked){0};
    }
}

const void *prepacked_find(const prepacked *file, uint64_t key, size_t bytes, bool check,
                           thread_pool *pool, kiln_error *inout_error) {
    const header *h = file->mapping;
    for (size_t k = 0; h != NULL && k < h->entry_count; k++) {
        const entry *e = &entries_of(file)[k];
        if (e->key == key && e->bytes == bytes) {
            const void *data = (const uint8_t *)file->mapping + e->offset;
            if (!check || checksum_of(data, bytes, pool) == e->checksum) {
                return data;
            }
            (void)kiln_fail(inout_error, KILN_ERROR_FORMAT, "damaged");
            return NULL;
        }
    }
    return NULL;
}

/* ---- Writing ------------------------------------------------------------------------------- */

static kiln_status write_padding(file_writer *out, size_t used, kiln_error *error) {
    static const uint8_t zeros[ALIGNMENT];
    return file_write(out, zeros, round_up(used) - used, error);
}

static kiln_status write_parts(file_writer *out, uint64_t plan, const prepacked_part *parts,
                               size_t count, thread_pool *pool, kiln_error *error) {
    header h = make_header(plan, count);
    uint64_t sum = 0;
    size_t index = sizeof h + count * sizeof(entry), at = round_up(index);
    /* The header stands for the room it takes until the entries' checksum is known. */
    kiln_status status = file_write(out, &h, sizeof h, error);
    for (size_t k = 0; k < count && status == KILN_OK; k++) {
        entry e = {parts[k].key, at, parts[k].bytes,
                   checksum_of(parts[k].data, parts[k].bytes, pool)};
        sum = checksum_with_seed(&e, sizeof e, sum);
        status = file_write(out, &e, sizeof e, error);
        at += round_up(parts[k].bytes);
    }
    status = status == KILN_OK ? write_padding(out, index, error) : status;
    for (size_t k = 0; k < count && status == KILN_OK; k++) {
        status = file_write(out, parts[k].data, parts[k].bytes, error);
        status = status == KILN_OK ? write_padding(out, parts[k].bytes, error) : status;
    }
    h.file_bytes = at;
    h.entries_checksum = sum;
    h.checksum = checksum(&h, offsetof(header, checksum));
    if (status == KILN_OK && fseek(out->file, 0, SEEK_SET) != 0) {
        status = kiln_fail(error, KILN_ERROR_IO, "cannot write %s", out->path);
    }
    return status == KILN_OK ? file_write(out, &h, sizeof h, error) : status;
}

kiln_status prepacked_write(const char *path, uint64_t plan, const prepacked_part *parts,
                            size_t count, bool durably, thread_pool *pool, kiln_error *error) {
    file_writer out;
    kiln_status status = file_begin(&out, path, error);
    if (status != KILN_OK) {
        return status;
    }
    out.durable = durably;
    return file_end(&out, write_parts(&out, plan, parts, count, pool, error), error);
}
