/* What the trainer's files share. */
#ifndef KILN_RUNTIME_TRAINER_H
#define KILN_RUNTIME_TRAINER_H

#include "runtime/train/network.h"
#include <kiln/plan_format.h>

/* Samples as they were added: features and labels. */
typedef struct sample_set {
    const float **rows; /* by sample, its features: in one of the blocks, or the caller's */
    uint32_t *labels;
    size_t count, capacity;
    float **blocks; /* of copied features; they stay where they are */
    size_t block_count;
    size_t copied; /* samples in the blocks */
} sample_set;

typedef struct description {
    char *key, *value;
} description;

/* An optional section. */
typedef struct attachment {
    char tag[KILN_PLAN_TAG + 1];
    void *data;
    size_t size;
} attachment;

/* What decides about the next epoch; saved with checkpoints, as it is. */
typedef struct progress {
    uint64_t steps;    /* batches so far */
    uint32_t epochs;   /* epochs that are done */
    uint32_t recorded; /* epochs in the history: 0, or one more than are done */
    uint32_t best_epoch;
    uint32_t without_gain; /* epochs since the best one */
    uint32_t on_plateau;   /* epochs without gain since the rate was lowered */
    float best_loss, plateau_loss;
    float rate_factor; /* what the plateau schedule multiplies the rate by */
    uint32_t stopped;  /* training has ended early: nothing is left to do */
} progress;

/* Of an epoch whose samples are shuffled in windows: see shuffle.c. */
typedef struct shuffle {
    uint32_t *blocks; /* their numbers, in the order in which they make windows; owned */
    uint32_t *begins; /* by window, its first place in the order, and their end; behind these */
    uint32_t *places; /* of the window's samples, which of its rows each is; behind these */
    float *rows;      /* of the window; owned */
    size_t block_samples, block_count;
    size_t window_count, window_samples; /* count 0: all samples are shuffled together */
    size_t filled;                       /* windows so far; the last one is at hand */
    uint64_t stream;
} shuffle;

struct kiln_trainer {
    kiln_allocator allocator;
    kiln_train_options options; /* pointers inside are ours */
    const kiln_plan *backbone;  /* NULL for a head from scratch */
    kiln_plan *frozen;          /* the backbone up to the cut */
    kiln_session *session;      /* a session of it */
    uint32_t session_batch;
    uint32_t cut_tensor; /* a tensor of the backbone */
    char *cut;           /* its name; "" without a backbone */
    char **class_names;
    kiln_preprocess preprocess;
    description *descriptions;
    size_t description_count;
    attachment *attachments;
    size_t attachment_count;
    size_t feature_count;
    sample_set samples[2];  /* by kiln_split */
    uint32_t *class_counts; /* of training samples */
    thread_pool *pool;
    network net;
    real *shift, *scale; /* for standardisation; NULL where there is none */
    real *batch;         /* gathered features */
    uint32_t *batch_labels;
    real *class_weights; /* NULL where all are 1 */
    /* What is learned from at the moment, and what is held out: numbers of samples, the validation
     * ones behind the training ones. */
    uint32_t *train, *held;
    size_t train_count, held_count;
    uint32_t *order; /* the order of `train` in this epoch */
    shuffle shuffle;
    progress progress;
    uint32_t asked_epochs; /* 0: options.epochs follows from the number of samples */
    kiln_epoch *history;   /* room for options.epochs and epoch 0 */
    float *best;           /* copy of weights and biases, layer by layer */
    size_t refitted;
    /* kiln_trainer_held_out. */
    size_t
        held_step; /* of samples held out every so many are told of: 1 but where there are many */
    kiln_split held_split;
    uint32_t *held_samples;
    float *held_scores;
    size_t held_out;
    double held_spread; /* classes_spread, of all held out */
    /* Of discriminants: the square of their weights' length that is by chance where means are of
     * one picture, against the square of their length. */
    double noise;
};

/* ---- samples.c ----------------------------------------------------------------------------- */

const float *sample_features(const kiln_trainer *t, uint32_t sample);
uint32_t sample_label(const kiln_trainer *t, uint32_t sample);
/* How many training samples in a row show one picture; at least 1. */
size_t variants_of(const kiln_trainer *t);
/* A number that samples of one picture share, and no others. */
size_t sample_picture(const kiln_trainer *t, uint32_t sample);
/* Whether it is one of the views of its picture: see kiln_train_options. */
bool sample_is_view(const kiln_trainer *t, uint32_t sample);

void samples_free(sample_set *set);
/* Makes room for lists of all samples. */
kiln_status samples_reserve(kiln_trainer *t, kiln_error *error);
/* Divide the samples: the first learns from the training samples and holds out the others, the
 * second learns from all. */
void samples_take_split(kiln_trainer *t);
void samples_take_all(kiln_trainer *t);
/* Takes the shift and scale of features, class weights, order and the weight of KILN_L2_PRIOR from
 * t->train. */
kiln_status samples_prepare(kiln_trainer *t, kiln_error *error);
/* Gathers a batch's features, standardised, in t->batch, and its labels: those of
 * samples[order[k]], or of samples[k] where `order` is NULL. */
