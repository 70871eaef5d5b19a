/* Kiln training: replaces the last dense layers of a network by a head of one's own and trains it.
 *
 *   kiln_train_options options;
 *   kiln_train_options_init(&options);
 *   options.class_count = 5;
 *   options.class_names = names;
 *   kiln_trainer_create(backbone, &options, &trainer, &error);
 *   for each picture: kiln_trainer_add_sample(trainer, KILN_TRAINING, input, label, &error);
 *   kiln_trainer_fit(trainer, NULL, &error);
 *   kiln_trainer_save(trainer, "faces.plan", &error);
 *
 * The network up to the cut is frozen: it runs once a sample, what it computes there (the sample's
 * features) is kept, and the head is trained on features. The saved plan is the frozen part and the
 * trained head: an ordinary plan.
 *
 * Threads: a trainer belongs to one thread at a time; it computes on options.threads of them. Any
 * number of trainers may share a backbone.
 * Memory: of the options' allocator, else of the backbone's; KILN_ERROR_MEMORY from any function
 * that may fail.
 * Errors: as in kiln.h. A trainer whose function failed may still be used or destroyed.
 * Reproducible: the same samples in the same order, options and machine give the same bits, on any
 * number of threads.
 */
#ifndef KILN_TRAIN_H
#define KILN_TRAIN_H

#include <kiln/kiln.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- The head ------------------------------------------------------------------------------ */

typedef enum kiln_activation {
    KILN_ACTIVATION_LINEAR = 0,
    KILN_ACTIVATION_RELU = 1,
    KILN_ACTIVATION_TANH = 2,
    KILN_ACTIVATION_SIGMOID = 3,
    KILN_ACTIVATION_SOFTMAX = 4, /* of the last layer only */
    /* For the last layer only: softmax of scale * cosine of the angle between features and a
     * class's weights; no bias (normalised softmax, for embeddings of faces). */
    KILN_ACTIVATION_COSINE = 5,
    KILN_ACTIVATION_COUNT = 6
} kiln_activation;

/* One dense layer: y = activation(W dropout(x) + b). The last one's units are the classes. */
typedef struct kiln_head_layer {
    uint32_t units; /* 0 in the last layer, or class_count */
    kiln_activation activation;
    float dropout;  /* rate of inputs dropped while training, 0 <= rate < 1 */
    float l2;       /* adds l2 * sum of squared weights to the loss (as Keras does); 0: none */
    float max_norm; /* largest norm of the weights of a unit; 0: no limit */
} kiln_head_layer;

#define KILN_MAX_HEAD_LAYERS 8

/* For kiln_head_layer.l2: 1 / (2 * pictures trained on), which makes of the loss the logarithm of a
 * posterior with normal weights of variance 1 (of standardised features): much where pictures are
 * few, nothing where they are many. */
#define KILN_L2_PRIOR (-1.0f)

/* How a head's weights are found. All but the first compare directions (features of length 1), are
 * computed at once, without epochs, and have one layer, of KILN_ACTIVATION_COSINE. */
typedef enum kiln_rule {
    KILN_RULE_DESCENT = 0, /* trained, epoch by epoch, from options.start */
    /* The direction of the mean of each class's features of length 1 (weight imprinting: Qi, Brown
     * and Lowe 2018, arXiv 1712.07136). */
    KILN_RULE_MEAN = 1,
    /* Linear discriminant analysis: w = S^-1 (mean of the class - mean of the means), of length 1,
     * with the bias that puts 0 at the mean of the means. S is the covariance within classes,
     * shrunk halfway to the average of the eigenvalues that so many samples can show (regularised:
     * Friedman 1989); with one picture a class it is the covariance between them. Where pictures
     * have variants, the covariance within pictures is added. Up to 4096 features. */
    KILN_RULE_LDA = 2,
    /* The nearest sample: all are kept in the plan, and a class is as near as its nearest. */
    KILN_RULE_KNN = 3,
    KILN_RULE_COUNT = 4
} kiln_rule;

