/* kiln evaluate: how good a classifier is on labelled pictures. */
#include "compiler/cli/cli.h"
#include "compiler/cli/faces/gallery.h"
#include "compiler/cli/people/open_set.h"
#include "compiler/cli/train/features.h"
#include "compiler/cli/train/metrics.h"
#include "compiler/cli/train/scorer.h"

#include <stdlib.h>
#include <string.h>

typedef struct evaluate_call {
    scorer_options options;
    bool matrix, strict, json, strangers;
    double far;
    const char *report;
    scorer scorer;
    judge judge;       /* of plans that know people */
    open_set open_set; /* with strangers */
    data_set data;
    gallery gallery;
    uint32_t *labels; /* of the plan, by the data's class; or STRANGER */
    char **names;     /* of classes */
    size_t classes;
    metrics results;
} evaluate_call;

#define STRANGER UINT32_MAX

/* Those of the head; of people, where it does not have all of them. */
static kiln_status find_names(evaluate_call *c, kiln_error *error) {
    if (c->judge.people == NULL || kiln_people_all_in_head(c->judge.people)) {
        c->classes = c->scorer.count;
        return scorer_names(&c->scorer, &c->names, error);
    }
    c->classes = kiln_people_count(c->judge.people);
    c->names = calloc(c->classes + 1, sizeof *c->names);
    bool good = c->names != NULL;
    for (size_t k = 0; good && k < c->classes; k++) {
        c->names[k] = strdup(kiln_people_name(c->judge.people, k));
        good = c->names[k] != NULL;
    }
    return good ? KILN_OK : kiln_fail(error, KILN_ERROR_MEMORY, "out of memory");
}

/* The plan's class of each of the data's. */
static kiln_status match_classes(evaluate_call *c, kiln_error *error) {
    size_t classes = c->classes;
    c->labels = calloc(c->data.class_count + 1, sizeof *c->labels);
    if (c->labels == NULL) {
        return kiln_fail(error, KILN_ERROR_MEMORY, "out of memory");
    }
    for (size_t k = 0; k < c->data.class_count; k++) {
        size_t at = 0;
        while (at < classes && strcmp(c->names[at], c->data.classes[k]) != 0) {
            at++;
        }
        if (at == classes && c->strangers) {
            c->labels[k] = STRANGER;
            continue;
        }
        bool numbered = at == classes && kiln_plan_label_count(c->scorer.plan) == 0;
        if (at == classes && (!numbered || k >= classes)) {
            return kiln_fail(
                error, KILN_ERROR_ARGUMENT, "class '%s' is not among the plan's %zu labels%s",
                c->data.classes[k], classes,
                c->judge.people != NULL ? "; --strangers takes such folders as strangers" : "");
        }
        c->labels[k] = (uint32_t)(numbered ? k : at);
    }
    return KILN_OK;
}

static kiln_status score_item(evaluate_call *c, const feature_source *source, size_t item,
                              float *scores, kiln_error *error) {
    input_picture picture = {0};
    kiln_status status =
        features_input(source, &c->data, item, 0, &picture, c->scorer.tensor, error);
    input_release(&picture);
    kiln_buffer in = {c->scorer.tensor, c->scorer.input.bytes},
                out = {scores, c->scorer.output.bytes};
    return status == KILN_OK ? kiln_session_run(c->scorer.session, 1, &in, 1, &out, 1, error)
                             : status;
}

/* Counts what has been scored. */
static kiln_status count_item(evaluate_call *c, float *scores, uint32_t label, kiln_error *error) {
    size_t person = SIZE_MAX;
    kiln_status status = KILN_OK;
    if (c->strangers) {
        if (label != STRANGER) {
            (void)kiln_people_find(c->judge.people, c->names[label], &person);
        }
        status = open_set_add(&c->open_set, &c->judge, scores, person, error);
    }
    if (status == KILN_OK && label != STRANGER) {
        if (c->judge.people != NULL && !kiln_people_all_in_head(c->judge.people)) {
            status = judge_scores(&c->judge, scores, error);
        }
        metrics_add(&c->results, scores, label);
    }
    return status;
}

