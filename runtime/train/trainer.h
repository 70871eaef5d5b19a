/* What the trainer's files share. */
#ifndef KILN_RUNTIME_TRAINER_H
#define KILN_RUNTIME_TRAINER_H

#include "runtime/train/network.h"
#include <kiln/plan_format.h>

/* Samples as they were added: features and labels. */
typedef struct sample_set {
    float *features; /* [count][feature_count] */
    uint32_t *labels;
    size_t count, capacity;
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
    uint64_t steps;  /* batches so far */
    uint32_t epochs; /* done */
    uint32_t best_epoch;
    uint32_t without_gain; /* epochs since the best one */
    uint32_t on_plateau;   /* epochs without gain since the rate was lowered */
    float best_loss, plateau_loss;
    float rate_factor; /* of the plateau schedule */
    uint32_t stopped;  /* early: nothing is left to do */
} progress;

struct kiln_trainer {
    kiln_train_options options; /* pointers inside are ours */
    const kiln_plan *backbone;  /* NULL: from scratch */
    kiln_plan *frozen;          /* the backbone up to the cut */
    kiln_session *session;      /* of it */
    uint32_t session_batch;
    uint32_t cut_tensor; /* of the backbone */
    char *cut;           /* its name; "" without a backbone */
    char **class_names;
    kiln_preprocess preprocess;
    description *descriptions;
    size_t description_count;
    attachment *attachments;
    size_t attachment_count;
    size_t feature_count;
    sample_set samples[2]; /* by kiln_split */
    pthreadpool_t pool;
    network net;
    real *shift, *scale; /* standardisation; NULL: none */
    real *batch;         /* gathered features */
    uint32_t *batch_labels;
    real *class_weights; /* NULL: all 1 */
    uint32_t *order;
    progress progress;
    kiln_epoch *history; /* room for options.epochs */
    float *best;         /* copy of weights and biases, layer by layer */
};

/* ---- samples.c ----------------------------------------------------------------------------- */

/* Shift and scale of features, class weights, order: from the training samples. */
kiln_status samples_prepare(kiln_trainer *t, kiln_error *error);
/* The batch's features, standardised, to t->batch. `order` may be NULL: from `first` on. */
void samples_gather(kiln_trainer *t, const float *features, const uint32_t *order, size_t first,
                    size_t count);

/* ---- describe.c ---------------------------------------------------------------------------- */

/* What describes the plan: metadata and attachments. */
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
/* After an epoch: whether it was the best; early stopping and plateaus. */
bool schedule_epoch(kiln_trainer *t, float loss);

/* ---- checkpoint.c -------------------------------------------------------------------------- */

/* Copies all weights and biases to or from t->best. */
void weights_keep(kiln_trainer *t);
void weights_restore(kiln_trainer *t);
size_t weights_count(const network *net);

/* ---- fine_tune.c --------------------------------------------------------------------------- */

/* Makes options.head out of the backbone's last N dense layers, and cut_tensor what feeds them. */
kiln_status fine_tune_head(kiln_trainer *t, kiln_error *error);
/* Copies their weights into the network, where sizes fit. */
void fine_tune_weights(kiln_trainer *t);

#endif
