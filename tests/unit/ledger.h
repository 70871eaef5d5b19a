/* A caller's allocator that writes down what it gives, and refuses one call. */
#ifndef KILN_TESTS_LEDGER_H
#define KILN_TESTS_LEDGER_H

#include <check.h>
#include <kiln/kiln.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

/* So many blocks are given; the next is refused, and those behind it are given again. */
typedef struct ledger {
    atomic_size_t calls, blocks, bytes, wrong; /* wrong: of another size than was given */
    size_t refused;                            /* the number of a call from 1 on; 0: none */
} ledger;

typedef struct entry {
    void *block; /* from malloc */
    size_t size;
} entry;

static inline void *ledger_give(void *context, size_t size, size_t alignment) {
    ledger *l = context;
    void *block = NULL;
    if (atomic_fetch_add(&l->calls, 1) + 1 == l->refused) {
        return NULL;
    }
    size_t before = (sizeof(entry) + alignment - 1) / alignment * alignment;
    size_t least = alignment < sizeof(void *) ? sizeof(void *) : alignment;
    ck_assert_int_eq(posix_memalign(&block, least, before + size), 0);
    uint8_t *given = (uint8_t *)block + before;
    const entry e = {block, size};
    memcpy(given - sizeof e, &e, sizeof e);
    memset(given, 0xa5, size); /* nobody may rely on zeros */
    atomic_fetch_add(&l->blocks, 1);
    atomic_fetch_add(&l->bytes, size);
    return given;
}

static inline void ledger_take_back(void *context, void *pointer, size_t size) {
    ledger *l = context;
    entry e;
    memcpy(&e, (uint8_t *)pointer - sizeof e, sizeof e);
    atomic_fetch_add(&l->wrong, e.size != size);
    atomic_fetch_sub(&l->blocks, 1);
    atomic_fetch_sub(&l->bytes, e.size);
    free(e.block);
}

static inline kiln_allocator ledger_allocator(ledger *l) {
    return (kiln_allocator){l, ledger_give, ledger_take_back};
}

/* All is back, by the sizes that it had. */
static inline bool ledger_is_even(const ledger *l) {
    return l->blocks == 0 && l->bytes == 0 && l->wrong == 0;
}

#endif
