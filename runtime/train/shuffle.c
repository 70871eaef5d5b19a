/* The order of an epoch's samples: shuffled together or, where their features take more memory than
 * options.shuffle_bytes, in windows of so much. A window is made of blocks of consecutive samples,
 * drawn from everywhere, which are copied, and shuffled. Where features lie in a mapped file
 * (lend_features) it is so read once an epoch, a block at a time and in a row, whatever the system
 * can keep of it. */
#include "runtime/base/memory.h"
#include "runtime/train/trainer.h"

#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* Disks read so much in a row about as fast as anything; and a window should have many blocks. */
#define MOST_BLOCK_BYTES ((uint64_t)1 << 20)
enum { LEAST_BLOCKS = 32, GAP_BYTES = 1 << 17 /* that is read rather than asked about */ };

/* ---- The order ----------------------------------------------------------------------------- */

static void measure(kiln_trainer *t) {
    shuffle *s = &t->shuffle;
    uint64_t row = t->feature_count * sizeof(float), most = t->options.shuffle_bytes;
    uint64_t block = most / LEAST_BLOCKS;
    block = block < MOST_BLOCK_BYTES ? block : MOST_BLOCK_BYTES;
    s->block_samples = (size_t)(block > row ? block / row : 1);
    s->block_count = (t->train_count + s->block_samples - 1) / s->block_samples;
    uint64_t blocks = most / (s->block_samples * row);
    size_t each = blocks < 1 ? 1 : blocks < s->block_count ? (size_t)blocks : s->block_count;
    bool together = most == 0 || t->train_count <= most / row;
    s->window_count = together ? 0 : (s->block_count + each - 1) / each;
    s->window_samples = each * s->block_samples;
    s->filled = 0;
}

/* The first of a window's blocks. */
static size_t window_block(const shuffle *s, size_t window) {
    return (size_t)((uint64_t)s->block_count * window / s->window_count);
}

static size_t block_begin(const kiln_trainer *t, size_t block) {
    return block * t->shuffle.block_samples;
}

static size_t block_end(const kiln_trainer *t, size_t block) {
    size_t end = (block + 1) * t->shuffle.block_samples;
    return end < t->train_count ? end : t->train_count;
}

static kiln_status make_room(kiln_trainer *t, kiln_error *error) {
    shuffle *s = &t->shuffle;
    size_t numbers = s->block_count + s->window_count + 1 + s->window_samples;
    uint32_t *lists = memory_grow(&t->allocator, s->blocks, numbers * sizeof *lists);
    s->blocks = lists != NULL ? lists : s->blocks;
    size_t bytes = s->window_samples * t->feature_count * sizeof(float);
    float *rows = memory_grow(&t->allocator, s->rows, bytes);
    s->rows = rows != NULL ? rows : s->rows;
    if (lists == NULL || rows == NULL) {
        return kiln_fail(error, KILN_ERROR_MEMORY, "no memory to shuffle %zu samples in",
                         s->window_samples);
    }
    s->begins = s->blocks + s->block_count;
    s->places = s->begins + s->window_count + 1;
    return KILN_OK;
}

kiln_status shuffle_samples(kiln_trainer *t, uint64_t stream, kiln_error *error) {
    shuffle *s = &t->shuffle;
    measure(t);
    if (s->window_count == 0) {
        random_order(t->options.seed, stream, t->order, t->train_count);
        return KILN_OK;
    }
    kiln_status status = make_room(t, error);
    if (status != KILN_OK) {
        s->window_count = 0;
        return status;
    }
    random_order(t->options.seed, stream, s->blocks, s->block_count);
    s->stream = stream;
    size_t placed = 0;
    for (size_t w = 0; w < s->window_count; w++) {
        s->begins[w] = (uint32_t)placed;
        for (size_t b = window_block(s, w); b < window_block(s, w + 1); b++) {
            placed += block_end(t, s->blocks[b]) - block_begin(t, s->blocks[b]);
        }
    }
    s->begins[s->window_count] = (uint32_t)placed;
    return KILN_OK;
}

/* ---- Windows ------------------------------------------------------------------------------- */

/* Of memory that is no file's, the system reads nothing. */
static void ask(const char *begin, const char *end) {
    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE), from = (uintptr_t)begin / page * page;
    if (begin != end) {
        (void)posix_madvise((void *)from, (size_t)((uintptr_t)end - from), POSIX_MADV_WILLNEED);
    }
}

/* Rows that follow each other in memory are asked for together. */
static void ask_for_block(const kiln_trainer *t, size_t block) {
    size_t bytes = t->feature_count * sizeof(float);
    const char *begin = NULL, *end = NULL;
    for (size_t k = block_begin(t, block); k < block_end(t, block); k++) {
        const char *row = (const char *)sample_features(t, t->train[k]);
        uintptr_t at = (uintptr_t)row, last = (uintptr_t)end;
        if (end == NULL || at < last || at - last > GAP_BYTES) {
            ask(begin, end);
            begin = row;
        }
        end = row + bytes;
    }
    ask(begin, end);
}

/* Copies the next window's rows, block by block, while the next block is read: t->order has their
 * samples, and s->places their order. */
static void fill(kiln_trainer *t) {
    shuffle *s = &t->shuffle;
    size_t window = s->filled++, begin = s->begins[window], row = 0;
    for (size_t b = window_block(s, window); b < window_block(s, window + 1); b++) {
        if (b + 1 < s->block_count) {
            ask_for_block(t, s->blocks[b + 1]);
        }
        for (size_t k = block_begin(t, s->blocks[b]); k < block_end(t, s->blocks[b]); k++, row++) {
            memcpy(s->rows + row * t->feature_count, sample_features(t, t->train[k]),
                   t->feature_count * sizeof(float));
            t->order[begin + row] = (uint32_t)k;
            s->places[row] = (uint32_t)row;
        }
    }
    random_shuffle(t->options.seed, s->stream, t->train_count + begin, s->places, row);
}

void shuffle_gather(kiln_trainer *t, size_t first, size_t count) {
    shuffle *s = &t->shuffle;
    if (s->window_count == 0) {
        samples_gather(t, t->train, t->order + first, count);
        return;
    }
    for (size_t n = 0; n < count; n++) {
        if (s->filled == 0 || first + n >= s->begins[s->filled]) {
            fill(t);
        }
        size_t begin = s->begins[s->filled - 1], row = s->places[first + n - begin];
        samples_put(t, n, s->rows + row * t->feature_count,
                    sample_label(t, t->train[t->order[begin + row]]));
    }
}
