/* Statuses, and element types. */
#include "runtime/base/memory.h"
#include "runtime/base/text.h"
#include <kiln/kiln.h>

#include <stdarg.h>

const char *kiln_version(void) {
    return KILN_VERSION;
}

const char *kiln_status_name(kiln_status status) {
    static const char *const names[] = {"ok",         "bad argument",   "input/output error",
                                        "bad format", "unsupported",    "out of memory",
                                        "mismatch",   "internal error", "cancelled"};
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

kiln_status memory_fail(kiln_error *error) {
    return kiln_fail(error, KILN_ERROR_MEMORY, "out of memory");
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
