/* The pictures that a command is given: files, folders of them, lists of paths. The order is that
 * of the words, and within a folder that of the names' bytes, so that two runs answer alike. */
#ifndef KILN_COMPILER_CLI_PATHS_H
#define KILN_COMPILER_CLI_PATHS_H

#include "compiler/cli/options.h"

#include <stdio.h>

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

/* What pictures are asked for: words, and a list of such words. A word that is a folder stands for
 * the pictures in it and below; files there that are no pictures are left out, and counted. A word
 * that names a file is taken as it is: whether it can be read shows when it is opened. list (NULL:
 * none) is a file of such words, a line each ("-": standard input); a line ends with \n or \r\n and
 * may hold spaces; empty lines are passed over. */

/* All of them, into an empty *out_pictures. KILN_ERROR_ARGUMENT when nothing is named or left. On
 * failure *out_pictures is empty. */
kiln_status paths_expand(char *const *words, size_t word_count, const char *list,
                         path_list *out_pictures, size_t *out_passed_over, kiln_error *error);

/* Shards `first` to `last` of `of`, counted from 0: of the files that are named, in their order,
 * the k-th of n shards has those from count * k / n up to count * (k + 1) / n. Files that are no
 * pictures count there, so that only one's own shards are looked into. */
typedef struct shard_range {
    uint32_t first, last, of; /* of 0: none were asked for */
} shard_range;

typedef struct path_shards {
    path_list pictures;   /* of these shards */
    size_t *begins;       /* by shard from `first` on, and one past the last: its first picture */
    uint64_t count;       /* files of all shards, */
    uint64_t fingerprint; /* which their paths give, in their order */
    size_t passed_over;   /* files in folders that are no pictures, as far as was looked */
} path_shards;

/* Reads what is named twice, and keeps the shards asked for; a shard may be empty. Lines of the
 * list are files, and not asked what they are: that would be millions of questions to a file
 * server. On failure, as by paths_expand, *out_shards is empty. */
kiln_status paths_shards(char *const *words, size_t word_count, const char *list,
                         const shard_range *range, path_shards *out_shards, kiln_error *error);
void path_shards_free(path_shards *shards);

enum { LONGEST_PATH = 4096 };
/* The next line of a list, without its end; false: there is none. *out_sound tells whether it may
 * be a path: what is longer, or holds a zero byte, is none, and is not read to its end. */
bool path_line_read(FILE *in, char line[LONGEST_PATH], bool *out_sound);

/* Into a text. */
#define LIST_ROW(at)                                                                               \
    {                                                                                              \
        .kind = OPTION_TEXT, .name = "list", .value = "FILE", .place = (at),                       \
        .help = "also the pictures that FILE names, a path a line; - for standard input"           \
    }

#endif