typedef struct kiln_head {
    uint32_t count;
    kiln_rule rule;
    kiln_head_layer layers[KILN_MAX_HEAD_LAYERS];
} kiln_head;

/* Reads a head from text: layers from input to output, divided by commas.
 *   256:relu      a dense layer of 256 units; also tanh, sigmoid, linear
 *   dropout:0.5   before the next dense layer
 *   l2:1e-4  maxnorm:3    of the dense layer that stands before; l2:prior (KILN_L2_PRIOR)
 *   softmax       the last layer, a unit a class; also cosine, sigmoid, linear, tanh, relu
 * e.g. "256:relu,dropout:0.5,softmax"; or mean, lda, knn alone (kiln_rule). KILN_ERROR_ARGUMENT:
 * the text is another, and the message says where; *out_head is then undefined. */
KILN_API kiln_status kiln_head_parse(const char *text, kiln_head *out_head, kiln_error *error);

/* ---- Options ------------------------------------------------------------------------------- */

typedef enum kiln_loss {
    KILN_LOSS_CROSS_ENTROPY = 0,      /* head ends in softmax or cosine */
    KILN_LOSS_MEAN_SQUARED_ERROR = 1, /* of the outputs against 1 for the class, 0 for the rest */
    /* Additive angular margin, Deng et al., 2019 (arXiv 1801.07698): cosine heads only. */
    KILN_LOSS_ARCFACE = 2,
    KILN_LOSS_COUNT = 3
} kiln_loss;

typedef enum kiln_schedule {
    KILN_SCHEDULE_CONSTANT = 0,
    KILN_SCHEDULE_STEP = 1,    /* times schedule_factor every schedule_epochs */
    KILN_SCHEDULE_COSINE = 2,  /* from learning_rate to 0 over all epochs, batch by batch */
    KILN_SCHEDULE_PLATEAU = 3, /* times schedule_factor after schedule_epochs without a lower
                                  validation loss (training loss when there is none) */
    KILN_SCHEDULE_COUNT = 4
} kiln_schedule;

/* What the last layer starts from. */
typedef enum kiln_start {
    /* A head of one softmax or cosine layer: the directions of the class means, as KILN_RULE_MEAN
     * has them; softmax layers multiply them by what makes their logits as large as those of a
     * cosine layer, and have biases of 0. Other heads on a network's features, few samples of many
     * numbers, as KILN_START_ZERO: what a random start adds is never unlearned there. Without a
     * backbone heads of several layers as KILN_START_RANDOM, since zeros keep the layers before
     * from learning at first. */
    KILN_START_MEANS = 0,
    KILN_START_ZERO = 1,   /* zeros; a cosine layer, which needs directions: random */
    KILN_START_RANDOM = 2, /* as the layers before it: uniform, Glorot and Bengio 2010 */
    KILN_START_COUNT = 3
} kiln_start;

/* Names, as kiln_head_parse and the command's options take them: "relu", "lda", "cross-entropy",
 * "plateau", "means"; NULL past the last, so that a loop from 0 on finds them all. */
KILN_API const char *kiln_activation_name(kiln_activation activation);
KILN_API const char *kiln_rule_name(kiln_rule rule); /* the first: "descent", no word of a head */
KILN_API const char *kiln_start_name(kiln_start start);
KILN_API const char *kiln_loss_name(kiln_loss loss);
KILN_API const char *kiln_schedule_name(kiln_schedule schedule);

/* Optimizers go by name alone, as "adam" and "sgd". This is the name of number k from 0 on; NULL
 * past the last. */
KILN_API const char *kiln_optimizer_name(unsigned k);
/* What it computes of a weight w, whose gradient is g, in step t, from 1; the other letters are its
 * state, 0 at first, and the names are options'. NULL: there is no such optimizer. */
KILN_API const char *kiln_optimizer_formula(const char *name);

