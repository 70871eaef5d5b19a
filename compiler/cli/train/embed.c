/* kiln embed and kiln compare: pictures as rows of numbers, and how alike two are. */
#include "compiler/cli/cli.h"
#include "compiler/cli/train/data.h"
#include "compiler/cli/train/scorer.h"

#include <getopt.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static const char embed_help[] =
    "usage: kiln embed PLAN IMAGE... -o FILE.npy [options]\n\n"
    "Writes what the network computes of each picture before its final dense layers: a row of\n"
    "features a picture (for a face network without such layers: its embedding).\n\n"
    "  -o, --output FILE   the array, [pictures, features] of float32\n"
    "  --cut LAYER         another layer (kiln inspect lists them)\n"
    "  --normalize         rows of length 1\n"
    "  --preprocess PRESET imagenet, caffe, tf or none, instead of what the plan says\n"
    "  --threads N         compute threads (default 1)\n\n"
    "Example: kiln embed mobilefacenet.plan a.jpg b.jpg --normalize -o faces.npy\n";

static const char compare_help[] =
    "usage: kiln compare PLAN A.jpg B.jpg [options]\n\n"
    "Tells how alike two pictures are (cosine similarity of their features, -1 to 1), and whether\n"
    "they show the same class at a threshold: the one that kiln train chose on validation "
    "pictures,\n"
    "one that is chosen on data here, or yours. Exit status 0 either way.\n\n"
    "  --threshold T       same from T on\n"
    "  --data DIR          choose the threshold on pictures in a sub-folder for each class\n"
    "  --cut LAYER         features of another layer\n"
    "  --preprocess PRESET imagenet, caffe, tf or none, instead of what the plan says\n"
    "  --threads N         compute threads (default 1)\n"
    "  --json              the answer as JSON\n\n"
    "Example: kiln compare mobilefacenet.plan passport.jpg visitor.jpg --data people/\n";

typedef struct embed_call {
    const command *own;
    scorer_options options;
    const char *output, *data;
    double threshold;
    bool has_threshold, normalize, json;
    scorer scorer;
} embed_call;

static kiln_status open_scorer(embed_call *c, const char *path, kiln_error *error) {
    c->options.features = true;
    return scorer_open(path, &c->options, &c->scorer, error);
}

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

static kiln_status embed(embed_call *c, char **words, int count, kiln_error *error) {
    kiln_status status =
        check_outputs(&c->output, 1, (const char *const *)words, (size_t)count, error);
    if (status == KILN_OK) {
        status = open_scorer(c, words[0], error);
    }
    size_t pictures = (size_t)count - 1, size = c->scorer.count;
    float *rows = status == KILN_OK ? malloc(pictures * size * sizeof *rows + 1) : NULL;
    if (status == KILN_OK && rows == NULL) {
        status = kiln_fail(error, KILN_ERROR_MEMORY, "out of memory");
    }
    for (size_t k = 0; k < pictures && status == KILN_OK; k++) {
        status = scorer_run(&c->scorer, words[k + 1], rows + k * size, error);
        if (status == KILN_OK && c->normalize) {
            to_length_one(rows + k * size, size);
        }
        progress_show("embedding", k + 1, pictures);
    }
    progress_clear();
    if (status == KILN_OK) {
        kiln_value value = {.name = "features",
                            .dtype = KILN_F32,
                            .rank = 2,
                            .dims = {(uint32_t)pictures, (uint32_t)size},
                            .data = rows};
        status = kiln_value_save_npy(&value, c->output, error);
    }
    free(rows);
    return status;
}

/* ---- Comparing ----------------------------------------------------------------------------- */

