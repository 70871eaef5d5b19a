/* The options of `kiln train`. */
#include "compiler/cli/train/train_options.h"
#include "compiler/cli/data/augment.h"

#include <math.h>
#include <stdlib.h>

/* ---- Values -------------------------------------------------------------------------------- */

static const char *loss_word(unsigned k) {
    return kiln_loss_name((kiln_loss)k);
}

static const char *start_word(unsigned k) {
    return kiln_start_name((kiln_start)k);
}

static const char *optimizer_word(unsigned k) {
    return kiln_optimizer_name(k);
}

static const char *schedule_word(unsigned k) {
    return kiln_schedule_name((kiln_schedule)k);
}

static int take_augment(const command *self, void *at, const char *value) {
    training *t = at;
    kiln_error error;
    t->augment_given = true;
    return augment_parse(value, &t->source.augment, &error) == KILN_OK
               ? 0
               : usage(self, "%s", error.message);
}

static int take_checkpoint(const command *self, void *at, const char *value) {
    training *t = at;
    (void)self;
    t->checkpoint_path = value;
    t->keep_checkpoint = true;
    return 0;
}

static int take_input_size(const command *self, void *at, const char *value) {
    training *t = at;
    char *end = NULL;
    t->input_width = strtoul(value, &end, 10);
    t->input_height = *end == 'x' ? strtoul(end + 1, &end, 10) : 0;
    bool good = *end == '\0' && t->input_width >= 1 && t->input_width <= 4096 &&
                t->input_height >= 1 && t->input_height <= 4096;
    return good ? 0 : option_wrong(self, "input-size", value, "WIDTHxHEIGHT, each from 1 to 4096");
}

static int take_folds(const command *self, void *at, const char *value) {
    training *t = at;
    unsigned long number = 0;
    bool good = parse_number(value, 0, 1000, &number) && number != 1;
    t->options.folds = (uint32_t)number;
    t->folds_given = true;
    return good ? 0 : option_wrong(self, "folds", value, "a whole number from 2 to 1000, or 0");
}

static int take_seed(const command *self, void *at, const char *value) {
    training *t = at;
    unsigned long number = 0;
    bool good = parse_number(value, 0, UINT32_MAX, &number);
    t->options.seed = t->split.seed = number;
    return good ? 0 : option_wrong(self, "seed", value, "a whole number");
}

static int take_people(const command *self, void *at, const char *value) {
    (void)self;
    (void)value;
    *(people_choice *)at = PEOPLE_YES;
    return 0;
}

static int take_no_people(const command *self, void *at, const char *value) {
    (void)self;
    (void)value;
    *(people_choice *)at = PEOPLE_NO;
    return 0;
}

/* ---- Rows ---------------------------------------------------------------------------------- */

#define AT(member) offsetof(training, member)