typedef struct kiln_train_options {
    size_t size;                    /* sizeof(kiln_train_options) */
    uint32_t class_count;           /* 2 to 2^20 */
    const char *const *class_names; /* class_count labels of the trained plan; NULL: none */

    kiln_head head;     /* default: one softmax layer */
    const char *cut;    /* name of the tensor that feeds the head; NULL: what feeds the network's
                           own final dense layers, else its output before softmax */
    uint32_t fine_tune; /* instead of `head`: keep the network's last N dense layers and train on
                           from their weights; the last one is new if its size does not fit */
    /* Features are shifted and scaled to mean 0, variance 1 over the training samples; the saved
     * head contains that. Not with cosine heads. */
    bool standardize;

    kiln_loss loss;
    float label_smoothing; /* of cross-entropy: 0 <= e < 1; targets 1-e+e/C and e/C */
    float arc_margin;      /* radians; 0.5 */
    /* Of cosine layers; 0: chosen by the number of classes (Wang et al. 2018, CosFace), or for
     * KILN_RULE_LDA by the samples. */
    float cosine_scale;
    bool balance_classes; /* weigh samples by total / (classes * samples of the class) */
    kiln_start start;

    const char *optimizer; /* its name */
    float learning_rate;
    float momentum; /* sgd */
    bool nesterov;
    float rho;          /* rmsprop */
    float beta1, beta2; /* adam, adamw, lion */
    float epsilon;
    float weight_decay; /* adamw, lion */

    kiln_schedule schedule;
    uint32_t schedule_epochs;
    float schedule_factor;
    uint32_t warmup_epochs; /* the rate rises linearly to learning_rate, batch by batch */

    /* 0: 100, or what makes 2000 steps (batches) of few samples, so that 25 pictures are trained as
     * thoroughly as 2500. */
    uint32_t epochs;     /* up to 2^20 */
    uint32_t batch_size; /* 1 to 65536 */
    bool shuffle;
    uint32_t patience; /* stop after so many epochs without a lower validation loss; 0: never */
    bool restore_best; /* end with the weights of the lowest validation loss */
    /* After the epoch is chosen: train anew on all samples, validation ones included, for as many
     * steps as that epoch had seen. */
    bool refit;
    /* Where there are no validation samples: divide the training samples into so many parts, train
     * without each of them, and choose the epoch by how the parts that were left out are scored. 0
     * or 1: no. A class's only picture stays in; where all are such and the start is the class
     * means, these are kept: nothing could tell whether training gains anything. */
    uint32_t folds;
    /* Training samples in a row that show one picture (variants of it, itself first): never parted
     * among the folds. 0 = 1. */
    uint32_t variants;
    /* Of these, the first so many are views that new pictures may be like (itself, mirrored): the
     * means of KILN_RULE_LDA and its covariance within classes are theirs; the others (moved,
     * turned) tell it by how much features differ that should not. 0 = 1. */
    uint32_t views;
    uint64_t seed;    /* of initial weights, order and dropout */
    uint32_t threads; /* 0 = 1; up to 256 */

    /* Without a backbone: what a sample is (dims without the batch), and how a picture becomes one;
     * both are stored in the plan. */
    uint32_t input_rank;
    uint32_t input_dims[KILN_MAX_RANK];
    const kiln_preprocess *preprocess; /* NULL: the backbone's */

    /* Of all that the trainer holds and that training and saving take; NULL: the backbone's, or
     * without one malloc. It is copied; its context must outlive the trainer, and it must be
     * thread-safe. */
    const kiln_allocator *allocator;

    /* Samples whose features take no more memory are shuffled together; 0: all are. Where there are
     * more (lent, in a mapped file), blocks of consecutive samples are, and the samples of as many
     * blocks as fill that memory, into which they are copied: files are read in a row. */
    uint64_t shuffle_bytes;
} kiln_train_options;

/* Sets the defaults of the members that `size` holds: softmax head, standardized features,
 * cross-entropy, Adam at 0.001 (beta 0.9, 0.999, epsilon 1e-7), from the class means, epochs 0 of
 * batches of 32, shuffled, best weights restored, refitted on all samples, no folds, 1 thread,
 * seed 1. */
