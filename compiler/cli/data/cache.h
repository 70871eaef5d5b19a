/* Features on disk, so that a picture goes through the frozen network once. One file a network:
 * records of (content, variant, features, checksum) that are only ever appended; a record cut short
 * by a crash is dropped when the file is next opened. */
#ifndef KILN_CLI_DATA_CACHE_H
#define KILN_CLI_DATA_CACHE_H

#include <kiln/kiln.h>

typedef struct feature_cache feature_cache;

/* `key` says what computed the features. folder NULL: $XDG_CACHE_HOME/kiln or ~/.cache/kiln. A
 * cache that cannot be opened is no error: *out_cache is then NULL, which the other functions
 * take for an empty one. */
void cache_open(const char *folder, uint64_t key, size_t feature_count, feature_cache **out_cache);
void cache_close(feature_cache *cache);
/* False: not there. */
bool cache_find(const feature_cache *cache, uint64_t content, uint64_t variant,
                float *out_features);
void cache_add(feature_cache *cache, uint64_t content, uint64_t variant, const float *features);

#endif
