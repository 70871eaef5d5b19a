/* Packed weights in the user's cache folder: a file for each plan, kind of processor and build of
 * the command, of which those not used for longest go first. The files are kiln_plan_options.
 * prepacked_path's, which are written whole and checked when they are read; processes may share the
 * folder. */
#ifndef KILN_CLI_DATA_PACKED_CACHE_H
#define KILN_CLI_DATA_PACKED_CACHE_H

#include <stdbool.h>
#include <stddef.h>

/* All files together, once the command has ended; larger plans are not kept. */
#define PACKED_CACHE_MIB 1024
#define PACKED_CACHE_TEXT "1 GiB"

/* The path of the plan's file. False where there is no cache folder that can be written to, or the
 * plan cannot be read: nothing is kept then. */
bool packed_cache_path(const char *plan, char *out, size_t size);

/* Removes the files used longest ago until the others take no more than `most` bytes; for tests. */
void packed_cache_trim(const char *folder, unsigned long long most);

#endif