static kiln_status score_items(evaluate_call *c, const feature_source *source, kiln_error *error) {
    size_t room = c->classes > c->scorer.count ? c->classes : c->scorer.count;
    float *scores = malloc((room + 1) * sizeof *scores);
    kiln_status status =
        scores != NULL ? KILN_OK : kiln_fail(error, KILN_ERROR_MEMORY, "out of memory");
    for (size_t k = 0; status == KILN_OK && k < c->data.count;) {
        kiln_error problem;
        kiln_status scored = score_item(c, source, k, scores, &problem);
        if (scored != KILN_OK) {
            status = data_may_skip(scored)
                         ? data_skip(&c->data, k, problem.message, c->strict, error)
                         : kiln_fail(error, scored, "%s", problem.message);
            continue;
        }
        status = count_item(c, scores, c->labels[c->data.items[k].label], error);
        progress_show("evaluating", ++k, c->data.count);
    }
    progress_clear();
    free(scores);
    return status;
}

static kiln_status evaluate(evaluate_call *c, char **words, kiln_error *error) {
    data_options split = {.strict = c->strict, .to_measure = true};
    kiln_status status = check_outputs(&c->report, 1, (const char *const *)words, 2, error);
    if (status == KILN_OK) {
        status = data_open(words[1], &split, &c->data, error);
    }
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
        status = judge_open(&c->scorer, c->far, &c->judge, error);
    }
    if (status == KILN_OK && c->strangers && c->judge.people == NULL) {
        status = kiln_fail(error, KILN_ERROR_ARGUMENT,
                           "--strangers: %s knows no people (kiln train --people makes a plan that "
                           "does)",
                           words[0]);
    }
    if (status == KILN_OK) {
        status = find_names(c, error);
    }
    if (status == KILN_OK) {
        status = match_classes(c, error);
    }
    if (status == KILN_OK) {
        status = metrics_create(c->classes, &c->results, error);
    }
    return status == KILN_OK ? score_items(c, &source, error) : status;
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
        if (c->strangers) {
            printf("\"open_set\": ");
            open_set_json(&c->open_set, stdout);
            printf(", ");
        }
        metrics_json(&c->results, names, stdout);
        printf("}\n");
        return;
    }
    for (size_t k = 0; k < c->data.skipped_count; k++) {
        text_print(stderr, "kiln: skipped: %s\n", c->data.skipped[k].text);
    }
    metrics_print(&c->results, names, stdout);
    if (c->strangers) {
        open_set_print(&c->open_set, stdout);
    }
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
    {.kind = OPTION_SET,
     .name = "strangers",
     .place = AT(strangers),
     .help = "folders that are no labels are strangers: how many of them pass, and how many people "
             "are named then"},
    FAR_ROW(AT(far)),
    {.kind = OPTION_TEXT,
     .name = "report",
     .value = "FILE.html",
     .place = AT(report),
     .help = "with --strangers: a page with the curve of both"},
    DETECTOR_ROW(AT(options.subjects.detector)),
    FACES_ROW(AT(options.subjects.faces), "largest"),
    PRESET_ROW(AT(options.preset)),
    {.kind = OPTION_SET,
     .name = "strict",
     .place = AT(strict),
     .help = "a file that is no picture is an error, not skipped"},
    THREADS_ROW(AT(options.threads)),
    PREPACKED_ROWS(AT(options.prepacked)),
    {.kind = OPTION_SET, .name = "json", .place = AT(json), .help = "the result as JSON"},
    OPTIONS_END,
};

static int run(const command *self, int argc, char **argv) {
    evaluate_call c = {.options = {.threads = 1, .prepacked = PACKED_IN_CACHE}};
    kiln_error error = {0};
    int status = options_read(self, &c, &argc, &argv);
    if (status == OPTIONS_READ && argc != 2) {
        status = usage(self, "expected a plan and data");
    } else if (status == OPTIONS_READ && c.report != NULL && !c.strangers) {
        status = usage(self, "--report needs --strangers");
    } else if (status == OPTIONS_READ) {
        status = evaluate(&c, argv, &error) == KILN_OK ? 0 : fail(&error);
        if (status == 0) {
            open_set_settle(&c.open_set);
            print_result(&c);
        }
        if (status == 0 && c.report != NULL &&
            open_set_write(&c.open_set, argv[1], c.report, &error) != KILN_OK) {
            status = fail(&error);
        }
    }
    scorer_free_names(c.names, c.classes);
    open_set_free(&c.open_set);
    judge_close(&c.judge);
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
        "or a .npy array. With --strangers, of a plan that knows people: how many strangers are "
        "taken for somebody (FPIR) and how many pictures of people are not named (FNIR), at the "
        "plan's threshold and at others.",
    .examples = "kiln evaluate faces.plan test/\n"
                "kiln evaluate faces.plan test/ --strangers --far 0.01 --report strangers.html",
    .options = rows,
    .opens_plan = true,
    .run = run};
