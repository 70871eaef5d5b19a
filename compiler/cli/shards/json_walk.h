/* Reading JSON (RFC 8259) of lines that this command has written, or others have: untrusted. */
#ifndef KILN_CLI_SHARDS_JSON_WALK_H
#define KILN_CLI_SHARDS_JSON_WALK_H

#include <kiln/kiln.h>
#include <stddef.h>

/* Gets each member of the objects, however deep: `depth` is 1 for those of the outermost. string is
 * NULL where the value is none; number is 0 where it is none. Both are valid during the call. */
typedef void (*json_taker)(void *context, unsigned depth, const char *name, const char *string,
                           double number);

/* One value and nothing else, which nests no deeper than 16; false: it is not that, or a string is
 * longer than 16 KiB. Bytes that are no UTF-8 stay as they are. */
bool json_walk(kiln_span text, json_taker take, void *context);

#endif