KILN_API void kiln_train_defaults(kiln_train_options *inout_options);
static inline void kiln_train_options_init(kiln_train_options *out_options) {
    out_options->size = sizeof *out_options;
    kiln_train_defaults(out_options);
}
/* Chooses an optimizer, with the learning rate and beta2 that suit it: adam at 0.001 with 0.999.
 * False, and nothing changed: there is no such optimizer. */
KILN_API bool kiln_optimizer_defaults(const char *name, kiln_train_options *inout_options);

/* ---- Training ------------------------------------------------------------------------------ */

typedef struct kiln_trainer kiln_trainer;

/* backbone: the pretrained network, or NULL to train the head alone on raw inputs. It must outlive
 * the trainer. Options are copied, class names included.
 * KILN_ERROR_ARGUMENT: an option is out of its range, or they do not fit each other or the backbone
 * (a cut that it does not have); KILN_ERROR_UNSUPPORTED: the backbone has several inputs, fewer
 * dense layers than are to be tuned, or what is cut is no row of features. */
KILN_API kiln_status kiln_trainer_create(const kiln_plan *backbone,
                                         const kiln_train_options *options,
                                         kiln_trainer **out_trainer, kiln_error *error);
/* NULL is allowed. */
KILN_API void kiln_trainer_destroy(kiln_trainer *trainer);

/* Numbers of one sample's features, f32. */
KILN_API size_t kiln_trainer_feature_count(const kiln_trainer *trainer);
/* The tensor that feeds the head; "" without a backbone. Owned by the trainer. */
KILN_API const char *kiln_trainer_cut(const kiln_trainer *trainer);

/* Runs the frozen part on `count` samples. `input`: count * the input's kiln_tensor_info.bytes, in
 * the input's own type (without a backbone, the samples' own numbers, f32); out_features: count *
 * feature_count numbers. The first call makes a session. KILN_ERROR_ARGUMENT: another size. */
KILN_API kiln_status kiln_trainer_extract(kiln_trainer *trainer, size_t count, kiln_span input,
                                          float *out_features, kiln_error *error);
/* A session of the frozen part, whose one output is the features: for many samples, give each
 * thread a session of one thread; they share the weights. `options` may be NULL. The caller
 * destroys it, before the trainer. KILN_ERROR_ARGUMENT: there is no backbone. */
KILN_API kiln_status kiln_trainer_open_session(const kiln_trainer *trainer,
                                               const kiln_session_options *options,
                                               kiln_session **out_session, kiln_error *error);
/* Whether such a session can have a max_batch above 1. */
KILN_API bool kiln_trainer_is_batchable(const kiln_trainer *trainer);

typedef enum kiln_split { KILN_TRAINING = 0, KILN_VALIDATION = 1 } kiln_split;

/* Adds one sample by its feature_count features, or (kiln_trainer_add_sample) by its input as of
 * kiln_trainer_extract, which is run here. Copies what it needs. KILN_ERROR_ARGUMENT: the label is
 * not below class_count, or a feature is not finite; nothing is added then. */
KILN_API kiln_status kiln_trainer_add_features(kiln_trainer *trainer, kiln_split split,
                                               const float *features, uint32_t label,
                                               kiln_error *error);
/* The same without a copy: the features stay the caller's, unchanged and where they are until the
 * trainer is destroyed. With features in a file that is mapped there may be more samples than fit
 * into memory: a trainer takes 30 bytes of its own for each. */
KILN_API kiln_status kiln_trainer_lend_features(kiln_trainer *trainer, kiln_split split,
                                                const float *features, uint32_t label,
                                                kiln_error *error);
KILN_API kiln_status kiln_trainer_add_sample(kiln_trainer *trainer, kiln_split split,
                                             kiln_span input, uint32_t label, kiln_error *error);
KILN_API size_t kiln_trainer_sample_count(const kiln_trainer *trainer, kiln_split split);
/* The features and (out_label not NULL) the label of a sample, in the order in which they were
 * added; NULL: there is none of that number. Owned by the trainer, or the caller's own. */
