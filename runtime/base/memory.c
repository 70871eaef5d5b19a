/* Blocks of memory that know whom they came from: see memory.h. */
#include "runtime/base/memory.h"
#include "runtime/base/allocator.h"

#include <stddef.h>

/* What lies before a block. */
typedef union block_head {
    struct {
        void *context;
        void (*release)(void *context, void *pointer, size_t size);
        size_t size, before; /* of all that was allocated, and where in that the block begins */
    } from;
    max_align_t aligned;
} block_head;

static void *take(const kiln_allocator *allocator, size_t before, size_t size) {
    const kiln_allocator *a = allocator != NULL ? allocator : default_allocator();
    size_t all, alignment = before > sizeof(block_head) ? before : _Alignof(block_head);
    uint8_t *bytes = !__builtin_add_overflow(size, before, &all)
                         ? a->allocate(a->context, all, alignment)
                         : NULL;
    if (bytes == NULL) {
        return NULL;
    }
    block_head *head = (block_head *)(void *)(bytes + before) - 1;
    head->from.context = a->context;
    head->from.release = a->release;
    head->from.size = all;
    head->from.before = before;
    return head + 1;
}

void *memory_take(const kiln_allocator *allocator, size_t size) {
    return take(allocator, sizeof(block_head), size);
}

void *memory_aligned(const kiln_allocator *allocator, size_t size) {
    return take(allocator, MEMORY_ALIGNMENT, size);
}

void *memory_zeros(const kiln_allocator *allocator, size_t count, size_t size) {
    size_t all;
    void *block = !__builtin_mul_overflow(count, size, &all) ? memory_take(allocator, all) : NULL;
    return block != NULL ? memset(block, 0, all) : NULL;
}

void *memory_grow(const kiln_allocator *allocator, void *block, size_t size) {
    void *grown = memory_take(allocator, size);
    if (grown != NULL && block != NULL) {
        size_t before = ((block_head *)block - 1)->from.size - sizeof(block_head);
        memcpy(grown, block, before < size ? before : size);
        memory_free(block);
    }
    return grown;
}

char *memory_text(const kiln_allocator *allocator, const char *text) {
    size_t size = strlen(text) + 1;
    char *copy = memory_take(allocator, size);
    return copy != NULL ? memcpy(copy, text, size) : NULL;
}

void memory_free(void *block) {
    if (block != NULL) {
        block_head *head = (block_head *)block - 1;
        head->from.release(head->from.context, (uint8_t *)block - head->from.before,
                           head->from.size);
    }
}

void kiln_free(void *bytes) {
    memory_free(bytes);
}
