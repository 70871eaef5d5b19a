/* kiln evaluate: how good a classifier is on labelled pictures. */
#include "compiler/cli/cli.h"
#include "compiler/cli/faces/gallery.h"
#include "compiler/cli/train/features.h"
#include "compiler/cli/train/metrics.h"
#include "compiler/cli/train/scorer.h"

#include <stdlib.h>
#include <string.h>

typedef struct evaluate_call {
    scorer_options options;
    bool matrix, strict, json;
    scorer scorer;
    data_set data;
    gallery gallery;
    uint32_t *labels; /* of the plan, by the data's class */
    char **names;
    metrics results;
} evaluate_call;

/* The plan's class of each of the data's. */
static kiln_status match_classes(evaluate_call *c, kiln_error *error) {
    size_t classes = c->scorer.count;
    c->labels = calloc(c->data.class_count + 1, sizeof *c->labels);
    if (c->labels == NULL) {
        return kiln_fail(error, KILN_ERROR_MEMORY, "out of memory");
    }
    for (size_t k = 0; k < c->data.class_count; k++) {
        size_t at = 0;
        while (at < classes && strcmp(c->names[at], c->data.classes[k]) != 0) {
            at++;
        }
        bool numbered = at == classes && kiln_plan_label_count(c->scorer.plan) == 0;
        if (at == classes && (!numbered || k >= classes)) {
            return kiln_fail(error, KILN_ERROR_ARGUMENT,
                             "class '%s' is not among the plan's %zu labels", c->data.classes[k],
                             classes);
        }
        c->labels[k] = (uint32_t)(numbered ? k : at);
    }
    return KILN_OK;
}

static kiln_status score_item(evaluate_call *c, const feature_source *source, size_t item,
                              float *scores, kiln_error *error) {
    kiln_status status = features_input(source, &c->data, item, 0, c->scorer.tensor, error);
    kiln_buffer in = {c->scorer.tensor, c->scorer.input.bytes},
                out = {scores, c->scorer.output.bytes};
    return status == KILN_OK ? kiln_session_run(c->scorer.session, 1, &in, 1, &out, 1, error)
                             : status;
}

static kiln_status evaluate(evaluate_call *c, char **words, kiln_error *error) {
    data_options split = {.strict = c->strict, .to_measure = true};
    kiln_status status = data_open(words[1], &split, &c->data, error);
    if (status == KILN_OK) {
        c->options.numbers = !c->data.pictures;
        status = scorer_open(words[0], &c->options, &c->scorer, error);
    }
    feature_source source = {.input = c->scorer.input, .preprocess = c->scorer.preprocess};
    if (status == KILN_OK) {
        const gallery_options options = {.threads = c->options.threads, .strict = c->strict};
        status = gallery_find(&c->scorer.subjects, &options, &c->data, &c->gallery, error);
    }
    if (status == KILN_OK) {
        status = features_check(&source, &c->data, error);
    }
    if (status == KILN_OK && c->scorer.output.dtype != KILN_F32) {
        status = kiln_fail(error, KILN_ERROR_UNSUPPORTED, "%s: scores are not f32", words[0]);
    }
    if (status == KILN_OK) {
        status = scorer_check_classifier(&c->scorer, words[0], error);
    }
    if (status == KILN_OK) {
        status = scorer_names(&c->scorer, &c->names, error);
    }
    if (status == KILN_OK) {
        status = match_classes(c, error);
    }
    if (status == KILN_OK) {
        status = metrics_create(c->scorer.count, &c->results, error);
    }
    float *scores = malloc((c->scorer.count + 1) * sizeof *scores);
    if (status == KILN_OK && scores == NULL) {
        status = kiln_fail(error, KILN_ERROR_MEMORY, "out of memory");
    }
    for (size_t k = 0; status == KILN_OK && k < c->data.count;) {
        kiln_error problem;
        kiln_status scored = score_item(c, &source, k, scores, &problem);
        if (scored != KILN_OK) {
            status = data_may_skip(scored)
                         ? data_skip(&c->data, k, problem.message, c->strict, error)
                         : kiln_fail(error, scored, "%s", problem.message);
            continue;
        }
        metrics_add(&c->results, scores, c->labels[c->data.items[k].label]);
        progress_show("evaluating", ++k, c->data.count);
    }
    progress_clear();
    free(scores);
    return status;
}