void samples_gather(kiln_trainer *t, const uint32_t *samples, const uint32_t *order, size_t count);
/* One of them, as number n. */
void samples_put(kiln_trainer *t, size_t n, const float *features, uint32_t label);
/* The same of features by themselves, without labels. */
void samples_gather_rows(kiln_trainer *t, const float *features, size_t count);

/* ---- shuffle.c ----------------------------------------------------------------------------- */

/* Makes t->order of t->train, by the random numbers of a stream. */
kiln_status shuffle_samples(kiln_trainer *t, uint64_t stream, kiln_error *error);
/* samples_gather of so many from that place in the order on; places rise within an epoch. */
void shuffle_gather(kiln_trainer *t, size_t first, size_t count);

/* ---- means.c, lda.c, start.c --------------------------------------------------------------- */

/* Of features of length 1. */
typedef struct class_means {
    double *means;  /* [classes][features]; zeros for a class without samples */
    size_t *counts; /* of samples */
    double length;  /* of the features, before: mean */
} class_means;

/* Of t->train, or of the views among it. */
kiln_status class_means_create(kiln_trainer *t, bool of_views, class_means *out_means,
                               kiln_error *error);
void class_means_free(class_means *m);
double length_of(const real *x, size_t count);

kiln_status lda_start(kiln_trainer *t, kiln_error *error);
/* Sets the weights that options.start, the head's rule or fine-tuning asks for, from t->train.
 * anew: whatever the weights are; else the network is as it was created. */
kiln_status start_head(kiln_trainer *t, bool anew, kiln_error *error);

/* ---- epoch.c ------------------------------------------------------------------------------- */

/* Over an epoch. */
typedef struct epoch_sums {
    double loss;
    size_t correct, seen;
} epoch_sums;

/* How many batches an epoch of so many samples has. */
size_t epoch_batches(const kiln_trainer *t, size_t samples);
/* Makes one step, on t->train from t->order[first] on. */
kiln_status epoch_train_batch(kiln_trainer *t, size_t first, size_t count, real rate,
                              epoch_sums *inout, kiln_error *error);
/* Runs the next epoch, and validates on t->held; epoch 0 only looks. */
kiln_status epoch_run(kiln_trainer *t, const kiln_train_callbacks *callbacks, kiln_epoch *out_epoch,
                      bool *out_stop, kiln_error *error);
/* The sum over every `step`th of the samples of 1 + 1 / (pictures of their class in t->train): how
 * far they lie from the means of so many, against how far from the true ones. */
kiln_status classes_spread(const kiln_trainer *t, const uint32_t *samples, size_t count,
                           size_t step, double *out_spread, kiln_error *error);
/* Adds the scores of t->held to what kiln_trainer_held_out tells. */
kiln_status epoch_keep_scores(kiln_trainer *t, kiln_error *error);

/* ---- folds.c ------------------------------------------------------------------------------- */

/* Cross-validation in place of kiln_trainer_fit's loop; leaves best epoch, history, scores. */
bool folds_wanted(const kiln_trainer *t);
/* Whether there are classes of which a sample can be left out. */
bool folds_possible(const kiln_trainer *t);
kiln_status folds_fit(kiln_trainer *t, const kiln_train_callbacks *callbacks, kiln_error *error);

/* ---- describe.c ---------------------------------------------------------------------------- */

/* Frees what describes the plan: metadata and attachments. */
void descriptions_free(kiln_trainer *t);

/* ---- schedule.c ---------------------------------------------------------------------------- */

typedef struct schedule {
    const char *name;
    /* What the learning rate is multiplied by, `done` epochs (a fraction) after the beginning. */
    double (*factor)(const kiln_trainer *t, uint32_t epoch, double done);
    bool knows_end;      /* the factor depends on how many epochs there will be */
    bool waits;          /* lowers progress.rate_factor after schedule_epochs without gain */
    const range *ranges; /* NULL: none */
} schedule;

/* NULL: not one. */
const schedule *schedule_of(kiln_schedule which);

/* The learning rate of batch `batch` of `batches` in epoch `epoch` (from 0). */
real schedule_rate(const kiln_trainer *t, uint32_t epoch, size_t batch, size_t batches);
/* Is called after epoch progress.epochs, and decides whether it was the best, and about early
 * stopping and plateaus. */
bool schedule_epoch(kiln_trainer *t, float loss);

/* ---- fit.c --------------------------------------------------------------------------------- */

/* Prepares what follows from the samples: options.epochs, and room for the history and for lists of
 * samples. */
kiln_status fit_settle(kiln_trainer *t, kiln_error *error);

/* ---- weights.c ----------------------------------------------------------------------------- */

/* Copies all weights and biases to or from t->best. */
void weights_keep(kiln_trainer *t);
void weights_restore(kiln_trainer *t);
size_t weights_count(const network *net);

/* ---- fine_tune.c --------------------------------------------------------------------------- */

/* Makes options.head out of the backbone's last N dense layers, and cut_tensor what feeds them. */
kiln_status fine_tune_head(kiln_trainer *t, kiln_error *error);
/* Copies their weights into the network, where sizes fit; whether the last one's did. */
bool fine_tune_weights(kiln_trainer *t);

#endif
