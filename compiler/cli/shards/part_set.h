/* Finished parts that kiln embed has made (parts.h), read again: rows stay in the files, which are
 * mapped. Files are untrusted: sizes, checksums and every line are held against each other. */
#ifndef KILN_CLI_SHARDS_PART_SET_H
#define KILN_CLI_SHARDS_PART_SET_H

#include "compiler/cli/paths.h"

/* What PART.json says. */
typedef struct part_about {
    char command[16], kiln[32], network[20], detector[256], detector_key[20], settings[256];
    char list[20], checksum[20];
    uint64_t part, parts, columns, rows, pictures;
} part_about;

typedef struct read_part {
    char *path; /* of the array */
    part_about about;
    kiln_span array, lines;
    const float *rows; /* [about.rows][about.columns], in the array */
} read_part;

typedef struct part_set {
    read_part *parts;
    size_t count;
} part_set;

/* words: arrays of parts, or folders of them, whose parts are taken in the order of their numbers.
 * Refused: what is no finished part of kiln embed, parts that do not belong together (of another
 * network, width, detector or with other options), a part given twice. On failure *out_set is
 * empty. */
kiln_status part_set_open(char *const *words, size_t word_count, part_set *out_set,
                          kiln_error *error);
void part_set_close(part_set *set); /* an empty one is allowed */

/* A line of a part. Texts are valid during the call. */
typedef struct part_line {
    const read_part *part;
    const char *image;
    const char *error;        /* NULL: it has rows */
    uint64_t content;         /* 0: not known */
    uint64_t first_row, rows; /* of the part */
} part_line;

/* Gets all lines, in order. A row whose checksum is wrong, or a line that is not as kiln embed
 * writes it, is an error. */
typedef kiln_status (*part_taker)(void *context, const part_line *line, kiln_error *error);
kiln_status part_set_read(const part_set *set, part_taker take, void *context, kiln_error *error);

#endif
