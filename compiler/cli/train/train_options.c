/* The options of `kiln train`, one table row each. */
#include "compiler/cli/train/train_options.h"
#include "compiler/cli/cli.h"
#include "compiler/cli/train/augment.h"

#include <getopt.h>
#include <math.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

const char train_help_text[] =
    "usage: kiln train BACKBONE.plan DATA -o FACES.plan [options]\n"
    "       kiln train --from-scratch --head HEAD DATA -o NET.plan [options]\n\n"
    "Replaces the last dense layers of a pretrained network by a head of your own and trains it "
    "on\n"
    "your pictures. The rest of the network is frozen and runs once a picture; what it computes "
    "is\n"
    "cached, so that the next run starts training at once. The result is an ordinary plan with "
    "your\n"
    "classes as labels: kiln classify, evaluate, inspect, bench and export take it.\n\n"
    "DATA: a folder with a sub-folder of pictures (JPEG, PNG, PGM, PPM) for each class; or an IDX "
    "file\n"
    "of images as MNIST has them; or samples-x.npy with samples-y.npy (labels) beside it: "
    "pictures\n"
    "(HxW, or with 1 or 3 channels first or last; bytes, or numbers from 0 to 1) or other "
    "numbers.\n\n"
    "Data\n"
    "  --validation FRACTION     part of each class kept for validation (default 0.2; 0: none)\n"
    "  --validation-data DIR     a second folder, all of it for validation\n"
    "  --validation-last         arrays: the last part validates, not a random one\n"
    "  --train-per-class N       N pictures of each class train, the rest validates\n"
    "  --augment KINDS           train on variants, too: flip,shift,rotate,light,noise or all\n"
    "  --variants K              how many of each picture (default 4)\n"
    "  --preprocess PRESET       imagenet, caffe, tf or none, where the plan does not say\n"
    "  --balance                 weigh rare classes more\n"
    "  --strict                  a file that is no picture is an error, not skipped\n"
    "  --cache DIR, --no-cache   where features are cached (default: your cache folder), or not\n\n"
    "Head\n"
    "  --head HEAD               layers on the frozen part, e.g. 256:relu,dropout:0.5,softmax; "
    "see\n"
    "                            below (default: softmax, a unit a class)\n"
    "  --cut LAYER               the layer that feeds the head (default: what feeds the network's\n"
    "                            own final dense layers; kiln inspect lists layers)\n"
    "  --fine-tune N             instead: keep the network's last N dense layers, train them on\n"
    "  --no-standardize          features as they are, not shifted and scaled to mean 0, variance "
    "1\n"
    "  --from-scratch            no network: the head learns from the samples' own numbers\n"
    "  --input-size WxH, --gray  from scratch: the size of pictures (default 32x32)\n\n"
    "Training\n"
    "  --loss LOSS               cross-entropy (default), mse, arcface (cosine heads)\n"
    "  --label-smoothing E       of cross-entropy     --margin M     of ArcFace (default 0.5)\n"
    "  --scale S                 of cosine heads (default: by the number of classes)\n"
    "  --optimizer NAME          adam (default), adamw, sgd, rmsprop\n"
    "  --learning-rate R         default 0.001 (sgd: 0.01)\n"
    "  --momentum M, --nesterov  of sgd               --weight-decay D  of adamw (default 0.01)\n"
    "  --schedule NAME           constant (default), step, cosine, plateau\n"
    "  --schedule-epochs N       of step and plateau (default 10), --schedule-factor F (0.1)\n"
    "  --warmup N                epochs in which the rate rises\n"
    "  --epochs N                default 100          --batch-size N    default 32\n"
    "  --patience N              stop after N epochs without a lower validation loss\n"
    "  --last-weights            end with the last weights, not the best\n"
    "  --seed N                  default 1            --threads N       default 1\n"
    "  --no-shuffle              samples in their order\n"
    "  --no-calibration          do not scale probabilities to be right as often as they say\n"
    "  --checkpoint FILE         state after each epoch (default: PLAN.checkpoint, removed at the\n"
    "                            end; --no-checkpoint: none)\n"
    "  --resume                  go on from the checkpoint of an interrupted run\n\n"
    "Output\n"
    "  -o, --output PLAN         the trained plan\n"
    "  --report FILE.html        a page: curves, confusion matrix, worst mistakes, classes\n"
    "  --history FILE.csv        loss and accuracy by epoch\n"
    "  --baseline                tell what the nearest neighbour by raw pixels gets, for "
    "comparison\n"
    "  --json                    the result as JSON   -q, --quiet       say nothing\n\n"
    "Heads: layers from input to output with commas between. UNITS:ACTIVATION is a dense layer "
    "(relu,\n"
    "tanh, sigmoid, linear); dropout:RATE stands before one; l2:FACTOR and maxnorm:LIMIT belong to "
    "the\n"
    "one before; the last is softmax, cosine (for face embeddings), or sigmoid, tanh, linear "
    "(mse).\n\n"
    "Examples:\n"
    "  kiln train mobilefacenet.plan faces/ -o faces.plan --report faces.html\n"
    "  kiln train vgg16.plan faces/ -o faces.plan --head 256:relu,dropout:0.5,softmax --augment "
    "all\n"
    "  kiln train --from-scratch --head 64:tanh,softmax t10k-images-idx3-ubyte.gz -o digits.plan "
    "\\\n"
    "      --optimizer sgd --batch-size 64 --epochs 5\n";

