/* kiln classify: who is on the picture. */
#include "compiler/cli/train/classify.h"
#include "compiler/cli/cli.h"
#include "compiler/cli/faces/answer.h"
#include "compiler/cli/faces/draw.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- All subjects of a picture --------------------------------------------------------------- */

static void print(void *context, const answers *to, const scored_picture *p, size_t subject,
                  const uint64_t *row) {
    const classify_call *c = context;
    classify_print(c, to, p, subject);
    if (row != NULL) {
        fprintf(to->out, ", \"row\": %" PRIu64, *row);
    }
}

/* The picture with everybody's box and name; the first subject, which is the largest, on top. */
static kiln_status draw(void *context, scored_picture *p, kiln_error *why) {
    const classify_call *c = context;
    for (size_t k = p->count; k-- > 0;) {
        const char *name = classify_name(c, p, k);
        draw_face(&p->picture, &p->subjects[k].face, name != NULL ? name : UNKNOWN);
    }
    return picture_write(&p->picture, c->drawing, why);
}

static kiln_status check_drawing(const classify_call *c, const char *plan, kiln_error *error) {
    const path_list *pictures = &c->sweep.pictures;
    if (c->drawing == NULL) {
        return KILN_OK;
    }
    if (pictures->count != 1) {
        return kiln_fail(error, KILN_ERROR_ARGUMENT, "--draw is for one picture; there are %zu",
                         pictures->count);
    }
    const char *inputs[] = {plan, c->options.scorer.subjects.detector, pictures->paths[0]};
    return check_outputs(&c->drawing, 1, inputs, 3, error);
}

/* What they are, and whether there are some where they are asked for. */
static kiln_status check_probabilities(classify_call *c, const char *plan, kiln_error *error) {
    const scoring_worker *w = &c->scoring.workers[0];
    c->probable = scorer_gives_probabilities(&w->scorer);
    c->measure = c->probable ? PROBABILITY : CLASS_SCORE;
    if (c->reject == 0) {
        return KILN_OK;
    }
    if (w->judge.people != NULL && !kiln_people_all_in_head(w->judge.people)) {
        return kiln_fail(error, KILN_ERROR_ARGUMENT,
                         "--reject: the head of %s does not have all of its people (see kiln "
                         "enrol), so that it gives no probabilities; --far tells strangers apart",
                         plan);
    }
    return c->probable
               ? KILN_OK
               : kiln_fail(error, KILN_ERROR_ARGUMENT,
                           "--reject: %s gives scores, no probabilities: its network does not "
                           "end in a softmax or a sigmoid",
                           plan);
}

static kiln_status open_classifier(classify_call *c, char **words, int count, kiln_error *error) {
    const scorer *s = NULL;
    kiln_status status = sweep_find(&c->sweep, words + 1, (size_t)count - 1, error);
    if (status == KILN_OK) {
        status = check_drawing(c, words[0], error);
    }
    if (status == KILN_OK) {
        c->options.keep_pictures = c->drawing != NULL;
        c->options.ranked = c->top;
        c->options.contents = c->sweep.folder != NULL;
        status =
            scoring_open(words[0], &c->options, sweep_most_pictures(&c->sweep), &c->scoring, error);
    }
    if (status != KILN_OK) {
        return status;
    }
    s = &c->scoring.workers[0].scorer;
    c->people = c->scoring.workers[0].judge.people;
    c->classes = s->count;
    c->left = malloc((c->classes + 1) * sizeof *c->left);
    if (c->left == NULL) {
        return kiln_fail(error, KILN_ERROR_MEMORY, "out of memory");
    }
    if (c->drawing != NULL && !subjects_are_faces(&s->subjects)) {
        return kiln_fail(error, KILN_ERROR_ARGUMENT, "--draw is for faces: give --detector FILE");
    }
    status = scorer_check_classifier(s, words[0], error);
    if (status == KILN_OK) {
        status = check_probabilities(c, words[0], error);
    }
    return status == KILN_OK ? scorer_names(s, &c->names, error) : status;
}

static kiln_status write_parts(classify_call *c, kiln_error *error) {
    char settings[160];
    snprintf(settings, sizeof settings, "faces=%s top=%" PRIu32 " reject=%.9g far=%.9g",
             face_choice_word(subjects_choice(&c->options.scorer.subjects)), c->top, c->reject,
             c->options.far);
    return sweep_write_parts(&c->sweep, &c->scoring, settings, error);
}

static kiln_status classify(classify_call *c, char **words, int count, kiln_error *error) {
    kiln_status status = open_classifier(c, words, count, error);
    if (status != KILN_OK) {
        return status;
    }
    bool faces = subjects_are_faces(&c->scoring.workers[0].scorer.subjects);
    const char *header = c->people != NULL
                             ? SUBJECT_COLUMNS(faces, "label,probability,similarity,asked")
                         : c->probable ? SUBJECT_COLUMNS(faces, "label," PROBABILITY)
                                       : SUBJECT_COLUMNS(faces, "label," CLASS_SCORE);
    status = c->sweep.folder != NULL
                 ? write_parts(c, error)
                 : sweep_answer(&c->sweep, &c->scoring, stdout, c->format, header, NULL, error);
    /* Of no answers there is nothing to be told. */
    if (status == KILN_OK && c->people != NULL && c->format == ANSWERS_TEXT &&
        c->sweep.answered > 0) {
        judge_print(&c->scoring.workers[0].judge, stderr);
    }
    return status;
}

