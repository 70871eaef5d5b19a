/* kiln embed: pictures as rows of numbers. */
#include "compiler/cli/cli.h"
#include "compiler/cli/faces/answer.h"
#include "compiler/cli/train/sweep.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum {
    FORMAT_BY_NAME,
    FORMAT_NPY,
    FORMAT_FIRST /* FORMAT_FIRST + k: an answer_format past text */
};

typedef struct embed_call {
    scoring_options options;
    sweep sweep;
    const char *output;
    unsigned format; /* FORMAT_* */
    bool normalize;
    scoring scoring;
    row_writer rows;  /* of an array */
    file_writer file; /* of what is no array, or the names of its rows */
    char *names_path;
} embed_call;

static bool writes_array(const embed_call *c) {
    return c->format == FORMAT_NPY;
}

/* ---- One picture --------------------------------------------------------------------------- */

static void to_length_one(float *row, size_t count) {
    double length = sqrt(fmax(0, cosine_similarity(row, row, count)));
    double sum = 0;
    for (size_t k = 0; k < count; k++) {
        sum += (double)row[k] * (double)row[k];
    }
    for (size_t k = 0; length > 0 && k < count; k++) {
        row[k] = (float)((double)row[k] / sqrt(sum));
    }
}

static kiln_status look(void *context, scored_picture *p, kiln_error *why) {
    const embed_call *c = context;
    char text[64];
    size_t size = c->scoring.workers[0].scorer.count;
    for (size_t k = 0; c->normalize && k < p->count; k++) {
        to_length_one(p->rows + k * size, size);
    }
    return p->count > 0 ? KILN_OK
                        : kiln_fail(why, KILN_ERROR_UNSUPPORTED, "%s: %s", p->path,
                                    subjects_why(p->found, text, sizeof text));
}

/* The row's number, or the numbers themselves. */
static void print(void *context, const answers *to, const scored_picture *p, size_t subject,
                  const uint64_t *row) {
    const embed_call *c = context;
    size_t size = c->scoring.workers[0].scorer.count;
    const float *numbers = p->rows + subject * size;
    bool object = answers_are_objects(to);
    if (row != NULL) {
        fprintf(to->out, "%s%" PRIu64, object ? "\"row\": " : "", *row);
        return;
    }
    fputs(object ? "\"features\": [" : "", to->out);
    for (size_t k = 0; k < size; k++) {
        fputs(k == 0 ? "" : object ? ", " : ",", to->out);
        number_text(to->out, (double)numbers[k], object ? "null" : "");
    }
    fputs(object ? "]" : "", to->out);
}

/* ---- All ----------------------------------------------------------------------------------- */

/* "image,left,...,f0,f1,...", or "...,row": from malloc. */
static char *make_header(const embed_call *c) {
    char *text = NULL;
    size_t size;
    const scorer *scorer = &c->scoring.workers[0].scorer;
    FILE *out = open_memstream(&text, &size);
    if (out == NULL) {
        return NULL;
    }
    fputs(SUBJECT_COLUMNS(subjects_are_faces(&scorer->subjects), ""), out);
    fputs(writes_array(c) ? "row" : "", out);
    for (size_t k = 0; !writes_array(c) && k < scorer->count; k++) {
        fprintf(out, "%sf%zu", k > 0 ? "," : "", k);
    }
    return close_text(out, &text);
}

/* Nothing is written over what is read. */
static kiln_status check_files(const embed_call *c, const char *plan, kiln_error *error) {
    const char *outputs[2] = {c->output, c->names_path};
    const char *inputs[2] = {plan, c->sweep.list};
    const path_list *pictures = &c->sweep.pictures;
    kiln_status status = check_outputs(outputs, 2, inputs, 2, error);
    for (size_t k = 0; k < pictures->count && status == KILN_OK; k++) {
        status = outputs_keep(outputs, 2, pictures->paths[k], error);
    }
    return status;
}

