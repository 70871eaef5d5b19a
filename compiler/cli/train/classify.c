/* kiln classify: who is on the picture. */
#include "compiler/cli/answers.h"
#include "compiler/cli/cli.h"
#include "compiler/cli/faces/answer.h"
#include "compiler/cli/faces/draw.h"
#include "compiler/cli/paths.h"
#include "compiler/cli/people/judge.h"
#include "compiler/cli/train/metrics.h"
#include "compiler/cli/train/scorer.h"

#include <math.h>
#include <stdlib.h>

typedef struct classify_call {
    scorer_options options;
    const char *list, *drawing;
    answer_format format;
    double reject, far;
    uint32_t top;
    path_list pictures;
    scorer scorer;
    judge judge; /* of plans that know people */
    answers answers;
    char **names;
    float *rows;       /* scores of each of a picture's subjects */
    verdict *verdicts; /* who they are, where the plan knows people */
    size_t unread;     /* pictures without an answer */
} classify_call;

/* The name of who is nobody known. */
static const char UNKNOWN[] = "unknown";

/* ---- The class of one subject ---------------------------------------------------------------- */

static void print_class(const classify_call *c, const char *name, float probability, bool first) {
    FILE *out = c->answers.out;
    if (answers_are_objects(&c->answers)) {
        fprintf(out, "%s{\"label\": ", first ? "" : ", ");
        json_string(out, name);
        fprintf(out, ", \"probability\": ");
        json_number(out, (double)probability);
        fputc('}', out);
    } else {
        text_print(out, "%s%s (%.4f)", first ? "" : ", ", name, (double)probability);
    }
}

/* The next best: each time the largest that has not been told. */
static void print_top(const classify_call *c, float *left, bool after_best) {
    for (size_t k = 0; k < c->top && k < c->scorer.count; k++) {
        size_t next = metrics_best(left, c->scorer.count);
        if (k > 0 || !after_best) {
            print_class(c, c->names[next], left[next], k == 0 && !after_best);
        }
        left[next] = -1;
    }
}

/* Of a subject that has been scored. */
static const char *name_of(const classify_call *c, size_t which) {
    if (c->judge.people != NULL) {
        const verdict *v = &c->verdicts[which];
        bool known = v->known && !((double)v->probability < c->reject);
        return known ? kiln_people_name(c->judge.people, v->person) : NULL;
    }
    const float *scores = c->rows + which * c->scorer.count;
    size_t best = metrics_best(scores, c->scorer.count);
    return (double)scores[best] < c->reject ? NULL : c->names[best];
}

static void print_answer(const classify_call *c, size_t which) {
    FILE *out = c->answers.out;
    float *scores = c->rows + which * c->scorer.count;
    float probability = scores[metrics_best(scores, c->scorer.count)];
    const char *known = name_of(c, which), *name = known != NULL ? known : UNKNOWN;
    bool unknown = known == NULL;
    if (answers_are_objects(&c->answers)) {
        fprintf(out, "\"label\": ");
        json_string(out, name);
        fprintf(out, ", \"probability\": ");
        json_number(out, (double)probability);
        fprintf(out, ", \"top\": [");
        print_top(c, scores, false);
        fputc(']', out);
    } else if (c->format == ANSWERS_CSV) {
        csv_string(out, name);
        fprintf(out, ",%.6g", (double)probability);
    } else {
        print_class(c, name, probability, true);
        fputs(unknown ? ", " : "", out);
        print_top(c, scores, !unknown);
    }
}

/* ---- The name of one subject ----------------------------------------------------------------- */

static void print_person(const classify_call *c, size_t which) {
    FILE *out = c->answers.out;
    const verdict *v = &c->verdicts[which];
    float *scores = c->rows + which * c->scorer.count;
    const char *nearest = kiln_people_name(c->judge.people, v->person);
    bool known = name_of(c, which) != NULL;
    const char *name = known ? nearest : UNKNOWN;
    char probability[16] = ""; /* of those who have no row in the head there is none */
    if (!isnan(v->probability)) {
        snprintf(probability, sizeof probability, "%.4f", (double)v->probability);
    }
    if (answers_are_objects(&c->answers)) {
        fprintf(out, "\"label\": ");
        json_string(out, name);
        fprintf(out, ", \"probability\": ");
        json_number(out, (double)v->probability);
        fprintf(out, ", \"known\": %s, \"nearest\": ", known ? "true" : "false");
        json_string(out, nearest);
        fprintf(out, ", \"similarity\": ");
        json_number(out, (double)v->similarity);
        fprintf(out, ", \"asked\": ");
        json_number(out, (double)v->asked);
        fprintf(out, ", \"far\": ");
        json_number(out, c->judge.threshold.rate);
        fprintf(out, ", \"top\": [");
        print_top(c, scores, false);
        fputc(']', out);
    } else if (c->format == ANSWERS_CSV) {
        csv_string(out, name);
        fprintf(out, ",%s,%.6g,%.6g", probability, (double)v->similarity, (double)v->asked);
    } else if (known) {
        text_print(out, "%s (%s%ssimilarity %.2f)", name, probability, *probability ? ", " : "",
                   (double)v->similarity);
        print_top(c, scores, true);
    } else {
        bool close = v->asked - v->similarity < 0.01f; /* two digits could be the same */
        text_print(out, "unknown (nearest: %s, %.*f where %.*f is asked)", nearest, close ? 4 : 2,
                   (double)v->similarity, close ? 4 : 2, (double)v->asked);
        if (c->top > 1) {
            fputs(", ", out);
            print_top(c, scores, false);
        }
    }
}

