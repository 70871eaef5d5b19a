/* What a command answers about pictures, one after the other: by which words they are named
 * (paths.h), or as a stream of lines; and where the answers go: to a stream, or to a folder of
 * parts. */
#ifndef KILN_CLI_TRAIN_SWEEP_H
#define KILN_CLI_TRAIN_SWEEP_H

#include "compiler/cli/answers.h"
#include "compiler/cli/shards/parts.h"
#include "compiler/cli/train/scoring.h"

typedef struct sweep {
    /* Options. */
    const char *list;
    const char *folder; /* of parts; NULL: none */
    shard_range shards;
    bool stream;
    uint32_t max_errors;
    /* What the command does. */
    const char *command, *progress;
    void *context;
    /* Before the answer: of a picture that has been scored. What fails is the picture's. */
    kiln_status (*look)(void *context, scored_picture *picture, kiln_error *why); /* or NULL */
    /* A subject's members, or fields (see faces/answer.h). row: where its numbers lie in an array;
     * NULL: in none. */
    void (*print)(void *context, const answers *to, const scored_picture *picture, size_t subject,
                  const uint64_t *row);
    /* State. */
    path_list pictures; /* without shards */
    path_shards parts;
    scoring *scoring;
    answers answers;
    row_writer *rows; /* NULL: none */
    bool quiet;       /* failures are told in answers alone */
    uint64_t done, total;
    uint64_t answered, failed; /* pictures */
} sweep;

/* Whether the options and words fit together: OPTIONS_READ, or the exit status. words: behind the
 * plan. */
int sweep_check(const command *self, const sweep *s, int words);
/* Finds the pictures; nothing is read of a stream. */
kiln_status sweep_find(sweep *s, char *const *words, size_t word_count, kiln_error *error);
/* How many there are: for scoring_open. */
size_t sweep_most_pictures(const sweep *s);

/* Answers, begun and ended by the caller; rows (NULL: none) get the numbers of all subjects. */
kiln_status sweep_answer(sweep *s, scoring *scoring, FILE *out, answer_format format,
                         const char *header, row_writer *rows, kiln_error *error);
/* Parts. settings: see parts_job. */
kiln_status sweep_write_parts(sweep *s, scoring *scoring, const char *settings, kiln_error *error);

/* With the status of all: the exit status. */
int sweep_exit(const sweep *s, kiln_status status, const kiln_error *error);
void sweep_free(sweep *s);

/* ---- Options, in a sweep ------------------------------------------------------------------- */

#define STREAM_ROW(at)                                                                             \
    {                                                                                              \
        .kind = OPTION_SET, .name = "stream", .place = (at),                                       \
        .help = "read paths from standard input, and answer each at once by a line of JSON"        \
    }

#define SCORING_THREADS_ROW(at)                                                                    \
    {                                                                                              \
        .kind = OPTION_NUMBER, .name = "threads", .value = "N", .place = (at), .low = 1,           \
        .high = MOST_THREADS,                                                                      \
        .help = "how many work, each at a picture of its own, or at one together (default 1)"      \
    }

/* Help of commands that write parts. */
#define PARTS_NOTES                                                                                \
    "Many pictures are shared among processes and machines by --shard: shard I of N becomes "      \
    "DIR/part-0000I.npy (a row a picture or face) with DIR/part-0000I.jsonl (an object a "         \
    "picture: "                                                                                    \
    "its row, its faces with their rows, or the error), and DIR/part-0000I.json when it is "       \
    "finished. Lines of a list are files then, not folders. A killed process leaves nothing "      \
    "half-written: run it again. A folder takes the "                                              \
    "parts of one network, one list and one N; others are refused."

#endif
