/* kiln embed: pictures as rows of numbers. */
#include "compiler/cli/cli.h"
#include "compiler/cli/train/scorer.h"

#include <math.h>
#include <stdlib.h>

typedef struct embed_call {
    scorer_options options;
    const char *output;
    bool normalize;
    scorer scorer;
    float *rows; /* [count][scorer.count] */
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

/* A row a subject, in one array that grows. */
static kiln_status add_rows(embed_call *c, const char *path, kiln_error *error) {
    const subject_finder *f = &c->scorer.finder;
    size_t size = c->scorer.count;
    rgb_picture picture = {0};
    char why[64];
    kiln_status status = scorer_load(&c->scorer, path, &picture, error);
    if (status == KILN_OK && f->count == 0) {
        status = kiln_fail(error, KILN_ERROR_UNSUPPORTED, "%s: %s", path,
                           subjects_why(f->found, why, sizeof why));
    }
    float *rows = status == KILN_OK
                      ? realloc(c->rows, ((c->count + f->count) * size + 1) * sizeof *rows)
                      : NULL;
    if (status == KILN_OK && rows == NULL) {
        status = kiln_fail(error, KILN_ERROR_MEMORY, "out of memory");
    }
    c->rows = rows != NULL ? rows : c->rows;
    for (size_t k = 0; status == KILN_OK && k < f->count; k++) {
        float *row = rows + c->count * size;
        status = scorer_run(&c->scorer, &picture, &f->subjects[k], row, error);
        if (status == KILN_OK && c->normalize) {
            to_length_one(row, size);
        }
        c->count++;
    }
    picture_free(&picture);
    return status;
}

static kiln_status embed(embed_call *c, char **words, int count, kiln_error *error) {
    kiln_status status =
        check_outputs(&c->output, 1, (const char *const *)words, (size_t)count, error);
    if (status == KILN_OK) {
        status = scorer_open(words[0], &c->options, &c->scorer, error);
    }
    for (int k = 1; k < count && status == KILN_OK; k++) {
        status = add_rows(c, words[k], error);
        progress_show("embedding", (size_t)k, (size_t)count - 1);
    }
    progress_clear();
    if (status == KILN_OK) {
        kiln_value value = {.name = "features",
                            .dtype = KILN_F32,
                            .rank = 2,
                            .dims = {(uint32_t)c->count, (uint32_t)c->scorer.count},
                            .data = c->rows};
        status = kiln_value_save_npy(&value, c->output, error);
    }
    return status;
}

#define AT(member) offsetof(embed_call, member)

static const option_row rows[] = {
    {.kind = OPTION_TEXT,
     .letter = 'o',
     .name = "output",
     .value = "FILE",
     .place = AT(output),
     .help = "the array, [rows, features] of float32"},
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
    if (status == OPTIONS_READ && (argc < 2 || c.output == NULL)) {
        status = usage(self, "expected a plan, pictures and -o FILE.npy");
    } else if (status == OPTIONS_READ) {
        status = embed(&c, argv, argc, &error) == KILN_OK ? 0 : fail(&error);
    }
    scorer_close(&c.scorer);
    free(c.rows);
    return status;
}

const command command_embed = {
    .name = "embed",
    .summary = "features of pictures, to an array",
    .order = 240,
    .synopsis = "PLAN PICTURE... -o FILE.npy [options]",
    .about =
        "Writes what the network computes of each picture before its final dense layers: a "
        "row of features a picture (for a face network without such layers: its embedding), or "
        "with --detector a face.",
    .examples = "kiln embed mobilefacenet.plan a.jpg b.jpg --normalize -o faces.npy",
    .options = rows,
    .opens_plan = true,
    .run = run};