#define AT(member) offsetof(classify_call, member)

static const option_row rows[] = {
    FAR_ROW(AT(options.far)),
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
     .help = "also the next best: classes, or the people most like the face (default 1)"},
    DETECTOR_ROW(AT(options.scorer.subjects.detector)),
    FACES_ROW(AT(options.scorer.subjects.faces), "all"),
    {.kind = OPTION_TEXT,
     .name = "draw",
     .value = "FILE.png",
     .place = AT(drawing),
     .help = "the picture with everybody's box and name, as PNG"},
    PRESET_ROW(AT(options.scorer.preset)),
    SCORING_THREADS_ROW(AT(options.scorer.threads)),
    PREPACKED_ROWS(AT(options.scorer.prepacked)),
    LIST_ROW(AT(sweep.list)),
    {.kind = OPTION_TEXT,
     .letter = 'o',
     .name = "output",
     .value = "DIR",
     .place = AT(sweep.folder),
     .help = "a folder of parts, for many pictures, instead of standard output"},
    SHARD_ROW(AT(sweep.shards)),
    MAX_ERRORS_ROW(AT(sweep.max_errors)),
    STREAM_ROW(AT(sweep.stream)),
    FORMAT_ROW(AT(format)),
    JSON_ROW(AT(format)),
    OPTIONS_END,
};

static int settle(const command *self, classify_call *c, int words) {
    sweep *s = &c->sweep;
    if (c->drawing != NULL) {
        if (s->stream || s->folder != NULL) {
            return usage(self, "--draw is for one picture: neither --stream nor parts");
        }
        s->look = draw;
    }
    if (s->stream || s->folder != NULL) {
        if (c->format != ANSWERS_TEXT && c->format != ANSWERS_JSONL) {
            return usage(self, "--stream and parts are lines of JSON: --format jsonl");
        }
        c->format = ANSWERS_JSONL;
    }
    return sweep_check(self, s, words);
}

static int run(const command *self, int argc, char **argv) {
    classify_call c = {.options = {.scorer = {.subjects.faces = FACES_ALL,
                                              .threads = 1,
                                              .prepacked = PACKED_IN_CACHE},
                                   .judged = true},
                       .sweep = {.command = "classify", .print = print},
                       .top = 1};
    kiln_error error = {0};
    int status = options_read(self, &c, &argc, &argv);
    c.sweep.context = &c;
    if (status == OPTIONS_READ && argc < 1) {
        status = usage(self, "expected a plan");
    } else if (status == OPTIONS_READ) {
        status = settle(self, &c, argc - 1);
    }
    if (status == OPTIONS_READ) {
        status = sweep_exit(&c.sweep, classify(&c, argv, argc, &error), &error);
    }
    scorer_free_names(c.names, c.classes);
    scoring_close(&c.scoring);
    sweep_free(&c.sweep);
    free(c.left);
    return status;
}

const command command_classify = {
    .name = "classify",
    .summary = "tell what is on pictures",
    .order = 230,
    .synopsis = "PLAN PICTURE|FOLDER... [options]\n"
                "PLAN --list FILE [options]\n"
                "PLAN --list FILE --shard I/N -o DIR [options]\n"
                "PLAN --stream [options]",
    .about =
        "Tells the class of each picture and how probable it is, by a plan that kiln train "
        "made (or any classifier). Probabilities of trained plans are calibrated on validation "
        "pictures: of answers that say 0.8, about 8 of 10 should be right. With --detector, or "
        "by a plan that holds its detector (kiln train --bundle), every face in a picture is "
        "told, with its box: width x height + left + top.\n"
        "\n"
        "A plan that knows people (kiln train makes one of a network for faces) tells strangers "
        "apart: who is not similar enough to anybody is \"unknown\", and how similar that has to "
        "be follows from the rate of strangers who may pass (--far), by similarities of people "
        "to others. The probability is one among the people of the plan's head: once somebody "
        "has been enrolled whom the head does not have (any head but a cosine one), similarity "
        "alone is told, of everybody.\n"
        "\n"
        "A network that does not end in a softmax or a sigmoid gives scores (logits, as in ONNX "
        "Runtime), which are told as they are, and called scores.",
    .notes =
        "A folder stands for the pictures in it and below. A picture that cannot be read is told "
        "and passed over; the exit status is then 1 (but see --max-errors).\n"
        "\n" PARTS_NOTES,
    .examples = "kiln classify faces.plan party/ --detector yunet.onnx --format csv\n"
                "kiln classify faces.plan --list all.txt --shard 17/64 --prepacked -o parts\n"
                "find party -type f | kiln classify faces.plan --stream >who.jsonl",
    .options = rows,
    .opens_plan = true,
    .run = run};