KILN_API const float *kiln_trainer_sample(const kiln_trainer *trainer, kiln_split split,
                                          size_t index, uint32_t *out_label);

/* Whether a network ends in an embedding: it has no labels, ends in no softmax or sigmoid, and its
 * output is a row of 64 numbers or more, a multiple of 32, which numbers of classes hardly are. Its
 * features suit heads that compare directions: the command's default for them is KILN_RULE_LDA. */
KILN_API bool kiln_plan_is_embedding(const kiln_plan *plan);

/* Means over an epoch. Loss and accuracy are taken while training (dropout on, weights changing),
 * as Keras does; those of epoch 0 are of the start, before any training. Validation figures are NaN
 * when nothing is held out. With folds, all are means over them. */
typedef struct kiln_epoch {
    uint32_t epoch; /* from 0 */
    float loss, accuracy;
    float validation_loss, validation_accuracy;
    float learning_rate; /* of its last batch */
    float seconds;
} kiln_epoch;

typedef struct kiln_train_callbacks {
    size_t size; /* sizeof(kiln_train_callbacks), as of options */
    void *context;
    /* After each batch (of `batches` in the epoch), with the epoch's means so far. Non-zero: stop
     * now. May be NULL. */
    int (*batch)(void *context, uint32_t epoch, size_t batch, size_t batches, float loss,
                 float accuracy);
    /* After each epoch; kiln_trainer_checkpoint may be called in it. Non-zero: stop. May be NULL.
     */
    int (*epoch)(void *context, const kiln_epoch *epoch);
} kiln_train_callbacks;
KILN_OPTIONS_INIT(kiln_train_callbacks)

/* Trains up to options.epochs (continues after kiln_trainer_resume), takes the epoch with the
 * lowest validation loss, which may be epoch 0, and refits. With folds, epochs are told when all
 * folds are trained, and patience looks at their means. `callbacks` may be NULL; stopped by one,
 * it returns KILN_OK, without refitting unless there are folds. A loss that is not finite ends it
 * with KILN_ERROR_ARGUMENT; the weights are then the best so far. KILN_ERROR_ARGUMENT, too: there
 * are no training samples. */
KILN_API kiln_status kiln_trainer_fit(kiln_trainer *trainer, const kiln_train_callbacks *callbacks,
                                      kiln_error *error);

/* Epochs so far, from epoch 0 on; none before fit. Owned by the trainer, valid until it is next
 * used. */
KILN_API size_t kiln_trainer_history(const kiln_trainer *trainer, const kiln_epoch **out_epochs);
/* The epoch whose weights the trainer has after fit, or for as many steps as which it was refitted
 * (restore_best; else the last). */
KILN_API uint32_t kiln_trainer_best_epoch(const kiln_trainer *trainer);
/* How many epochs fit makes of the samples that have been added; 0: the head is computed at once.
 */
KILN_API uint32_t kiln_trainer_epochs(const kiln_trainer *trainer);
/* The samples that fit's refit has trained on; 0: there was none. */
KILN_API size_t kiln_trainer_refitted(const kiln_trainer *trainer);

/* Scores that are kept of samples held out, 256 MiB of them. */
#define KILN_HELD_OUT_SCORES ((size_t)1 << 26)

/* Samples held out by fit, and how heads scored them that had not seen them, as
 * kiln_trainer_predict does (calibrate divides these logits, too): `out_samples` are numbers of
 * samples of one split, the validation samples or, with folds, training samples; where all would be
 * more than KILN_HELD_OUT_SCORES numbers, every second, third, ... of them. Returns how many; 0:
 * none. Owned by the trainer, valid until it is next used; scores: [count][class_count]. */
KILN_API size_t kiln_trainer_held_out(const kiln_trainer *trainer, kiln_split *out_split,
                                      const uint32_t **out_samples, const float **out_scores);

/* Class scores (probabilities for softmax and cosine heads) of `count` samples, by their features,
 * [count][feature_count], into out_scores, [count][class_count]. */
