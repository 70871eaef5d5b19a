/* kiln embed: pictures as rows of numbers. */
#include "compiler/cli/answers.h"
#include "compiler/cli/cli.h"
#include "compiler/cli/faces/answer.h"
#include "compiler/cli/paths.h"
#include "compiler/cli/train/scorer.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum {
    FORMAT_BY_NAME,
    FORMAT_NPY,
    FORMAT_FIRST /* FORMAT_FIRST + k: an answer_format past text */
};

typedef struct embed_call {
    scorer_options options;
    const char *output, *list;
    unsigned format; /* FORMAT_* */
    bool normalize;
    path_list pictures;
    scorer scorer;
    float *row;
    size_t unread;    /* pictures without a row */
    answers names;    /* of an array: a line a row; else of everything */
    file_writer file; /* that it goes to */
    char *names_path;
    float *rows; /* of an array: [count][scorer.count] */
    size_t count;
} embed_call;

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

/* ---- Writing ------------------------------------------------------------------------------- */

static bool writes_array(const embed_call *c) {
    return c->format == FORMAT_NPY;
}

/* The numbers behind a subject's name. */
static void write_numbers(const embed_call *c, const float *row) {
    FILE *out = c->names.out;
    bool object = answers_are_objects(&c->names);
    fputs(object ? "\"features\": [" : "", out);
    for (size_t k = 0; k < c->scorer.count; k++) {
        fputs(k == 0 ? "" : object ? ", " : ",", out);
        number_text(out, (double)row[k], object ? "null" : "");
    }
    fputs(object ? "]" : "", out);
}

static kiln_status keep_row(embed_call *c, const float *row, kiln_error *error) {
    size_t size = c->scorer.count;
    float *rows = realloc(c->rows, (c->count + 1) * size * sizeof *rows + 1);
    if (rows == NULL) {
        return kiln_fail(error, KILN_ERROR_MEMORY, "out of memory");
    }
    c->rows = rows;
    memcpy(rows + c->count++ * size, row, size * sizeof *row);
    return KILN_OK;
}

/* "image,left,...,f0,f1,...", or "...,row": from malloc. */
static char *make_header(const embed_call *c) {
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    if (out == NULL) {
        return NULL;
    }
    bool faces = subjects_are_faces(&c->scorer.subjects);
    fputs(SUBJECT_COLUMNS(faces, ""), out);
    fputs(writes_array(c) ? "row" : "", out);
    for (size_t k = 0; !writes_array(c) && k < c->scorer.count; k++) {
        fprintf(out, "%sf%zu", k > 0 ? "," : "", k);
    }
    return fclose(out) == 0 ? text : NULL;
}

static kiln_status begin(embed_call *c, kiln_error *error) {
    const char *path = writes_array(c) ? c->names_path : c->output;
    char *header = make_header(c);
    kiln_status status =
        header != NULL ? KILN_OK : kiln_fail(error, KILN_ERROR_MEMORY, "out of memory");
    if (status == KILN_OK && path != NULL) {
        status = file_begin(&c->file, path, error);
    }
    if (status == KILN_OK) {
        answer_format format = writes_array(c)
                                   ? ANSWERS_CSV
                                   : (answer_format)(c->format - FORMAT_FIRST + ANSWERS_JSON);
        answers_begin(&c->names, path != NULL ? c->file.file : stdout, format, header);
    }
    free(header);
    return status;
}

static kiln_status end(embed_call *c, kiln_status status, kiln_error *error) {
    if (status == KILN_OK) {
        answers_end(&c->names);
    }
    if (status == KILN_OK && writes_array(c)) {
        kiln_value value = {.name = "features",
                            .dtype = KILN_F32,
                            .rank = 2,
                            .dims = {(uint32_t)c->count, (uint32_t)c->scorer.count},
                            .data = c->rows};
        status = kiln_value_save_npy(&value, c->output, error);
    }
    return c->file.file != NULL ? file_end(&c->file, status, error) : status;
}

/* ---- Pictures ------------------------------------------------------------------------------ */

static kiln_status write_subject(embed_call *c, subject_answer *a, const rgb_picture *picture,
                                 const subject *which, kiln_error *error) {
    kiln_status status = scorer_run(&c->scorer, picture, which, c->row, error);
    if (status == KILN_OK && c->normalize) {
        to_length_one(c->row, c->scorer.count);
    }
    if (status == KILN_OK && writes_array(c)) {
        status = keep_row(c, c->row, error);
    }
    if (status == KILN_OK) {
        subject_answer_next(a, which);
        if (writes_array(c)) {
            fprintf(c->names.out, "%zu", c->count - 1);
        } else {
            write_numbers(c, c->row);
        }
        subject_answer_close(a);
    }
    return status;
}

/* Why a picture has no rows is *out_why; a failure is one that ends the command. */
static kiln_status write_picture(embed_call *c, const char *path, kiln_error *out_why,
                                 bool *out_read, kiln_error *error) {
    const subject_finder *f = &c->scorer.finder;
    rgb_picture picture = {0};
    char why[64];
    kiln_status status = scorer_load(&c->scorer, path, &picture, out_why);
    if (status == KILN_OK && f->count == 0) {
        status = kiln_fail(out_why, KILN_ERROR_UNSUPPORTED, "%s: %s", path,
                           subjects_why(f->found, why, sizeof why));
    }
    *out_read = status == KILN_OK;
    status = KILN_OK;
    if (*out_read) {
        subject_answer a = {.answers = &c->names, .path = path, .finder = f};
        subject_answer_begin(&a);
        for (size_t k = 0; status == KILN_OK && k < f->count; k++) {
            status = write_subject(c, &a, &picture, &f->subjects[k], error);
        }
        subject_answer_end(&a);
    }
    picture_free(&picture);
    return status;
}

