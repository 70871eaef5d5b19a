/* Structs of options as callers were compiled with them: see Options in kiln.h. */
#ifndef KILN_RUNTIME_BASE_OPTIONS_H
#define KILN_RUNTIME_BASE_OPTIONS_H

#include <kiln/kiln.h>

/* OPTIONS_TAKE(type, given, out, error): copies the options that a caller gave (or NULL: none) to
 * *out, which is of this version's size; what the caller's version did not have is zeros. */
#define OPTIONS_TAKE(type, given, out, error)                                                      \
    options_take(true ? (given) : (out), sizeof(type), #type, (out), (error))

kiln_status options_take(const void *given, size_t known, const char *type, void *out,
                         kiln_error *error);

/* Copies this version's options to a caller's as far as the size that he has set reaches. */
void options_give(const void *options, size_t known, void *inout_given);

#endif
