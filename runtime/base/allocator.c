#include "runtime/base/allocator.h"

#include <stdlib.h>
#include <sys/mman.h>

/* Packed weights and arenas in huge pages: fewer faults at load, fewer misses of the TLB after.
 * What does not fill one is left to ordinary pages, so that no more memory is resident than is
 * used. */
#define HUGE_PAGE ((size_t)2 << 20)

static void *allocate(void *context, size_t size, size_t alignment) {
    (void)context;
    void *pointer = NULL;
    alignment = alignment < sizeof(void *) ? sizeof(void *) : alignment;
    alignment = size >= HUGE_PAGE && alignment < HUGE_PAGE ? HUGE_PAGE : alignment;
    if (posix_memalign(&pointer, alignment, size) != 0) {
        return NULL;
    }
#ifdef MADV_HUGEPAGE
    if (size >= HUGE_PAGE) {
        (void)madvise(pointer, size / HUGE_PAGE * HUGE_PAGE, MADV_HUGEPAGE);
    }
#endif
    return pointer;
}

static void release(void *context, void *pointer, size_t size) {
    (void)context;
    (void)size;
    free(pointer);
}

const kiln_allocator *default_allocator(void) {
    static const kiln_allocator allocator = {NULL, allocate, release};
    return &allocator;
}