const option_row train_options[] = {
    {.kind = OPTION_HEADING, .help = "Data"},
    {.kind = OPTION_TEXT,
     .name = "features",
     .value = "PART.npy",
     .place = AT(features_path),
     .help =
         "features that kiln embed has extracted, instead of DATA: parts (more of them as words "
         "behind it), or a folder of parts"},
    {.kind = OPTION_TEXT,
     .name = "labels",
     .value = "FILE",
     .place = AT(labels_path),
     .help = "their classes: CSV (IMAGE,LABEL) or lines of JSON ({\"image\": ..., \"label\": "
             "...}); or DIR/: the folder in it that a picture lies in (default: the folder that it "
             "lies in)"},
    {.kind = OPTION_REAL,
     .name = "validation",
     .value = "FRACTION",
     .place = AT(split.validation),
     .low = 0,
     .high = 0.9,
     .expected = "a fraction from 0 to 0.9",
     .help = "part of each class kept for validation (default 0.2; 0: none)"},
    {.kind = OPTION_CALL,
     .name = "folds",
     .value = "K",
     .take = take_folds,
     .help = "cross-validate in K parts instead (default: 5 where there are fewer than 4 pictures "
             "a class, and for lda, mean and knn; 0: never)"},
    {.kind = OPTION_TEXT,
     .name = "validation-data",
     .value = "DIR",
     .place = AT(split.validation_path),
     .help = "a second folder, all of it for validation"},
    {.kind = OPTION_SET,
     .name = "validation-last",
     .place = AT(split.last),
     .help = "arrays: the last part validates, not a random one"},
    {.kind = OPTION_NUMBER,
     .name = "train-per-class",
     .value = "N",
     .place = AT(split.train_per_class),
     .low = 1,
     .high = 1000000,
     .help = "N pictures of each class train, the rest validates"},
    DETECTOR_ROW(AT(faces.detector)),
    FACES_ROW(AT(faces.faces), "largest"),
    {.kind = OPTION_SET,
     .name = "bundle",
     .place = AT(bundle),
     .help = "the detector goes into the plan, so that one file serves"},
    {.kind = OPTION_CALL,
     .name = "augment",
     .value = "KINDS",
     .take = take_augment,
     .help = "train on variants, too: mirror,flip,shift,rotate,light,noise or all (default: none, "
             "but for lda mirror,flip,shift,rotate)"},
    {.kind = OPTION_NUMBER,
     .name = "variants",
     .value = "K",
     .place = AT(source.variants),
     .low = 1,
     .high = 1000,
     .help = "how many of each picture (default 4; for lda 5, less from 500 pictures on, so that "
             "2560 are the most)"},
    {.kind = OPTION_TEXT,
     .name = "preprocess",
     .value = "PRESET",
     .place = AT(preset),
     .word = preset_word,
     .help = "where the plan does not say"},
    {.kind = OPTION_SET,
     .name = "balance",
     .place = AT(options.balance_classes),
     .help = "weigh rare classes more"},
    {.kind = OPTION_SET,
     .name = "strict",
     .place = AT(split.strict),
     .help = "a file that is no picture is an error, not skipped"},
    {.kind = OPTION_TEXT,
     .name = "cache",
     .value = "DIR",
     .place = AT(source.cache_folder),
     .help = "where features are cached (default: your cache folder)"},
    {.kind = OPTION_CLEAR,
     .name = "no-cache",
     .place = AT(source.use_cache),
     .help = "features are not cached"},
    {.kind = OPTION_HEADING, .help = "Head"},
    {.kind = OPTION_TEXT,
     .name = "head",
     .value = "HEAD",
     .place = AT(head),
     .help = "layers on the frozen part, e.g. 256:relu,dropout:0.5,softmax; or lda, mean, knn; see "
             "below (default: lda on networks that end in an embedding, as those for faces do; "
             "else softmax,l2:prior)"},
    {.kind = OPTION_CHOICE,
     .name = "start",
     .value = "WHAT",
     .place = AT(options.start),
     .word = start_word,
     .help = "of the last layer: means of the classes (default; layers behind others: zero, from "
             "scratch random)"},
    {.kind = OPTION_TEXT,
     .name = "cut",
     .value = "LAYER",
     .place = AT(options.cut),
     .help = "the layer that feeds the head (default: what feeds the network's own final dense "
             "layers; kiln inspect lists layers)"},
    {.kind = OPTION_NUMBER,
     .name = "fine-tune",
     .value = "N",
     .place = AT(options.fine_tune),
     .low = 1,
     .high = KILN_MAX_HEAD_LAYERS,
     .help = "instead: keep the network's last N dense layers, train them on"},
    {.kind = OPTION_CLEAR,
     .name = "no-standardize",
     .place = AT(options.standardize),
     .help = "features as they are, not shifted and scaled to mean 0, variance 1"},
    {.kind = OPTION_SET,
     .name = "from-scratch",
     .place = AT(scratch),
     .help = "no network: the head learns from the samples' own numbers"},
    {.kind = OPTION_CALL,
     .name = "input-size",
     .value = "WxH",
     .take = take_input_size,
     .help = "from scratch: the size of pictures (default 32x32)"},
    {.kind = OPTION_SET,
     .name = "gray",
     .place = AT(gray),
     .help = "from scratch: pictures in gray"},
    {.kind = OPTION_HEADING, .help = "People"},
    {.kind = OPTION_TEXT,
     .name = "strangers",
     .value = "DIR",
     .place = AT(strangers_path),
     .help = "pictures of people who are not to be known, best in a folder each: they tell how "
             "similar strangers are"},
    {.kind = OPTION_CALL,
     .name = "people",
     .place = AT(people_choice),
     .take = take_people,
     .help = "the plan knows people (kiln people, enrol, ...): the default where the network "
             "ends in an embedding, as those for faces do"},
    {.kind = OPTION_CALL,
     .name = "no-people",
     .place = AT(people_choice),
     .take = take_no_people,
     .help = "it knows none"},
    {.kind = OPTION_HEADING, .help = "Training"},
    {.kind = OPTION_CHOICE,
     .name = "loss",
     .value = "LOSS",
     .place = AT(options.loss),
     .word = loss_word,
     .help = "default cross-entropy; arcface is for cosine heads"},
    {.kind = OPTION_SINGLE,
     .name = "label-smoothing",
     .value = "E",
     .place = AT(options.label_smoothing),
     .help = "of cross-entropy"},
    {.kind = OPTION_SINGLE,
     .name = "margin",
     .value = "M",
     .place = AT(options.arc_margin),
     .help = "of ArcFace (default 0.5)"},
    {.kind = OPTION_SINGLE,
     .name = "scale",
     .value = "S",
     .place = AT(options.cosine_scale),
     .help = "of cosine heads (default: by the number of classes)"},
    {.kind = OPTION_TEXT,
     .name = "optimizer",
     .value = "NAME",
     .place = AT(options.optimizer),
     .word = optimizer_word,
     .help = "default adam"},
    {.kind = OPTION_SINGLE,
     .name = "learning-rate",
     .value = "R",
     .place = AT(options.learning_rate),
     .help = "default: what suits the optimizer, 0.001 for adam"},
    {.kind = OPTION_SINGLE,
     .name = "momentum",
     .value = "M",
     .place = AT(options.momentum),
     .help = "of sgd"},
    {.kind = OPTION_SET,
     .name = "nesterov",
     .place = AT(options.nesterov),
     .help = "of sgd, with momentum"},
    {.kind = OPTION_SINGLE,
     .name = "weight-decay",
     .value = "D",
     .place = AT(options.weight_decay),
     .help = "of optimizers that decay weights, as adamw does (default 0.01)"},
    {.kind = OPTION_CHOICE,
     .name = "schedule",
     .value = "NAME",
     .place = AT(options.schedule),
     .word = schedule_word,
     .help = "default constant"},
    {.kind = OPTION_NUMBER,
     .name = "schedule-epochs",
     .value = "N",
     .place = AT(options.schedule_epochs),
     .low = 1,
     .high = 100000,
     .help = "of step and plateau (default 10)"},
    {.kind = OPTION_SINGLE,
     .name = "schedule-factor",
     .value = "F",
     .place = AT(options.schedule_factor),
     .help = "of step and plateau (default 0.1)"},
    {.kind = OPTION_NUMBER,
     .name = "warmup",
     .value = "N",
     .place = AT(options.warmup_epochs),
     .low = 0,
     .high = 100000,
     .help = "epochs in which the rate rises"},
    {.kind = OPTION_NUMBER,
     .name = "epochs",
     .value = "N",
     .place = AT(options.epochs),
     .low = 1,
     .high = 1000000,
     .help = "default 100, or more where few pictures make fewer than 2000 steps (batches)"},
    {.kind = OPTION_NUMBER,
     .name = "batch-size",
     .value = "N",
     .place = AT(options.batch_size),
     .low = 1,
     .high = MOST_SAMPLES,
     .help = "default 32"},
    {.kind = OPTION_NUMBER,
     .name = "patience",
     .value = "N",
     .place = AT(options.patience),
     .low = 1,
     .high = 100000,
     .help = "stop after N epochs without a lower validation loss"},
    {.kind = OPTION_CLEAR,
     .name = "last-weights",
     .place = AT(options.restore_best),
     .help = "end with the last weights, not the best"},
    {.kind = OPTION_CLEAR,
     .name = "no-refit",
     .place = AT(refit),
     .help =
         "keep the head that was validated; else it is trained anew on all pictures for as long "
         "(not from scratch, nor with --validation-data)"},
    {.kind = OPTION_CALL, .name = "seed", .value = "N", .take = take_seed, .help = "default 1"},
    THREADS_ROW(AT(options.threads)),
    {.kind = OPTION_CLEAR,
     .name = "no-shuffle",
     .place = AT(options.shuffle),
     .help = "samples in their order"},
    {.kind = OPTION_SIZE,
     .name = "shuffle-memory",
     .value = "SIZE",
     .place = AT(options.shuffle_bytes),
     .help = "with --features: where they take more than that, blocks of them are shuffled in so "
             "much memory, and files are read in a row (default 1G)"},
    {.kind = OPTION_CLEAR,
     .name = "no-calibration",
     .place = AT(calibrate),
     .help = "do not scale probabilities to be right as often as they say (it takes 50 pictures "
             "held out)"},
    {.kind = OPTION_CALL,
     .name = "checkpoint",
     .value = "FILE",
     .take = take_checkpoint,
     .help = "state after each epoch (default: PLAN.checkpoint, removed at the end)"},
    {.kind = OPTION_CALL, .name = "no-checkpoint", .take = take_checkpoint, .help = "no such file"},
    {.kind = OPTION_SET,
     .name = "resume",
     .place = AT(resume),
     .help = "go on from the checkpoint of an interrupted run"},
    {.kind = OPTION_HEADING, .help = "Output"},
    {.kind = OPTION_TEXT,
     .letter = 'o',
     .name = "output",
     .value = "PLAN",
     .place = AT(plan_path),
     .help = "the trained plan"},
    {.kind = OPTION_TEXT,
     .name = "report",
     .value = "FILE.html",
     .place = AT(report_path),
     .help = "a page: curves, confusion matrix, worst mistakes, classes"},
    {.kind = OPTION_TEXT,
     .name = "history",
     .value = "FILE.csv",
     .place = AT(history_path),
     .help = "loss and accuracy by epoch"},
    {.kind = OPTION_SET,
     .name = "baseline",
     .place = AT(baseline),
     .help = "tell what the nearest neighbour by raw pixels gets, for comparison"},
    {.kind = OPTION_SET, .name = "json", .place = AT(json), .help = "the result as JSON"},
    {.kind = OPTION_SET, .letter = 'q', .name = "quiet", .place = AT(quiet), .help = "say nothing"},
    OPTIONS_END,
};

/* ---- Reading ------------------------------------------------------------------------------- */

static void set_defaults(training *t) {
    kiln_train_options_init(&t->options);
    t->options.learning_rate = NAN; /* told by the optimizer, when it is not given */
    t->split = (data_options){.validation = NAN, .seed = 1};
    t->refit = true;
    t->source.use_cache = true;
    t->calibrate = true;
    t->temperature = 1;
    t->input_width = t->input_height = 32;
    t->checkpoint_path = "";
}

int train_options_read(const command *self, training *t, int argc, char **argv) {
    set_defaults(t);
    int status = options_read(self, t, &argc, &argv);
    return status == OPTIONS_READ ? train_settle(self, t, argv, argc) : status;
}