/* ---- All subjects of a picture --------------------------------------------------------------- */

static void print_failure(classify_call *c, const char *path, const kiln_error *why) {
    c->unread++;
    (void)fail(why);
    subject_answer_failure(&c->answers, path, why->message);
}

/* The scores of all subjects, each in a row, before anything is told. */
static kiln_status score(classify_call *c, const rgb_picture *picture, kiln_error *error) {
    const subject_finder *f = &c->scorer.finder;
    size_t classes = c->scorer.count;
    float *rows = realloc(c->rows, (f->count * classes + 1) * sizeof *rows);
    if (rows == NULL) {
        return kiln_fail(error, KILN_ERROR_MEMORY, "out of memory");
    }
    c->rows = rows;
    verdict *verdicts = realloc(c->verdicts, (f->count + 1) * sizeof *verdicts);
    if (verdicts == NULL) {
        return kiln_fail(error, KILN_ERROR_MEMORY, "out of memory");
    }
    c->verdicts = verdicts;
    kiln_status status = KILN_OK;
    for (size_t k = 0; k < f->count && status == KILN_OK; k++) {
        float *scores = rows + k * classes;
        status = scorer_run(&c->scorer, picture, &f->subjects[k], scores, error);
        if (status == KILN_OK && c->judge.people != NULL) {
            status = judge_decide(&c->judge, scores, &verdicts[k], error);
        }
    }
    return status;
}

/* The picture with everybody's box and name; the first subject, which is the largest, on top. */
static kiln_status draw(const classify_call *c, rgb_picture *picture, kiln_error *error) {
    const subject_finder *f = &c->scorer.finder;
    for (size_t k = f->count; k-- > 0;) {
        const char *name = name_of(c, k);
        draw_face(picture, &f->subjects[k].face, name != NULL ? name : UNKNOWN);
    }
    return picture_write(picture, c->drawing, error);
}

static kiln_status answer(classify_call *c, const char *path, kiln_error *error) {
    const subject_finder *f = &c->scorer.finder;
    rgb_picture picture = {0};
    kiln_status status = scorer_load(&c->scorer, path, &picture, error);
    if (status == KILN_OK) {
        status = score(c, &picture, error);
    }
    if (status == KILN_OK && c->drawing != NULL) {
        status = draw(c, &picture, error);
    }
    picture_free(&picture);
    if (status == KILN_OK) {
        subject_answer a = {.answers = &c->answers, .path = path, .finder = f};
        subject_answer_begin(&a);
        for (size_t k = 0; k < f->count; k++) {
            subject_answer_next(&a, &f->subjects[k]);
            if (c->judge.people != NULL) {
                print_person(c, k);
            } else {
                print_answer(c, k);
            }
            subject_answer_close(&a);
        }
        subject_answer_end(&a);
    }
    return status;
}

static kiln_status check_drawing(const classify_call *c, const char *plan, kiln_error *error) {
    const char *inputs[] = {plan, c->options.subjects.detector, c->pictures.paths[0]};
    if (c->drawing != NULL && c->pictures.count != 1) {
        return kiln_fail(error, KILN_ERROR_ARGUMENT, "--draw is for one picture; there are %zu",
                         c->pictures.count);
    }
    return check_outputs(&c->drawing, 1, inputs, 3, error);
}

static kiln_status open_classifier(classify_call *c, char **words, int count, kiln_error *error) {
    size_t passed_over;
    kiln_status status =
        paths_expand(words + 1, (size_t)count - 1, c->list, &c->pictures, &passed_over, error);
    if (status == KILN_OK) {
        status = check_drawing(c, words[0], error);
    }
    if (status == KILN_OK) {
        tell_passed_over(passed_over);
        status = scorer_open(words[0], &c->options, &c->scorer, error);
    }
    if (status == KILN_OK && c->drawing != NULL && !subjects_are_faces(&c->scorer.subjects)) {
        status = kiln_fail(error, KILN_ERROR_ARGUMENT, "--draw is for faces: give --detector FILE");
    }
    if (status == KILN_OK) {
        status = scorer_check_classifier(&c->scorer, words[0], error);
    }
    if (status == KILN_OK) {
        status = scorer_names(&c->scorer, &c->names, error);
    }
    return status == KILN_OK ? judge_open(&c->scorer, c->far, &c->judge, error) : status;
}