/* Names into the file beside an array, or all into one file or standard output. */
static kiln_status write_answers(embed_call *c, kiln_error *error) {
    bool array = writes_array(c);
    const char *path = array ? c->names_path : c->output;
    answer_format format =
        array ? ANSWERS_CSV : (answer_format)(c->format - FORMAT_FIRST + ANSWERS_JSON);
    char *header = make_header(c);
    kiln_status status =
        header != NULL ? KILN_OK : kiln_fail(error, KILN_ERROR_MEMORY, "out of memory");
    if (status == KILN_OK && path != NULL) {
        status = file_begin(&c->file, path, error);
    }
    if (status == KILN_OK && array) {
        status = row_writer_begin(&c->rows, c->output, c->scoring.workers[0].scorer.count, error);
    }
    if (status == KILN_OK) {
        status = sweep_answer(&c->sweep, &c->scoring, path != NULL ? c->file.file : stdout, format,
                              header, array ? &c->rows : NULL, error);
    }
    if (c->rows.file.file != NULL) {
        if (status == KILN_OK && fflush(c->file.file) != 0) { /* before the rows take their place */
            status = kiln_fail(error, KILN_ERROR_IO, "%s: cannot write: %s", path, strerror(errno));
        }
        status = row_writer_end(&c->rows, status, error);
    }
    if (c->file.file != NULL) {
        status = file_end(&c->file, status, error);
    }
    free(header);
    return status;
}

static kiln_status write_parts(embed_call *c, kiln_error *error) {
    char settings[64];
    snprintf(settings, sizeof settings, "faces=%s normalize=%d",
             face_choice_word(subjects_choice(&c->options.scorer.subjects)), c->normalize);
    return sweep_write_parts(&c->sweep, &c->scoring, settings, error);
}

static kiln_status embed(embed_call *c, char **words, int count, kiln_error *error) {
    kiln_status status = sweep_find(&c->sweep, words + 1, (size_t)count - 1, error);
    if (status == KILN_OK && c->sweep.folder == NULL) {
        status = check_files(c, words[0], error);
    }
    if (status == KILN_OK) {
        c->options.contents = c->sweep.folder != NULL;
        status =
            scoring_open(words[0], &c->options, sweep_most_pictures(&c->sweep), &c->scoring, error);
    }
    if (status != KILN_OK) {
        return status;
    }
    return c->sweep.folder != NULL ? write_parts(c, error) : write_answers(c, error);
}

/* ---- Command ------------------------------------------------------------------------------- */

static const char *format_word(unsigned k) {
    static const char *const words[] = {"name", "npy"};
    return k < FORMAT_FIRST ? words[k] : answer_format_word(k - FORMAT_FIRST + ANSWERS_JSON);
}

/* What the file's name ends in; an array where that says nothing. */
static unsigned format_of_name(const char *path) {
    const char *dot = path != NULL ? strrchr(path, '.') : NULL;
    for (unsigned k = FORMAT_NPY; dot != NULL && format_word(k) != NULL; k++) {
        if (strcmp(dot + 1, format_word(k)) == 0) {
            return k;
        }
    }
    return FORMAT_NPY;
}

static bool is_folder_name(const char *path) {
    return path != NULL && path[0] != '\0' && path[strlen(path) - 1] == '/';
}

/* Parts are asked for by --shard, or by an output that ends as folders do. */
static int settle(const command *self, embed_call *c, int words) {
    sweep *s = &c->sweep;
    s->folder = s->shards.of > 0 || is_folder_name(c->output) ? c->output : NULL;
    int status = sweep_check(self, s, words);
    if (status != OPTIONS_READ) {
        return status;
    }
    unsigned lines = FORMAT_FIRST + ANSWERS_JSONL - ANSWERS_JSON;
    if (s->folder != NULL && c->format != FORMAT_BY_NAME) {
        return usage(self, "--format is not for parts, which are arrays and lines of JSON");
    }
    if (s->stream) {
        if (c->format != FORMAT_BY_NAME && c->format != lines) {
            return usage(self, "--stream answers in lines of JSON: --format jsonl");
        }
        c->format = lines;
        return c->output == NULL ? status : usage(self, "--stream answers on standard output");
    }
    c->format = c->format == FORMAT_BY_NAME ? format_of_name(c->output) : c->format;
    if (s->folder != NULL || !writes_array(c)) {
        return status;
    }
    if (c->output == NULL) {
        return usage(self, "expected -o FILE.npy, or --format csv, json or jsonl");
    }
    size_t size = strlen(c->output) + sizeof ".names";
    c->names_path = malloc(size);
    if (c->names_path == NULL) {
        const kiln_error error = {KILN_ERROR_MEMORY, "out of memory"};
        return fail(&error);
    }
    snprintf(c->names_path, size, "%s.names", c->output);
    return status;
}

