/* The pictures that a command is given: files, folders of them, lists of paths. The order is that
 * of the words, and within a folder that of the names' bytes, so that two runs answer alike. */
#ifndef KILN_COMPILER_CLI_PATHS_H
#define KILN_COMPILER_CLI_PATHS_H

#include "compiler/cli/options.h"

typedef struct path_list {
    char **paths; /* owned */
    size_t count, capacity;
} path_list;

kiln_status path_list_add(path_list *list, const char *path, kiln_error *error);
void path_list_free(path_list *list); /* an empty one is allowed */

/* What lay in a folder and was not taken. */
typedef struct folder_rest {
    size_t nested;  /* files that were taken, but from folders inside of it */
    size_t hidden;  /* names that begin with a dot; "__MACOSX", which archives of macOS hold */
    size_t links;   /* links to folders: they may make loops */
    size_t special; /* neither file nor folder */
} folder_rest;

/* Whether a name in a folder is passed over: hidden, or what an archiver left there. */
bool path_is_hidden(const char *name);

/* Adds every file in the folder and in the folders inside of it, whatever the files hold. `rest` is
 * added to. */
kiln_status paths_in_folder(const char *folder, path_list *inout_files, folder_rest *inout_rest,
                            kiln_error *error);

/* The pictures that words and a list name, into an empty *out_pictures. A word that is a folder
 * stands for the pictures in it and below; files there that are no pictures are left out, and
 * counted. A word that names a file is taken as it is: whether it can be read shows when it is
 * opened. list (NULL: none) is a file of such words, a line each ("-": standard input); a line ends
 * with \n or \r\n and may hold spaces; empty lines are passed over. KILN_ERROR_ARGUMENT when
 * nothing is named or left. On failure *out_pictures is empty. */
kiln_status paths_expand(char *const *words, size_t word_count, const char *list,
                         path_list *out_pictures, size_t *out_passed_over, kiln_error *error);

/* Into a text. */
#define LIST_ROW(at)                                                                               \
    {                                                                                              \
        .kind = OPTION_TEXT, .name = "list", .value = "FILE", .place = (at),                       \
        .help = "also the pictures that FILE names, a path a line; - for standard input"           \
    }

#endif
