/* Walking through JSON that this command has written, or others have: untrusted. It is read by
 * jansson, a line or a small file at a time, so that memory is bounded by the longest. */
#ifndef KILN_CLI_SHARDS_JSON_WALK_H
#define KILN_CLI_SHARDS_JSON_WALK_H

#include <kiln/kiln.h>

#define JSON_MOST_BYTES ((size_t)1 << 20)

/* Gets each member of the objects, however deep: `depth` is 1 for those of the outermost. string is
 * NULL where the value is none; number is 0 where it is none. Both are valid during the call. */
typedef void (*json_taker)(void *context, unsigned depth, const char *name, const char *string,
                           double number);

/* An object (RFC 8259) and nothing else, which nests no deeper than 16 and has no member twice. The
 * message says what was found, and behind how many bytes. */
kiln_status json_walk(kiln_span text, json_taker take, void *context, kiln_error *error);

#endif
