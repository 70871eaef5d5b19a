/* kiln compare: how alike two pictures are. */
#include "compiler/cli/cli.h"
#include "compiler/cli/data/data.h"
#include "compiler/cli/train/scorer.h"

#include <math.h>
#include <stdlib.h>

typedef struct compare_call {
    scorer_options options;
    const char *data;
    double threshold; /* NaN: not given */
    bool has_threshold, json;
    scorer scorer;
} compare_call;

static kiln_status threshold_of_data(compare_call *c, kiln_error *error) {
    data_options split = {0};
    data_set data;
    double accuracy = 0;
    kiln_status status = data_open(c->data, &split, &data, error);
    if (status != KILN_OK) {
        return status;
    }
    size_t size = c->scorer.count;
    float *rows = malloc(data.count * size * sizeof *rows + 1);
    uint32_t *labels = malloc(data.count * sizeof *labels + 1);
    if (rows == NULL || labels == NULL) {
        status = kiln_fail(error, KILN_ERROR_MEMORY, "out of memory");
    }
    for (size_t k = 0; k < data.count && status == KILN_OK;) {
        kiln_error why;
        labels[k] = data.items[k].label;
        kiln_status scored =
            data.items[k].path != NULL
                ? scorer_run_file(&c->scorer, data.items[k].path, rows + k * size, &why)
                : kiln_fail(&why, KILN_ERROR_ARGUMENT, "--data takes a folder of pictures");
        if (scored == KILN_OK) {
            progress_show("embedding", ++k, data.count);
        } else {
            status = data_may_skip(scored) ? data_skip(&data, k, why.message, false, error)
                                           : kiln_fail(error, scored, "%s", why.message);
        }
    }
    progress_clear();
    if (status == KILN_OK) {
        c->has_threshold =
            choose_threshold(rows, data.count, size, labels, &c->threshold, &accuracy);
        if (!c->json && c->has_threshold) {
            printf("threshold %.4f: %.1f %% of the data's pairs right\n", c->threshold,
                   100 * accuracy);
        }
    }
    for (size_t k = 0; k < data.skipped_count; k++) {
        text_print(stderr, "kiln: skipped: %s\n", data.skipped[k].text);
    }
    free(rows);
    free(labels);
    data_free(&data);
    return status;
}

static kiln_status find_threshold(compare_call *c, kiln_error *error) {
    const char *stored = kiln_plan_metadata(c->scorer.plan, "same_threshold");
    c->has_threshold = !isnan(c->threshold);
    if (c->has_threshold) {
        return KILN_OK;
    }
    if (c->data != NULL) {
        return threshold_of_data(c, error);
    }
    c->has_threshold = stored != NULL && parse_real(stored, &c->threshold);
    return KILN_OK;
}

static kiln_status compare(compare_call *c, char **words, kiln_error *error) {
    kiln_status status = scorer_open(words[0], &c->options, &c->scorer, error);
    size_t size = c->scorer.count;
    float *rows = status == KILN_OK ? malloc(2 * size * sizeof *rows + 1) : NULL;
    if (status == KILN_OK && rows == NULL) {
        status = kiln_fail(error, KILN_ERROR_MEMORY, "out of memory");
    }
    for (size_t k = 0; k < 2 && status == KILN_OK; k++) {
        status = scorer_run_file(&c->scorer, words[k + 1], rows + k * size, error);
    }
    if (status == KILN_OK) {
        status = find_threshold(c, error);
    }
    if (status == KILN_OK) {
        double similarity = cosine_similarity(rows, rows + size, size);
        const char *answer = !c->has_threshold            ? NULL
                             : similarity >= c->threshold ? "same"
                                                          : "different";
        if (c->json) {
            printf("{\"similarity\": %.6f, \"threshold\": ", similarity);
            json_number(stdout, c->has_threshold ? c->threshold : NAN);
            printf(", \"answer\": ");
            json_string(stdout, answer != NULL ? answer : "unknown");
            printf("}\n");
        } else {
            printf("similarity %.4f%s%s\n", similarity, answer != NULL ? ": " : "",
                   answer != NULL ? answer : " (no threshold: give --data or --threshold)");
        }
    }
    free(rows);
    return status;
}

#define AT(member) offsetof(compare_call, member)

static const option_row rows[] = {
    {.kind = OPTION_REAL,
     .name = "threshold",
     .value = "T",
     .place = AT(threshold),
     .low = -1,
     .high = 1,
     .expected = "a similarity from -1 to 1",
     .help = "same from T on"},
    {.kind = OPTION_TEXT,
     .name = "data",
     .value = "DIR",
     .place = AT(data),
     .help = "choose the threshold on pictures in a sub-folder for each class"},
    {.kind = OPTION_TEXT,
     .name = "cut",
     .value = "LAYER",
     .place = AT(options.cut),
     .help = "features of another layer"},
    DETECTOR_ROW(AT(options.subjects.detector)),
    FACES_ROW(AT(options.subjects.faces), "largest"),
    PRESET_ROW(AT(options.preset)),
    THREADS_ROW(AT(options.threads)),
    PREPACKED_ROWS(AT(options.prepacked)),
    {.kind = OPTION_SET, .name = "json", .place = AT(json), .help = "the answer as JSON"},
    OPTIONS_END,
};

static int run(const command *self, int argc, char **argv) {
    compare_call c = {.options = {.features = true, .threads = 1, .prepacked = PACKED_IN_CACHE},
                      .threshold = NAN};
    kiln_error error = {0};
    int status = options_read(self, &c, &argc, &argv);
    if (status == OPTIONS_READ && argc != 3) {
        status = usage(self, "expected a plan and two pictures");
    } else if (status == OPTIONS_READ) {
        status = compare(&c, argv, &error) == KILN_OK ? 0 : fail(&error);
    }
    scorer_close(&c.scorer);
    return status;
}

const command command_compare = {
    .name = "compare",
    .summary = "how alike two pictures are",
    .order = 250,
    .synopsis = "PLAN A.jpg B.jpg [options]",
    .about = "Tells how alike two pictures are (cosine similarity of their features, -1 to 1), and "
             "whether they show the same class at a threshold: the one that kiln train chose on "
             "validation pictures, one that is chosen on data here, or yours. Exit status 0 either "
             "way.",
    .examples = "kiln compare mobilefacenet.plan passport.jpg visitor.jpg --data people/",
    .options = rows,
    .opens_plan = true,
    .run = run};