typedef enum option_kind {
    TEXT,   /* const char * */
    NUMBER, /* unsigned long, range; into uint32_t */
    REAL,   /* float; the library checks the range */
    SET,    /* bool = true */
    CLEAR,  /* bool = false */
    SPECIAL /* by take_special */
} option_kind;

typedef struct option_row {
    const char *name;
    option_kind kind;
    size_t place; /* in struct training */
    unsigned long low, high;
} option_row;

#define AT(member) offsetof(training, member)

enum { CHOICES_FIRST = 1000 };

static const option_row rows[] = {
    {"output", TEXT, AT(plan_path), 0, 0},
    {"report", TEXT, AT(report_path), 0, 0},
    {"history", TEXT, AT(history_path), 0, 0},
    {"checkpoint", SPECIAL, 0, 0, 0},
    {"no-checkpoint", SPECIAL, 0, 0, 0},
    {"cache", TEXT, AT(source.cache_folder), 0, 0},
    {"no-cache", CLEAR, AT(source.use_cache), 0, 0},
    {"validation", SPECIAL, 0, 0, 0},
    {"validation-data", TEXT, AT(split.validation_path), 0, 0},
    {"validation-last", SET, AT(split.last), 0, 0},
    {"train-per-class", SPECIAL, 0, 0, 0},
    {"augment", SPECIAL, 0, 0, 0},
    {"variants", NUMBER, AT(source.variants), 1, 1000},
    {"preprocess", TEXT, AT(preset), 0, 0},
    {"balance", SET, AT(options.balance_classes), 0, 0},
    {"strict", SET, AT(split.strict), 0, 0},
    {"head", TEXT, AT(head), 0, 0},
    {"cut", TEXT, AT(options.cut), 0, 0},
    {"fine-tune", NUMBER, AT(options.fine_tune), 1, KILN_MAX_HEAD_LAYERS},
    {"no-standardize", CLEAR, AT(options.standardize), 0, 0},
    {"from-scratch", SET, AT(scratch), 0, 0},
    {"input-size", SPECIAL, 0, 0, 0},
    {"gray", SET, AT(gray), 0, 0},
    {"loss", SPECIAL, 0, 0, 0},
    {"label-smoothing", REAL, AT(options.label_smoothing), 0, 0},
    {"margin", REAL, AT(options.arc_margin), 0, 0},
    {"scale", REAL, AT(options.cosine_scale), 0, 0},
    {"optimizer", SPECIAL, 0, 0, 0},
    {"learning-rate", REAL, AT(options.learning_rate), 0, 0},
    {"momentum", REAL, AT(options.momentum), 0, 0},
    {"nesterov", SET, AT(options.nesterov), 0, 0},
    {"weight-decay", REAL, AT(options.weight_decay), 0, 0},
    {"schedule", SPECIAL, 0, 0, 0},
    {"schedule-epochs", NUMBER, AT(options.schedule_epochs), 1, 100000},
    {"schedule-factor", REAL, AT(options.schedule_factor), 0, 0},
    {"warmup", NUMBER, AT(options.warmup_epochs), 0, 100000},
    {"epochs", NUMBER, AT(options.epochs), 1, 1000000},
    {"batch-size", NUMBER, AT(options.batch_size), 1, 65536},
    {"patience", NUMBER, AT(options.patience), 1, 100000},
    {"last-weights", CLEAR, AT(options.restore_best), 0, 0},
    {"seed", SPECIAL, 0, 0, 0},
    {"threads", NUMBER, AT(options.threads), 1, 256},
    {"no-shuffle", CLEAR, AT(options.shuffle), 0, 0},
    {"no-calibration", CLEAR, AT(calibrate), 0, 0},
    {"resume", SET, AT(resume), 0, 0},
    {"baseline", SET, AT(baseline), 0, 0},
    {"json", SET, AT(json), 0, 0},
    {"quiet", SET, AT(quiet), 0, 0},
};
enum { ROWS = sizeof rows / sizeof *rows };

