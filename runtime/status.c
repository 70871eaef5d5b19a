/* Statuses, names, element types, the default allocator. */
#include "runtime/base/text.h"
#include "runtime/runtime.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

const char *kiln_status_name(kiln_status status) {
    static const char *const names[] = {"ok",         "bad argument",  "input/output error",
                                        "bad format", "unsupported",   "out of memory",
                                        "mismatch",   "internal error"};
    size_t index = (size_t)status;
    return index < sizeof names / sizeof *names ? names[index] : "unknown status";
}

kiln_status kiln_fail(kiln_error *error, kiln_status status, const char *format, ...) {
    if (error != NULL) {
        va_list arguments;
        error->status = status;
        va_start(arguments, format);
        text_format(error->message, sizeof error->message, format, arguments);
        va_end(arguments);
    }
    return status;
}

static const struct {
    const char *name;
    size_t size;
} dtypes[] = {
    [KILN_F32] = {"f32", 4}, [KILN_I64] = {"i64", 8}, [KILN_BOOL] = {"bool", 1},
    [KILN_F16] = {"f16", 2}, [KILN_I32] = {"i32", 4}, [KILN_U8] = {"u8", 1},
    [KILN_I8] = {"i8", 1},   [KILN_F64] = {"f64", 8}, [KILN_BF16] = {"bf16", 2},
    [KILN_U16] = {"u16", 2}, [KILN_I16] = {"i16", 2}, [KILN_U32] = {"u32", 4},
    [KILN_U64] = {"u64", 8},
};

static bool is_dtype(kiln_dtype dtype) {
    return dtype >= KILN_F32 && dtype <= KILN_U64;
}

size_t kiln_dtype_size(kiln_dtype dtype) {
    return is_dtype(dtype) ? dtypes[dtype].size : 0;
}

const char *kiln_dtype_name(kiln_dtype dtype) {
    return is_dtype(dtype) ? dtypes[dtype].name : "?";
}

const char *kiln_conv_algorithm_name(uint32_t algorithm) {
    static const char *const names[KILN_CONV_ALGORITHM_COUNT] = {
        [KILN_CONV_DIRECT] = "direct",
        [KILN_CONV_WINOGRAD_2] = "winograd2",
        [KILN_CONV_WINOGRAD_4] = "winograd4",
        [KILN_CONV_WINOGRAD_6] = "winograd6",
        [KILN_CONV_GEMM] = "gemm",
        [KILN_CONV_DEPTHWISE] = "depthwise"};
    return algorithm < KILN_CONV_ALGORITHM_COUNT ? names[algorithm] : "?";
}
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