KILN_API kiln_status kiln_trainer_predict(kiln_trainer *trainer, const float *features,
                                          size_t count, float *out_scores, kiln_error *error);

/* Samples held out below which probabilities cannot be calibrated: the share of right answers among
 * n of them that say 0.8 is known to 0.4 / sqrt(n). */
#define KILN_CALIBRATION_SAMPLES 50
/* Pictures a class below which they are calibrated roughly: what is held out of two is scored by
 * heads that have seen one. */
#define KILN_CALIBRATION_PICTURES 3

/* Temperature scaling (Guo et al. 2017, arXiv 1706.04599): divides the logits by the temperature
 * that makes the samples held out likeliest, so that a probability says how often it is right. N
 * samples that are all right do not make it certain: the target of their class is (N + 1) / (N +
 * 2), as Platt 1999 has it. A head of KILN_RULE_LDA that was trained anew on n pictures a class,
 * where m told the temperature, is surer by (1 + 1 / m) / (1 + 1 / n), and by what its weights have
 * less of chance. Changes no decision. With fewer than KILN_CALIBRATION_SAMPLES held out, or for
 * outputs that are no softmax: 1, nothing done. */
KILN_API kiln_status kiln_trainer_calibrate(kiln_trainer *trainer, float *out_temperature,
                                            kiln_error *error);

/* ---- Layers -------------------------------------------------------------------------------- */

typedef struct kiln_dense_info {
    size_t inputs, units; /* units of KILN_RULE_KNN: those of a class in a row, as many each */
    kiln_activation activation;
    float dropout;
    float *weights; /* [units][inputs]; owned by the trainer; may be written to between calls */
    float *biases;  /* [units]; NULL for cosine layers, but for those of KILN_RULE_LDA */
} kiln_dense_info;

KILN_API size_t kiln_trainer_layer_count(const kiln_trainer *trainer);
/* KILN_ERROR_ARGUMENT, and *out_info stays as it was: `layer` is not below the count. */
KILN_API kiln_status kiln_trainer_layer(const kiln_trainer *trainer, size_t layer,
                                        kiln_dense_info *out_info);

/* ---- Files --------------------------------------------------------------------------------- */

/* Writes the frozen part and the head as a plan, to a temporary file that is then renamed: the file
 * of that name is either untouched or complete. It may be the backbone's own. */
KILN_API kiln_status kiln_trainer_save(kiln_trainer *trainer, const char *path, kiln_error *error);
/* The same to memory: *out_bytes is released with kiln_free. NULL and 0 after an error. */
KILN_API kiln_status kiln_trainer_save_memory(kiln_trainer *trainer, void **out_bytes,
                                              size_t *out_size, kiln_error *error);
/* Metadata for the plan (kiln_plan_metadata). A key set again is replaced. Copied. */
KILN_API kiln_status kiln_trainer_describe(kiln_trainer *trainer, const char *key,
                                           const char *value, kiln_error *error);

/* An optional section of the plan (schemas/plan.md), in place of the one that the backbone may have
 * of that tag, a text of 1 to 8 characters (KILN_ERROR_ARGUMENT: another); no bytes: the plan has
 * none of it. Copied. */
KILN_API kiln_status kiln_trainer_attach(kiln_trainer *trainer, const char *tag, kiln_span content,
                                         kiln_error *error);

/* The state of training (weights, optimizer, history), so that it goes on bit-identically in a
 * trainer that has been created with the same options and given the same samples; another is
 * refused with KILN_ERROR_ARGUMENT, what is no checkpoint or damaged with KILN_ERROR_FORMAT. Heads
 * that are computed at once, and folds, have none: KILN_ERROR_ARGUMENT. Written to a temporary file
 * that is then renamed. */
KILN_API kiln_status kiln_trainer_checkpoint(const kiln_trainer *trainer, const char *path,
                                             kiln_error *error);
KILN_API kiln_status kiln_trainer_resume(kiln_trainer *trainer, const char *path,
                                         kiln_error *error);

#ifdef __cplusplus
}
#endif
#endif
