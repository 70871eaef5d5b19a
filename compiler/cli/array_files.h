/* File names for the arrays that one command writes. */
#ifndef KILN_COMPILER_CLI_ARRAY_FILES_H
#define KILN_COMPILER_CLI_ARRAY_FILES_H

#include <kiln/kiln.h>

typedef struct array_files {
    char **names;
    size_t count;
} array_files;

/* The path of FOLDER/[PREFIX.]NAME.npy, whose file name is no other's of this command: characters
 * that cannot stand in file names become '_', and where that makes two alike (also to file systems
 * that do not tell A from a), the later one ends in ~2. `prefix` may be NULL. Freed by
 * array_files_free; NULL: no memory. */
const char *array_file(array_files *files, const char *folder, const char *prefix,
                       const char *name);
void array_files_free(array_files *files);

#endif