static kiln_status threshold_of_data(embed_call *c, kiln_error *error) {
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
    for (size_t k = 0; k < data.count && status == KILN_OK; k++) {
        labels[k] = data.items[k].label;
        status = data.items[k].path != NULL
                     ? scorer_run(&c->scorer, data.items[k].path, rows + k * size, error)
                     : kiln_fail(error, KILN_ERROR_ARGUMENT, "--data takes a folder of pictures");
        progress_show("embedding", k + 1, data.count);
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
    free(rows);
    free(labels);
    data_free(&data);
    return status;
}

static kiln_status find_threshold(embed_call *c, kiln_error *error) {
    const char *stored = kiln_plan_metadata(c->scorer.plan, "same_threshold");
    if (c->has_threshold) {
        return KILN_OK;
    }
    if (c->data != NULL) {
        return threshold_of_data(c, error);
    }
    c->has_threshold = stored != NULL && parse_real(stored, &c->threshold);
    return KILN_OK;
}

static kiln_status compare(embed_call *c, char **words, int count, kiln_error *error) {
    (void)count;
    kiln_status status = open_scorer(c, words[0], error);
    size_t size = c->scorer.count;
    float *rows = status == KILN_OK ? malloc(2 * size * sizeof *rows + 1) : NULL;
    if (status == KILN_OK && rows == NULL) {
        status = kiln_fail(error, KILN_ERROR_MEMORY, "out of memory");
    }
    for (size_t k = 0; k < 2 && status == KILN_OK; k++) {
        status = scorer_run(&c->scorer, words[k + 1], rows + k * size, error);
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

/* ---- Options ------------------------------------------------------------------------------- */

enum {
    OPT_CUT = 256,
    OPT_NORMALIZE,
    OPT_PREPROCESS,
    OPT_THREADS,
    OPT_THRESHOLD,
    OPT_DATA,
    OPT_JSON
};

static int take_option(embed_call *c, int option, const char *value, char **argv) {
    unsigned long threads;
    switch (option) {
    case 'o':
        c->output = value;
        return 0;
    case OPT_CUT:
        c->options.cut = value;
        return 0;
    case OPT_NORMALIZE:
        c->normalize = true;
        return 0;
    case OPT_PREPROCESS:
        c->options.preset = value;
        return 0;
    case OPT_DATA:
        c->data = value;
        return 0;
    case OPT_JSON:
        c->json = true;
        return 0;
    case OPT_THRESHOLD:
        c->has_threshold = true;
        return parse_real(value, &c->threshold) && c->threshold >= -1 && c->threshold <= 1
                   ? 0
                   : usage(c->own, "--threshold %s: a similarity from -1 to 1", value);
    case OPT_THREADS:
        if (!parse_number(value, 1, 256, &threads)) {
            return usage(c->own, "--threads %s: a number from 1 to 256", value);
        }
        c->options.threads = (uint32_t)threads;
        return 0;
    default:
        return usage_of_option(c->own, option, argv);
    }
}

static int read_and_run(embed_call *c, int argc, char **argv, const struct option *long_options,
                        bool two, kiln_status (*work)(embed_call *, char **, int, kiln_error *)) {
    kiln_error error = {0};
    int status = 0, option;
    while (status == 0 &&
           (option = getopt_long(argc, argv, two ? ":h" : ":ho:", long_options, NULL)) != -1) {
        if (option == 'h') {
            return show_help(c->own);
        }
        status = take_option(c, option, optarg, argv);
    }
    int words = argc - optind;
    if (status == 0 && (two ? words != 3 : words < 2 || c->output == NULL)) {
        status = usage(c->own, two ? "expected a plan and two pictures"
                                   : "expected a plan, pictures and -o FILE.npy");
    }
    if (status == 0) {
        status = work(c, argv + optind, words, &error) == KILN_OK ? 0 : fail(&error);
    }
    scorer_close(&c->scorer);
    return status;
}

static int run_embed(int argc, char **argv) {
    static const struct option long_options[] = {
        {"output", required_argument, NULL, 'o'},
        {"cut", required_argument, NULL, OPT_CUT},
        {"normalize", no_argument, NULL, OPT_NORMALIZE},
        {"preprocess", required_argument, NULL, OPT_PREPROCESS},
        {"threads", required_argument, NULL, OPT_THREADS},
        {"help", no_argument, NULL, 'h'},
        {0}};
    embed_call c = {.own = &command_embed, .options = {.threads = 1}};
    return read_and_run(&c, argc, argv, long_options, false, embed);
}

static int run_compare(int argc, char **argv) {
    static const struct option long_options[] = {
        {"threshold", required_argument, NULL, OPT_THRESHOLD},
        {"data", required_argument, NULL, OPT_DATA},
        {"cut", required_argument, NULL, OPT_CUT},
        {"preprocess", required_argument, NULL, OPT_PREPROCESS},
        {"threads", required_argument, NULL, OPT_THREADS},
        {"json", no_argument, NULL, OPT_JSON},
        {"help", no_argument, NULL, 'h'},
        {0}};
    embed_call c = {.own = &command_compare, .options = {.threads = 1}};
    return read_and_run(&c, argc, argv, long_options, true, compare);
}

const command command_embed = {"embed", "features of pictures, to an array", embed_help, run_embed,
                               true};
const command command_compare = {"compare", "how alike two pictures are", compare_help, run_compare,
                                 true};
