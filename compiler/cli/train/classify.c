/* kiln classify: who is on the picture. */
#include "compiler/cli/cli.h"
#include "compiler/cli/train/metrics.h"
#include "compiler/cli/train/scorer.h"

#include <stdlib.h>

typedef struct classify_call {
    scorer_options options;
    double reject;
    uint32_t top;
    bool json;
    scorer scorer;
    char **names;
    float *scores;
    size_t unread; /* pictures without an answer */
} classify_call;

static void print_answer(const classify_call *c, const char *picture) {
    size_t count = c->scorer.count, best = metrics_best(c->scores, count);
    bool unknown = (double)c->scores[best] < c->reject;
    if (c->json) {
        printf("{\"image\": ");
        json_string(stdout, picture);
        printf(", \"label\": ");
        json_string(stdout, unknown ? "unknown" : c->names[best]);
        printf(", \"probability\": ");
        json_number(stdout, (double)c->scores[best]);
        printf(", \"top\": [");
    } else {
        text_print(stdout, "%s: %s (%.4f)", picture, unknown ? "unknown" : c->names[best],
                   (double)c->scores[best]);
    }
    /* The next best: each time the largest that has not been told. */
    float *left = c->scores;
    for (size_t k = 0; k < c->top && k < count; k++) {
        size_t next = metrics_best(left, count);
        if (c->json) {
            printf("%s{\"label\": ", k > 0 ? ", " : "");
            json_string(stdout, c->names[next]);
            printf(", \"probability\": ");
            json_number(stdout, (double)left[next]);
            putchar('}');
        } else if (k > 0 || unknown) {
            text_print(stdout, ", %s (%.4f)", c->names[next], (double)left[next]);
        }
        left[next] = -1;
    }
    printf(c->json ? "]}" : "\n");
}

static void print_failure(classify_call *c, const char *picture, const kiln_error *why) {
    c->unread++;
    (void)fail(why);
    if (c->json) {
        printf("{\"image\": ");
        json_string(stdout, picture);
        printf(", \"error\": ");
        json_string(stdout, why->message);
        putchar('}');
    }
}

static void answer(classify_call *c, char **pictures, size_t count) {
    for (size_t k = 0; k < count; k++) {
        kiln_error problem = {0};
        if (c->json) {
            printf(k > 0 ? ",\n " : "[");
        }
        if (scorer_run(&c->scorer, pictures[k], c->scores, &problem) == KILN_OK) {
            print_answer(c, pictures[k]);
        } else {
            print_failure(c, pictures[k], &problem);
        }
    }
    if (c->json) {
        printf("]\n");
    }
}

static kiln_status classify(classify_call *c, char **words, int count, kiln_error *error) {
    kiln_status status = scorer_open(words[0], &c->options, &c->scorer, error);
    if (status == KILN_OK) {
        status = scorer_names(&c->scorer, &c->names, error);
    }
    if (status == KILN_OK) {
        c->scores = malloc((c->scorer.count + 1) * sizeof *c->scores);
        status = c->scores != NULL ? KILN_OK : kiln_fail(error, KILN_ERROR_MEMORY, "out of memory");
    }
    if (status == KILN_OK) {
        answer(c, words + 1, (size_t)count - 1);
    }
    return status;
}

#define AT(member) offsetof(classify_call, member)

static const option_row rows[] = {
    {.kind = OPTION_REAL,
     .name = "reject",
     .value = "P",
     .place = AT(reject),
     .low = 0,
     .high = 1,
     .expected = "a probability from 0 to 1",
     .help = "answer \"unknown\" where the probability is below P (0 to 1)"},
    {.kind = OPTION_NUMBER,
     .name = "top",
     .value = "K",
     .place = AT(top),
     .low = 1,
     .high = 100000,
     .help = "also the next best classes (default 1)"},
    PRESET_ROW(AT(options.preset)),
    THREADS_ROW(AT(options.threads)),
    PREPACKED_ROW(AT(options.prepacked)),
    {.kind = OPTION_SET, .name = "json", .place = AT(json), .help = "the answers as JSON"},
    OPTIONS_END,
};

static int run(const command *self, int argc, char **argv) {
    classify_call c = {.options = {.threads = 1}, .top = 1};
    kiln_error error = {0};
    int status = options_read(self, &c, &argc, &argv);
    if (status == OPTIONS_READ && argc < 2) {
        status = usage(self, "expected a plan and pictures");
    } else if (status == OPTIONS_READ) {
        status = classify(&c, argv, argc, &error) == KILN_OK ? 0 : fail(&error);
        status = c.unread > 0 ? EXIT_FAILED : status;
    }
    scorer_free_names(c.names, c.scorer.count);
    scorer_close(&c.scorer);
    free(c.scores);
    return status;
}

const command command_classify = {
    .name = "classify",
    .summary = "tell what is on pictures",
    .order = 230,
    .synopsis = "PLAN PICTURE... [options]",
    .about =
        "Tells the class of each picture and how probable it is, by a plan that kiln train "
        "made (or any classifier). Probabilities of trained plans are calibrated on validation "
        "pictures: of answers that say 0.8, about 8 of 10 should be right.",
    .notes = "A file that cannot be read is told and passed over; the exit status is then 1.",
    .examples = "kiln classify faces.plan party/*.jpg --reject 0.6",
    .options = rows,
    .opens_plan = true,
    .run = run};
