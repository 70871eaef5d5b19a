/* Fuzz target: the cache of features. */
#include "compiler/cli/data/cache.h"
#include "tests/fuzz/fuzz.h"

#define XXH_INLINE_ALL
#include <unistd.h>
#include <xxhash.h>

enum { FEATURES = 3, RECORD = 40, HEADER = 24, KEY = 7 };

static const char *cache_path(void) {
    static char path[80];
    snprintf(path, sizeof path, "%s/features-%016x", fuzz_folder(), KEY);
    return path;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    float features[FEATURES] = {1, 2, 3};
    feature_cache *cache;
    FILE *file = fopen(cache_path(), "wb");
    if (file == NULL || fwrite(data, 1, size, file) != size || fclose(file) != 0) {
        perror(cache_path());
        exit(2);
    }
    cache_open(fuzz_folder(), KEY, FEATURES, &cache);
    (void)cache_find(cache, 1, 0, features);
    cache_add(cache, 9, 9, features);
    if (cache != NULL && !cache_find(cache, 9, 9, features)) {
        fprintf(stderr, "what was added is not there\n");
        abort();
    }
    cache_close(cache);
    return 0;
}

size_t fuzz_seed(size_t k, uint8_t *out, size_t room) {
    float features[FEATURES] = {0.5f, 2, -1};
    feature_cache *cache;
    if (k > 0) {
        return 0;
    }
    (void)unlink(cache_path());
    cache_open(fuzz_folder(), KEY, FEATURES, &cache);
    for (uint64_t content = 0; content < 5; content++) {
        cache_add(cache, content, content % 2, features);
    }
    cache_close(cache);
    return fuzz_read(cache_path(), out, room);
}

size_t fuzz_change(uint64_t *state, uint8_t *bytes, size_t size, size_t room) {
    (void)room;
    for (size_t at = HEADER; size >= RECORD && at <= size - RECORD; at += RECORD) {
        if (state != NULL && fuzz_random(state) % 4 == 0) {
            bytes[at + fuzz_random(state) % 16] = (uint8_t)(fuzz_random(state) % 3);
        }
        uint64_t sum = XXH3_64bits(bytes + at, RECORD - 8);
        memcpy(bytes + at + RECORD - 8, &sum, sizeof sum);
    }
    return size;
}