extern const command command_train;

static int wrong(const char *name, const char *value, const char *expected) {
    return usage(&command_train, "--%s %s: expected %s", name, value, expected);
}

/* Which of the library's names `value` is, and its number. */
#define TAKE_NAMED(kind, place)                                                                    \
    for (unsigned k = 0; kind(k) != NULL; k++) {                                                   \
        if (strcmp(kind(k), value) == 0) {                                                         \
            (place) = k;                                                                           \
            return 0;                                                                              \
        }                                                                                          \
    }

static int take_choice(training *t, const char *name, const char *value) {
    if (strcmp(name, "loss") == 0) {
        TAKE_NAMED(kiln_loss_name, t->options.loss)
        return wrong(name, value, "cross-entropy, mse or arcface");
    }
    if (strcmp(name, "optimizer") == 0) {
        TAKE_NAMED(kiln_optimizer_name, t->options.optimizer)
        return wrong(name, value, "adam, adamw, sgd or rmsprop");
    }
    TAKE_NAMED(kiln_schedule_name, t->options.schedule)
    return wrong(name, value, "constant, step, cosine or plateau");
}

static int take_special(training *t, const char *name, const char *value) {
    unsigned long number = 0;
    kiln_error error;
    if (strcmp(name, "validation") == 0) {
        bool good = parse_real(value, &t->split.validation) && t->split.validation >= 0 &&
                    t->split.validation <= 0.9;
        return good ? 0 : wrong(name, value, "a fraction from 0 to 0.9");
    }
    if (strcmp(name, "train-per-class") == 0) {
        bool good = parse_number(value, 1, 1000000, &number);
        t->split.train_per_class = number;
        return good ? 0 : wrong(name, value, "a number from 1 on");
    }
    if (strcmp(name, "augment") == 0) {
        return augment_parse(value, &t->source.augment, &error) == KILN_OK
                   ? 0
                   : usage(&command_train, "%s", error.message);
    }
    if (strcmp(name, "checkpoint") == 0 || strcmp(name, "no-checkpoint") == 0) {
        t->checkpoint_path = value;
        t->keep_checkpoint = true;
        return 0;
    }
    if (strcmp(name, "input-size") == 0) {
        char *end = NULL;
        t->input_width = strtoul(value, &end, 10);
        t->input_height = *end == 'x' ? strtoul(end + 1, &end, 10) : 0;
        bool good = *end == '\0' && t->input_width >= 1 && t->input_width <= 4096 &&
                    t->input_height >= 1 && t->input_height <= 4096;
        return good ? 0 : wrong(name, value, "WIDTHxHEIGHT, each from 1 to 4096");
    }
    if (strcmp(name, "seed") == 0) {
        bool good = parse_number(value, 0, UINT32_MAX, &number);
        t->options.seed = t->split.seed = number;
        return good ? 0 : wrong(name, value, "a whole number");
    }
    return take_choice(t, name, value);
}

