/* The user's cache folder: $XDG_CACHE_HOME/kiln or ~/.cache/kiln. */
#ifndef KILN_CLI_DATA_CACHE_FOLDER_H
#define KILN_CLI_DATA_CACHE_FOLDER_H

#include <stdbool.h>
#include <stddef.h>

/* `folder` where it is not NULL, or else the user's, made where it is missing. A home that does not
 * exist is not made. False: there is none, or files cannot be written into it. */
bool cache_folder(const char *folder, char *out, size_t size);

#endif