static kiln_status classify(classify_call *c, char **words, int count, kiln_error *error) {
    kiln_status status = open_classifier(c, words, count, error);
    if (status != KILN_OK) {
        return status;
    }
    bool faces = subjects_are_faces(&c->scorer.subjects), people = c->judge.people != NULL;
    answers_begin(&c->answers, stdout, c->format,
                  people ? SUBJECT_COLUMNS(faces, "label,probability,similarity,asked")
                         : SUBJECT_COLUMNS(faces, "label,probability"));
    for (size_t k = 0; k < c->pictures.count; k++) {
        kiln_error problem = {0};
        if (answer(c, c->pictures.paths[k], &problem) != KILN_OK) {
            print_failure(c, c->pictures.paths[k], &problem);
        }
    }
    answers_end(&c->answers);
    if (people && c->format == ANSWERS_TEXT) {
        judge_print(&c->judge, stderr);
    }
    return KILN_OK;
}

#define AT(member) offsetof(classify_call, member)

static const option_row rows[] = {
    FAR_ROW(AT(far)),
    {.kind = OPTION_REAL,
     .name = "reject",
     .value = "P",
     .place = AT(reject),
     .low = 0,
     .high = 1,
     .expected = "a probability from 0 to 1",
     .help = "answer \"unknown\" where the probability is below P (0 to 1): of doubt between "
             "classes; it tells nothing of strangers, see --far"},
    {.kind = OPTION_NUMBER,
     .name = "top",
     .value = "K",
     .place = AT(top),
     .low = 1,
     .high = 100000,
     .help = "also the next best classes (default 1)"},
    DETECTOR_ROW(AT(options.subjects.detector)),
    FACES_ROW(AT(options.subjects.faces), "all"),
    {.kind = OPTION_TEXT,
     .name = "draw",
     .value = "FILE.png",
     .place = AT(drawing),
     .help = "the picture with everybody's box and name, as PNG"},
    PRESET_ROW(AT(options.preset)),
    THREADS_ROW(AT(options.threads)),
    PREPACKED_ROW(AT(options.prepacked)),
    LIST_ROW(AT(list)),
    FORMAT_ROW(AT(format)),
    JSON_ROW(AT(format)),
    OPTIONS_END,
};

static int run(const command *self, int argc, char **argv) {
    classify_call c = {.options = {.subjects.faces = FACES_ALL, .threads = 1}, .top = 1};
    kiln_error error = {0};
    int status = options_read(self, &c, &argc, &argv);
    if (status == OPTIONS_READ && (argc < 1 || (argc < 2 && c.list == NULL))) {
        status = usage(self, "expected a plan and pictures, folders of them, or --list");
    } else if (status == OPTIONS_READ) {
        status = classify(&c, argv, argc, &error) == KILN_OK ? 0 : fail(&error);
        status = c.unread > 0 ? EXIT_FAILED : status;
    }
    scorer_free_names(c.names, c.scorer.count);
    judge_close(&c.judge);
    scorer_close(&c.scorer);
    path_list_free(&c.pictures);
    free(c.rows);
    free(c.verdicts);
    return status;
}

const command command_classify = {
    .name = "classify",
    .summary = "tell what is on pictures",
    .order = 230,
    .synopsis = "PLAN PICTURE|FOLDER... [options]\n"
                "PLAN --list FILE [options]",
    .about =
        "Tells the class of each picture and how probable it is, by a plan that kiln train "
        "made (or any classifier). Probabilities of trained plans are calibrated on validation "
        "pictures: of answers that say 0.8, about 8 of 10 should be right. With --detector, or by "
        "a "
        "plan that holds its detector (kiln train --bundle), every face in a picture is told, with "
        "its box: width x height + left + top.\n"
        "\n"
        "A plan that knows people (kiln train makes one of a network for faces) tells strangers "
        "apart: who is not similar enough to anybody is \"unknown\", and how similar that has to "
        "be "
        "follows from the rate of strangers who may pass (--far), by similarities of people to "
        "others.",
    .notes =
        "A folder stands for the pictures in it and below. A picture that cannot be read is told "
        "and passed over; the exit status is then 1.",
    .examples = "kiln classify faces.plan party/ --detector yunet.onnx --format csv",
    .options = rows,
    .opens_plan = true,
    .run = run};