static void print_matrix(const evaluate_call *c) {
    const metrics *m = &c->results;
    char name[TEXT_COLUMN(16)];
    printf("\n%-16s", "is \\ taken for");
    for (size_t p = 0; p < m->classes; p++) {
        printf(" %s", text_column(c->names[p], 6, name));
    }
    putchar('\n');
    for (size_t a = 0; a < m->classes; a++) {
        printf("%s", text_column(c->names[a], 16, name));
        for (size_t p = 0; p < m->classes; p++) {
            printf(" %6u", m->confusion[a * m->classes + p]);
        }
        putchar('\n');
    }
}

static void print_result(const evaluate_call *c) {
    const char *const *names = (const char *const *)c->names;
    if (c->json) {
        printf("{\"skipped\": %zu, ", c->data.skipped_count);
        printf("\"faces\": ");
        gallery_json(&c->gallery, stdout);
        printf(", ");
        metrics_json(&c->results, names, stdout);
        printf("}\n");
        return;
    }
    for (size_t k = 0; k < c->data.skipped_count; k++) {
        text_print(stderr, "kiln: skipped: %s\n", c->data.skipped[k].text);
    }
    metrics_print(&c->results, names, stdout);
    if (c->matrix) {
        print_matrix(c);
    }
    gallery_print(&c->gallery, 20, stdout);
}

#define AT(member) offsetof(evaluate_call, member)

static const option_row rows[] = {
    {.kind = OPTION_SET,
     .name = "matrix",
     .place = AT(matrix),
     .help = "the confusion matrix, too"},
    DETECTOR_ROW(AT(options.subjects.detector)),
    FACES_ROW(AT(options.subjects.faces), "largest"),
    PRESET_ROW(AT(options.preset)),
    {.kind = OPTION_SET,
     .name = "strict",
     .place = AT(strict),
     .help = "a file that is no picture is an error, not skipped"},
    THREADS_ROW(AT(options.threads)),
    {.kind = OPTION_SET, .name = "json", .place = AT(json), .help = "the result as JSON"},
    OPTIONS_END,
};

static int run(const command *self, int argc, char **argv) {
    evaluate_call c = {.options = {.threads = 1}};
    kiln_error error = {0};
    int status = options_read(self, &c, &argc, &argv);
    if (status == OPTIONS_READ && argc != 2) {
        status = usage(self, "expected a plan and data");
    } else if (status == OPTIONS_READ) {
        status = evaluate(&c, argv, &error) == KILN_OK ? 0 : fail(&error);
        if (status == 0) {
            print_result(&c);
        }
    }
    scorer_free_names(c.names, c.scorer.count);
    scorer_close(&c.scorer);
    data_free(&c.data);
    gallery_free(&c.gallery);
    metrics_free(&c.results);
    free(c.labels);
    return status;
}

const command command_evaluate = {
    .name = "evaluate",
    .summary = "measure a classifier on labelled data",
    .order = 220,
    .synopsis = "PLAN DATA [options]",
    .about =
        "Runs a classifier on labelled data and tells accuracy, top-5 accuracy, precision, "
        "recall and F1 of each class, and what is confused. DATA is as in kiln train: a folder "
        "with a sub-folder for each class, named as the plan's labels; an IDX file of images; "
        "or a .npy array.",
    .examples = "kiln evaluate faces.plan test/",
    .options = rows,
    .opens_plan = true,
    .run = run};
