/* Files, for the runtime, the compiler and the command alike: all that Kiln reads or writes by path
 * passes here (the cache of features excepted, which grows in place).
 *
 * Reading: regular files only. Directories, devices, FIFOs and sockets are refused without being
 * waited for. Writing: to a temporary file that takes the place of the old one when it is complete,
 * so that what stands at a path is the old content or the new. */
#ifndef KILN_RUNTIME_BASE_FILES_H
#define KILN_RUNTIME_BASE_FILES_H

#include <kiln/kiln.h>
#include <stdio.h>

/* ---- Reading ------------------------------------------------------------------------------- */

/* Opens a regular file. The caller closes the descriptor. */
kiln_status file_open(const char *path, int *out_descriptor, size_t *out_size, kiln_error *error);

/* Maps a whole file, privately; an empty one gives no bytes. A file that another program makes
 * shorter while it is mapped kills the reader (SIGBUS): see kiln.h. */
kiln_status file_map(const char *path, kiln_span *out_bytes, kiln_error *error);
void file_unmap(kiln_span bytes); /* no bytes are allowed */

/* Reads a whole file of at most `most` bytes into memory that kiln_free releases; a zero byte
 * follows the last. What is added to the file meanwhile is left out. */
kiln_status file_read(const char *path, size_t most, char **out_text, size_t *out_size,
                      kiln_error *error);

/* What often lies in a file's place: " (a Git LFS pointer, not the file: run 'git lfs pull')", or
 * an HTML page; "" for anything else. To be said after what was expected. */
const char *file_instead(kiln_span bytes);

/* ---- Writing ------------------------------------------------------------------------------- */

#define FILE_PATH 4096 /* bytes of a path, as the system has it */

typedef struct file_writer {
    FILE *file;                /* for both reading and writing */
    int descriptor;            /* the same file, unbuffered */
    const char *path;          /* as the caller gave it, for messages: borrowed */
    char target[FILE_PATH];    /* what is replaced: links followed; "": a scratch file */
    char temporary[FILE_PATH]; /* "": the file has no name yet */
    bool durable;  /* on the disk before it takes its place; false unless the caller sets it */
    bool only_new; /* likewise: nothing is replaced, what has come meanwhile makes file_end fail */
} file_writer;

/* Begins a file at `path`. Refused: what exists there and is no regular file or may not be written.
 * A symbolic link stays one: its target is replaced. Nothing is at `path` before file_end. */
kiln_status file_begin(file_writer *out_writer, const char *path, kiln_error *error);

/* Whether file_begin will be able to: to be known before hours of work. */
kiln_status file_try(const char *path, kiln_error *error);

/* Ends it. With KILN_OK the file takes its place, with the permissions of the one that it replaces;
 * with another status (why it is incomplete) it is removed. Returns that status, or why it could
 * not be written. */
kiln_status file_end(file_writer *writer, kiln_status status, kiln_error *error);

/* A file without a name that is gone after file_end. It lies in $TMPDIR or /tmp. */
kiln_status file_begin_scratch(file_writer *out_writer, kiln_error *error);

/* Bytes at the end of what `file` holds, and (past the buffer) at an offset. */
kiln_status file_write(file_writer *writer, const void *data, size_t size, kiln_error *error);
kiln_status file_write_at(file_writer *writer, const void *data, size_t size, uint64_t offset,
                          kiln_error *error);

/* Takes out all that was written from `size` on; what is written next follows there. */
kiln_status file_cut(file_writer *writer, uint64_t size, kiln_error *error);

/* Whether two paths name one file, also where it does not exist yet. */
bool file_is_same(const char *a, const char *b);

/* Refuses to write to `output` where it is `input`, which is read. NULL for either is allowed. */
kiln_status file_keep(const char *input, const char *output, kiln_error *error);

#endif