static kiln_status write_pictures(embed_call *c, kiln_error *error) {
    kiln_status status = KILN_OK;
    for (size_t k = 0; k < c->pictures.count && status == KILN_OK; k++) {
        kiln_error why;
        bool read = false;
        status = write_picture(c, c->pictures.paths[k], &why, &read, error);
        if (!read) {
            c->unread++;
            (void)fail(&why);
            subject_answer_failure(&c->names, c->pictures.paths[k], why.message);
        }
        progress_show("embedding", k + 1, c->pictures.count);
    }
    progress_clear();
    return status;
}

/* ---- Command ------------------------------------------------------------------------------- */

/* Nothing is written over what is read. */
static kiln_status check_files(const embed_call *c, const char *plan, kiln_error *error) {
    const char *outputs[2] = {c->output, c->names_path};
    const char *inputs[2] = {plan, c->list};
    kiln_status status = check_outputs(outputs, 2, inputs, 2, error);
    for (size_t k = 0; k < c->pictures.count && status == KILN_OK; k++) {
        status = outputs_keep(outputs, 2, c->pictures.paths[k], error);
    }
    return status;
}

static kiln_status embed(embed_call *c, char **words, int count, kiln_error *error) {
    size_t passed_over;
    kiln_status status =
        paths_expand(words + 1, (size_t)count - 1, c->list, &c->pictures, &passed_over, error);
    if (status == KILN_OK) {
        tell_passed_over(passed_over);
        status = check_files(c, words[0], error);
    }
    if (status == KILN_OK) {
        status = scorer_open(words[0], &c->options, &c->scorer, error);
    }
    if (status == KILN_OK) {
        c->row = malloc(c->scorer.count * sizeof *c->row + 1);
        status =
            c->row != NULL ? begin(c, error) : kiln_fail(error, KILN_ERROR_MEMORY, "out of memory");
    }
    if (status != KILN_OK) {
        return status;
    }
    return end(c, write_pictures(c, error), error);
}

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

static bool settle(embed_call *c) {
    c->format = c->format == FORMAT_BY_NAME ? format_of_name(c->output) : c->format;
    if (!writes_array(c) || c->output == NULL) {
        return !writes_array(c);
    }
    size_t size = strlen(c->output) + sizeof ".names";
    c->names_path = malloc(size);
    if (c->names_path != NULL) {
        snprintf(c->names_path, size, "%s.names", c->output);
    }
    return true;
}

#define AT(member) offsetof(embed_call, member)

static const option_row rows[] = {
    {.kind = OPTION_TEXT,
     .letter = 'o',
     .name = "output",
     .value = "FILE",
     .place = AT(output),
     .help = "the rows; without it they go to standard output (not npy)"},
    {.kind = OPTION_CHOICE,
     .name = "format",
     .value = "FORMAT",
     .place = AT(format),
     .word = format_word,
     .help = "of the rows; name: as FILE's name ends, else npy (the default)"},
    LIST_ROW(AT(list)),
    {.kind = OPTION_TEXT,
     .name = "cut",
     .value = "LAYER",
     .place = AT(options.cut),
     .help = "another layer (kiln inspect lists them)"},
    {.kind = OPTION_SET, .name = "normalize", .place = AT(normalize), .help = "rows of length 1"},
    DETECTOR_ROW(AT(options.subjects.detector)),
    FACES_ROW(AT(options.subjects.faces), "largest"),
    PRESET_ROW(AT(options.preset)),
    THREADS_ROW(AT(options.threads)),
    OPTIONS_END,
};

static int run(const command *self, int argc, char **argv) {
    embed_call c = {.options = {.features = true, .threads = 1}};
    kiln_error error = {0};
    int status = options_read(self, &c, &argc, &argv);
    if (status == OPTIONS_READ && (argc < 1 || (argc < 2 && c.list == NULL))) {
        status = usage(self, "expected a plan and pictures, folders of them, or --list");
    } else if (status == OPTIONS_READ && !settle(&c)) {
        status = usage(self, "expected -o FILE.npy, or --format csv, json or jsonl");
    } else if (status == OPTIONS_READ) {
        status = embed(&c, argv, argc, &error) == KILN_OK ? 0 : fail(&error);
        status = c.unread > 0 ? EXIT_FAILED : status;
    }
    scorer_close(&c.scorer);
    path_list_free(&c.pictures);
    free(c.names_path);
    free(c.rows);
    free(c.row);
    return status;
}

const command command_embed = {
    .name = "embed",
    .summary = "features of pictures, to an array",
    .order = 240,
    .synopsis = "PLAN PICTURE|FOLDER... -o FILE [options]\n"
                "PLAN --list FILE -o FILE [options]",
    .about =
        "Writes what the network computes of each picture before its final dense layers: a "
        "row of features a picture (for a face network without such layers: its embedding), or "
        "with --detector a face. FILE.npy is an array, [rows, features] of float32, with "
        "FILE.npy.names beside it, whose lines (CSV) name the rows; CSV, JSON and JSON lines have "
        "the names beside the numbers.",
    .notes = "A folder stands for the pictures in it and below. A picture that cannot be read, or "
             "has no face, is told and passed over; the exit status is then 1.",
    .examples = "kiln embed mobilefacenet.plan people/ --normalize -o faces.npy\n"
                "find . -name '*.heic' | kiln embed net.plan --list - --format csv >rows.csv",
    .options = rows,
    .opens_plan = true,
    .run = run};
