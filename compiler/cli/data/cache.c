/* The cache of features. */
#include "compiler/cli/data/cache.h"
#include "compiler/cli/data/cache_folder.h"
#include "runtime/base/checksum.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

typedef struct cache_header {
    char magic[8];
    uint64_t key, feature_count;
} cache_header;

struct feature_cache {
    int file;
    size_t feature_count, record_bytes;
    uint8_t *records; /* as in the file */
    size_t count, capacity;
    uint32_t *slots; /* open addressing: record + 1, 0 = free */
    size_t slot_count;
};

/* A record: content, variant (8 bytes each), features, checksum of all before it (8 bytes). */
static uint64_t field(const uint8_t *record, size_t at) {
    uint64_t value;
    memcpy(&value, record + at, sizeof value);
    return value;
}

static bool is_sound(const feature_cache *c, const uint8_t *record) {
    return field(record, c->record_bytes - 8) == checksum(record, c->record_bytes - 8);
}

/* ---- Index --------------------------------------------------------------------------------- */

static size_t slot_of(const feature_cache *c, uint64_t content, uint64_t variant) {
    uint64_t key[2] = {content, variant};
    size_t at = (size_t)checksum(key, sizeof key) & (c->slot_count - 1);
    while (c->slots[at] != 0) {
        const uint8_t *record = c->records + (c->slots[at] - 1) * c->record_bytes;
        if (field(record, 0) == content && field(record, 8) == variant) {
            break;
        }
        at = (at + 1) & (c->slot_count - 1);
    }
    return at;
}

static bool enlarge_index(feature_cache *c) {
    size_t count = c->slot_count == 0 ? 256 : c->slot_count * 2;
    uint32_t *slots = calloc(count, sizeof *slots);
    if (slots == NULL) {
        return false;
    }
    free(c->slots);
    c->slots = slots;
    c->slot_count = count;
    for (size_t k = 0; k < c->count; k++) {
        const uint8_t *record = c->records + k * c->record_bytes;
        c->slots[slot_of(c, field(record, 0), field(record, 8))] = (uint32_t)k + 1;
    }
    return true;
}

/* Takes a sound record into memory. */
static bool take_record(feature_cache *c, const uint8_t *record) {
    if (c->count == c->capacity) {
        size_t capacity = c->capacity == 0 ? 64 : c->capacity * 2;
        uint8_t *grown = realloc(c->records, capacity * c->record_bytes);
        if (grown == NULL) {
            return false;
        }
        c->records = grown;
        c->capacity = capacity;
    }
    if ((c->count + 1) * 2 > c->slot_count && !enlarge_index(c)) {
        return false;
    }
    memcpy(c->records + c->count * c->record_bytes, record, c->record_bytes);
    c->slots[slot_of(c, field(record, 0), field(record, 8))] = (uint32_t)++c->count;
    return true;
}

/* ---- File ---------------------------------------------------------------------------------- */

static bool make_path(const char *folder, uint64_t key, char *out, size_t size) {
    char base[3500];
    return cache_folder(folder, base, sizeof base) &&
           snprintf(out, size, "%s/features-%016llx", base, (unsigned long long)key) < (int)size;
}

/* All sound records; what follows a damaged one is cut off. False: the file is another's. */
static bool load_records(feature_cache *c, uint64_t key) {
    cache_header header = {"KILNFEA1", key, c->feature_count}, found;
    struct stat about;
    if (fstat(c->file, &about) != 0 || !S_ISREG(about.st_mode)) {
        return false;
    }
    if (about.st_size == 0) {
        return write(c->file, &header, sizeof header) == (ssize_t)sizeof header;
    }
    ssize_t got = pread(c->file, &found, sizeof found, 0);
    if (got < 0) {
        return false; /* not to be read now; nothing is wrong with it */
    }
    if (got != (ssize_t)sizeof found || memcmp(&found, &header, sizeof header) != 0) {
        /* Damaged at its beginning: begin again. */
        return ftruncate(c->file, 0) == 0 &&
               write(c->file, &header, sizeof header) == (ssize_t)sizeof header;
    }
    uint8_t *record = malloc(c->record_bytes);
    off_t at = sizeof header;
    bool good = record != NULL;
    while (good &&
           (got = pread(c->file, record, c->record_bytes, at)) == (ssize_t)c->record_bytes &&
           is_sound(c, record)) {
        good = take_record(c, record);
        at += (off_t)c->record_bytes;
    }
    good = good && got >= 0;
    free(record);
    return good && (at == about.st_size || ftruncate(c->file, at) == 0);
}

void cache_open(const char *folder, uint64_t key, size_t feature_count, feature_cache **out_cache) {
    char path[4096];
    feature_cache *c = calloc(1, sizeof *c);
    *out_cache = NULL;
    if (c == NULL || !make_path(folder, key, path, sizeof path)) {
        free(c);
        return;
    }
    c->feature_count = feature_count;
    c->record_bytes = (24 + feature_count * sizeof(float) + 7) / 8 * 8;
    c->file = open(path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC | O_NONBLOCK, 0666);
    /* One run at a time: another computes its features itself. */
    if (c->file < 0 || flock(c->file, LOCK_EX | LOCK_NB) != 0 || !load_records(c, key)) {
        cache_close(c);
        return;
    }
    *out_cache = c;
}

void cache_close(feature_cache *c) {
    if (c != NULL) {
        if (c->file >= 0) {
            (void)close(c->file);
        }
        free(c->records);
        free(c->slots);
        free(c);
    }
}

bool cache_find(const feature_cache *c, uint64_t content, uint64_t variant, float *out_features) {
    if (c == NULL || c->count == 0) {
        return false;
    }
    uint32_t slot = c->slots[slot_of(c, content, variant)];
    if (slot != 0) {
        memcpy(out_features, c->records + (slot - 1) * c->record_bytes + 16,
               c->feature_count * sizeof *out_features);
    }
    return slot != 0;
}

void cache_add(feature_cache *c, uint64_t content, uint64_t variant, const float *features) {
    uint8_t *record = c != NULL ? calloc(1, c->record_bytes) : NULL;
    if (record == NULL) {
        return;
    }
    memcpy(record, &content, 8);
    memcpy(record + 8, &variant, 8);
    memcpy(record + 16, features, c->feature_count * sizeof *features);
    uint64_t sum = checksum(record, c->record_bytes - 8);
    memcpy(record + c->record_bytes - 8, &sum, 8);
    if (take_record(c, record)) {
        (void)!write(c->file, record, c->record_bytes); /* a failure costs the next run time */
    }
    free(record);
}
