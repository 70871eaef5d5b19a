/* kiln classify: who is on the picture. */
#include "compiler/cli/cli.h"
#include "compiler/cli/train/metrics.h"
#include "compiler/cli/train/scorer.h"

#include <getopt.h>
#include <stdlib.h>

static const char help_text[] =
    "usage: kiln classify PLAN IMAGE... [options]\n\n"
    "Tells the class of each picture and how probable it is, by a plan that kiln train made (or "
    "any\n"
    "classifier). Probabilities of trained plans are calibrated on validation pictures: of "
    "answers\n"
    "that say 0.8, about 8 of 10 should be right.\n\n"
    "  --reject P          answer \"unknown\" where the probability is below P (0 to 1)\n"
    "  --top K             also the next best classes (default 1)\n"
    "  --preprocess PRESET imagenet, caffe, tf or none, instead of what the plan says\n"
    "  --threads N         compute threads (default 1)\n"
    "  --prepacked         keep packed weights in PLAN.packed: the next start is faster\n"
    "  --json              the answers as JSON\n\n"
    "A file that cannot be read is told and passed over; the exit status is then 1.\n\n"
    "Example: kiln classify faces.plan party/*.jpg --reject 0.6\n";

typedef struct classify_call {
    scorer_options options;
    double reject;
    unsigned long top;
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
    for (unsigned long k = 0; k < c->top && k < count; k++) {
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

enum { OPT_REJECT = 256, OPT_TOP, OPT_PREPROCESS, OPT_THREADS, OPT_PREPACKED, OPT_JSON };

static int take_option(classify_call *c, int option, const char *value, char **argv) {
    unsigned long threads;
    switch (option) {
    case OPT_REJECT:
        return parse_real(value, &c->reject) && c->reject >= 0 && c->reject <= 1
                   ? 0
                   : usage(&command_classify, "--reject %s: a probability from 0 to 1", value);
    case OPT_TOP:
        return parse_number(value, 1, 100000, &c->top)
                   ? 0
                   : usage(&command_classify, "--top %s: a number from 1 on", value);
    case OPT_PREPROCESS:
        c->options.preset = value;
        return 0;
    case OPT_THREADS:
        if (!parse_number(value, 1, 256, &threads)) {
            return usage(&command_classify, "--threads %s: a number from 1 to 256", value);
        }
        c->options.threads = (uint32_t)threads;
        return 0;
    case OPT_PREPACKED:
        c->options.prepacked = true;
        return 0;
    case OPT_JSON:
        c->json = true;
        return 0;
    default:
        return usage_of_option(&command_classify, option, argv);
    }
}

static int run(int argc, char **argv) {
    static const struct option long_options[] = {
        {"reject", required_argument, NULL, OPT_REJECT},
        {"top", required_argument, NULL, OPT_TOP},
        {"preprocess", required_argument, NULL, OPT_PREPROCESS},
        {"threads", required_argument, NULL, OPT_THREADS},
        {"prepacked", no_argument, NULL, OPT_PREPACKED},
        {"json", no_argument, NULL, OPT_JSON},
        {"help", no_argument, NULL, 'h'},
        {0}};
    classify_call c = {.options = {.threads = 1}, .top = 1};
    kiln_error error = {0};
    int status = 0, option;
    while (status == 0 && (option = getopt_long(argc, argv, ":h", long_options, NULL)) != -1) {
        if (option == 'h') {
            return show_help(&command_classify);
        }
        status = take_option(&c, option, optarg, argv);
    }
    if (status == 0 && argc - optind < 2) {
        status = usage(&command_classify, "expected a plan and pictures");
    }
    if (status == 0) {
        status = classify(&c, argv + optind, argc - optind, &error) == KILN_OK ? 0 : fail(&error);
        status = c.unread > 0 ? EXIT_FAILED : status;
    }
    scorer_free_names(c.names, c.scorer.count);
    scorer_close(&c.scorer);
    free(c.scores);
    return status;
}

const command command_classify = {"classify", "tell what is on pictures", help_text, run, true};
