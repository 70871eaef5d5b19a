/* The answers about many pictures in a folder, in parts, which other processes, also on other
 * machines, make at the same time:
 *
 *   parts.json       what the parts are of: network, options, pictures, how many parts
 *   part-00017.npy   the rows of shard 17, [rows][columns] of float32
 *   part-00017.jsonl an object a picture, in their order: {"image": PATH, "row": N} names its row,
 *                    {"image": PATH, "faces": [{"score", "box", "points", "row"}, ...]} those of
 * its faces, {"image": PATH, "error": WHY} says why it has none part-00017.json  that the part is
 * finished: what parts.json says, how much there is, and the checksum of the rows (see
 * row_writer.h)
 *
 * Each file comes whole, the last one last: a part without it is not there. parts.json is made once
 * and never replaced, so that of two jobs in one folder the later one is refused. Two processes
 * that make the same part do work for nothing, and no harm. No locks: network file systems will do.
 */
#ifndef KILN_CLI_SHARDS_PARTS_H
#define KILN_CLI_SHARDS_PARTS_H

#include "compiler/cli/answers.h"
#include "compiler/cli/paths.h"
#include "compiler/cli/row_writer.h"

/* What a job is of; texts are borrowed. */
typedef struct parts_job {
    const char *command;
    uint64_t network;     /* what computes the rows: see scorer_key */
    const char *detector; /* NULL: none */
    uint64_t detector_key;
    const char *settings; /* options that decide about the rows or the answers */
    uint64_t list, files; /* see path_shards: fingerprint, count */
    size_t columns;
    uint32_t parts;
} parts_job;

typedef struct parts {
    const char *folder; /* borrowed */
    size_t columns;
    char *job; /* the text of parts.json */
} parts;

/* What a finished part holds. */
typedef struct part_summary {
    uint64_t pictures, rows, errors;
} part_summary;

/* Makes the folder and its parts.json where they are not there, and refuses a folder that holds
 * parts of something else: the error names what differs. On failure *out_parts is empty. */
kiln_status parts_open(const char *folder, const parts_job *job, parts *out_parts,
                       kiln_error *error);
void parts_close(parts *p); /* an empty one is allowed */

/* Whether a part is finished, and what is in it. */
bool part_is_finished(const parts *p, uint32_t number, part_summary *out_summary);

/* ---- Writing one --------------------------------------------------------------------------- */

typedef struct part_writer {
    const parts *parts;
    uint32_t number;
    char *paths[3]; /* of the three files, PART_* */
    row_writer rows;
    file_writer lines; /* whose stream the answers go to */
    part_summary summary;
} part_writer;

/* On failure nothing is left to end. */
kiln_status part_begin(const parts *p, uint32_t number, part_writer *out_part, kiln_error *error);
/* With KILN_OK the part is finished, by this call or by another process meanwhile; with another
 * status, which is returned, nothing is left of it. */
kiln_status part_end(part_writer *part, kiln_status status, kiln_error *error);

/* ---- Options ------------------------------------------------------------------------------- */

/* Into a shard_range. */
#define SHARD_ROW(at)                                                                              \
    {                                                                                              \
        .kind = OPTION_CALL, .name = "shard", .value = "I/N", .place = (at), .take = take_shard,   \
        .help = "only number I of N shards of the pictures, from 0 to N-1, or I-J/N: each is a "   \
                "part in DIR, and one that is finished is not made again"                          \
    }
int take_shard(const command *self, void *at, const char *value);

/* Into a uint32_t. */
#define MAX_ERRORS_ROW(at)                                                                         \
    {                                                                                              \
        .kind = OPTION_NUMBER, .name = "max-errors", .value = "N", .place = (at), .low = 0,        \
        .high = UINT32_MAX,                                                                        \
        .help = "how many pictures may fail before the exit status is 1 (default 0); all others "  \
                "are answered in any case"                                                         \
    }

#endif