#define AT(member) offsetof(embed_call, member)

static const option_row rows[] = {
    {.kind = OPTION_TEXT,
     .letter = 'o',
     .name = "output",
     .value = "FILE",
     .place = AT(output),
     .help = "the rows; without it they go to standard output (not npy); with --shard, or as DIR/, "
             "a folder of parts"},
    {.kind = OPTION_CHOICE,
     .name = "format",
     .value = "FORMAT",
     .place = AT(format),
     .word = format_word,
     .help = "of the rows; name: as FILE's name ends, else npy (the default)"},
    LIST_ROW(AT(sweep.list)),
    SHARD_ROW(AT(sweep.shards)),
    MAX_ERRORS_ROW(AT(sweep.max_errors)),
    STREAM_ROW(AT(sweep.stream)),
    {.kind = OPTION_TEXT,
     .name = "cut",
     .value = "LAYER",
     .place = AT(options.scorer.cut),
     .help = "another layer (kiln inspect lists them)"},
    {.kind = OPTION_SET, .name = "normalize", .place = AT(normalize), .help = "rows of length 1"},
    DETECTOR_ROW(AT(options.scorer.subjects.detector)),
    FACES_ROW(AT(options.scorer.subjects.faces), "largest"),
    PRESET_ROW(AT(options.scorer.preset)),
    SCORING_THREADS_ROW(AT(options.scorer.threads)),
    PREPACKED_ROWS(AT(options.scorer.prepacked)),
    OPTIONS_END,
};

static int run(const command *self, int argc, char **argv) {
    embed_call c = {
        .options.scorer = {.features = true, .threads = 1, .prepacked = PACKED_IN_CACHE},
        .sweep = {.command = "embed", .progress = "embedding", .look = look, .print = print}};
    kiln_error error = {0};
    int status = options_read(self, &c, &argc, &argv);
    c.sweep.context = &c;
    if (status == OPTIONS_READ && argc < 1) {
        status = usage(self, "expected a plan");
    } else if (status == OPTIONS_READ) {
        status = settle(self, &c, argc - 1);
    }
    if (status == OPTIONS_READ) {
        status = sweep_exit(&c.sweep, embed(&c, argv, argc, &error), &error);
    }
    scoring_close(&c.scoring);
    sweep_free(&c.sweep);
    free(c.names_path);
    return status;
}

const command command_embed = {
    .name = "embed",
    .summary = "features of pictures, to an array",
    .order = 240,
    .synopsis = "PLAN PICTURE|FOLDER... -o FILE [options]\n"
                "PLAN --list FILE -o FILE [options]\n"
                "PLAN --list FILE --shard I/N -o DIR [options]\n"
                "PLAN --stream [options]",
    .about =
        "Writes what the network computes of each picture before its final dense layers: a "
        "row of features a picture (for a face network without such layers: its embedding), or "
        "with --detector a face. FILE.npy is an array, [rows, features] of float32, with "
        "FILE.npy.names beside it, whose lines (CSV) name the rows; CSV, JSON and JSON lines have "
        "the names beside the numbers.",
    .notes = "A folder stands for the pictures in it and below. A picture that cannot be read, or "
             "has no face, is told and passed over; the exit status is then 1 (but see "
             "--max-errors).\n"
             "\n" PARTS_NOTES,
    .examples = "kiln embed mobilefacenet.plan people/ --normalize -o faces.npy\n"
                "find . -name '*.heic' | kiln embed net.plan --list - --format csv >rows.csv\n"
                "kiln embed net.plan --list all.txt --shard 17/64 --prepacked -o parts\n"
                "find people -type f | kiln embed net.plan --stream >rows.jsonl",
    .options = rows,
    .opens_plan = true,
    .run = run};