static int take(training *t, const option_row *row, const char *value) {
    char *base = (char *)t;
    unsigned long number;
    double real;
    switch (row->kind) {
    case TEXT:
        memcpy(base + row->place, &value, sizeof value);
        return 0;
    case NUMBER:
        if (!parse_number(value, row->low, row->high, &number)) {
            return usage(&command_train, "--%s %s: expected a number from %lu to %lu", row->name,
                         value, row->low, row->high);
        }
        memcpy(base + row->place, &(uint32_t){(uint32_t)number}, sizeof(uint32_t));
        return 0;
    case REAL:
        if (!parse_real(value, &real)) {
            return wrong(row->name, value, "a number");
        }
        memcpy(base + row->place, &(float){(float)real}, sizeof(float));
        return 0;
    case SET:
    case CLEAR:
        memcpy(base + row->place, &(bool){row->kind == SET}, sizeof(bool));
        return 0;
    default:
        return take_special(t, row->name, value);
    }
}

static void set_defaults(training *t) {
    kiln_train_options_init(&t->options);
    t->options.learning_rate = NAN; /* told by the optimizer, when it is not given */
    t->split = (data_options){.validation = 0.2, .seed = 1};
    t->source.use_cache = true;
    t->calibrate = true;
    t->temperature = 1;
    t->input_width = t->input_height = 32;
    t->checkpoint_path = "";
}

/* What follows from several options. */
static int settle(training *t, char **words, int count) {
    kiln_error error;
    if (count != (t->scratch ? 1 : 2) || t->plan_path == NULL) {
        return usage(&command_train, t->scratch ? "expected DATA and -o PLAN"
                                                : "expected BACKBONE.plan, DATA and -o PLAN");
    }
    t->backbone_path = t->scratch ? NULL : words[0];
    t->data_path = words[count - 1];
    if (t->head != NULL && kiln_head_parse(t->head, &t->options.head, &error) != KILN_OK) {
        return usage(&command_train, "--%s", error.message);
    }
    if (t->head != NULL && t->options.fine_tune > 0) {
        return usage(&command_train, "--head and --fine-tune exclude each other");
    }
    if (t->options.nesterov && t->options.momentum == 0) {
        return usage(&command_train, "--nesterov needs --momentum");
    }
    if (isnan(t->options.learning_rate)) {
        t->options.learning_rate = kiln_optimizer_learning_rate(t->options.optimizer);
    }
    t->source.threads = t->options.threads;
    if (t->source.augment == 0) {
        t->source.variants = 0;
    } else if (t->source.variants == 0) {
        t->source.variants = 4;
    }
    if (t->checkpoint_path != NULL && t->checkpoint_path[0] == '\0') {
        size_t length = strlen(t->plan_path) + 16;
        t->default_checkpoint = malloc(length);
        if (t->default_checkpoint != NULL) {
            snprintf(t->default_checkpoint, length, "%s.checkpoint", t->plan_path);
        }
        t->checkpoint_path = t->default_checkpoint;
    }
    if (t->resume && t->checkpoint_path == NULL) {
        return usage(&command_train, "--resume needs a checkpoint");
    }
    return TRAIN_OPTIONS_READ;
}

int train_options_read(training *t, int argc, char **argv) {
    struct option long_options[ROWS + 2] = {{0}};
    int option, status = 0;
    for (int k = 0; k < ROWS; k++) {
        bool plain = rows[k].kind == SET || rows[k].kind == CLEAR ||
                     strcmp(rows[k].name, "no-checkpoint") == 0;
        long_options[k] = (struct option){rows[k].name, plain ? no_argument : required_argument,
                                          NULL, CHOICES_FIRST + k};
    }
    long_options[ROWS] = (struct option){"help", no_argument, NULL, 'h'};
    set_defaults(t);
    while (status == 0 && (option = getopt_long(argc, argv, ":ho:q", long_options, NULL)) != -1) {
        if (option == 'h') {
            return show_help(&command_train);
        }
        if (option == 'o') {
            t->plan_path = optarg;
        } else if (option == 'q') {
            t->quiet = true;
        } else if (option >= CHOICES_FIRST) {
            status = take(t, &rows[option - CHOICES_FIRST], optarg);
        } else {
            status = usage_of_option(&command_train, option, argv);
        }
    }
    return status != 0 ? status : settle(t, argv + optind, argc - optind);
}
