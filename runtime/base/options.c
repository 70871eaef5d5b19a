#include "runtime/base/options.h"

/* No struct of options is this large: what is larger is a size that nobody has set. */
#define MOST_BYTES ((size_t)4096)

static size_t size_of(const void *given) {
    size_t size;
    memcpy(&size, given, sizeof size);
    return size;
}

kiln_status options_take(const void *given, size_t known, const char *type, void *out,
                         kiln_error *error) {
    size_t size = given != NULL ? size_of(given) : 0;
    memset(out, 0, known);
    if (given != NULL && (size < sizeof size || size > MOST_BYTES)) {
        return kiln_fail(error, KILN_ERROR_ARGUMENT,
                         "%s.size is %zu: set it to sizeof(%s), or call %s_init", type, size, type,
                         type);
    }
    const unsigned char *bytes = given;
    for (size_t k = known; k < size; k++) {
        if (bytes[k] != 0) {
            return kiln_fail(error, KILN_ERROR_UNSUPPORTED,
                             "%s of %zu bytes has a member set at byte %zu that Kiln %s does not "
                             "know: its own has %zu bytes",
                             type, size, k, KILN_VERSION, known);
        }
    }
    if (given != NULL) {
        memcpy(out, given, size < known ? size : known);
    }
    memcpy(out, &known, sizeof known);
    return KILN_OK;
}

void options_give(const void *options, size_t known, void *inout_given) {
    size_t size = size_of(inout_given);
    if (size >= sizeof size) {
        memcpy(inout_given, options, size < known ? size : known);
        memcpy(inout_given, &size, sizeof size);
    }
}
