/* The head as a small network of dense layers: forward, loss, backward, update. Knows nothing of
 * plans, files or epochs. Built in double precision by the gradient test (KILN_TRAIN_REAL). */
#ifndef KILN_RUNTIME_NETWORK_H
#define KILN_RUNTIME_NETWORK_H

#include "runtime/base/thread_pool.h"
#include "runtime/train/range.h"

#ifndef KILN_TRAIN_REAL
#define KILN_TRAIN_REAL float
#define KILN_TRAIN_VECTORS 1 /* micro-kernels multiply, which know floats alone */
#endif
typedef KILN_TRAIN_REAL real;

/* ---- Random numbers (random.c) ------------------------------------------------------------- */

/* Number `index` of stream `stream` (splitmix64, Steele et al. 2014). Random numbers are counted,
 * not drawn, so that a resumed run needs no state. */
uint64_t random_bits(uint64_t seed, uint64_t stream, uint64_t index);
/* A number in [0, 1) of 24 bits. */
float random_uniform(uint64_t seed, uint64_t stream, uint64_t index);
/* A permutation of 0 .. count-1 (Fisher and Yates). */
void random_order(uint64_t seed, uint64_t stream, uint32_t *out_order, size_t count);
/* Shuffles a list by the numbers behind `index`. */
void random_shuffle(uint64_t seed, uint64_t stream, uint64_t index, uint32_t *inout_list,
                    size_t count);

/* ---- Matrix products (products.c) ---------------------------------------------------------- */

/* y[m][n] = sum over k of a[m][k] b, where b lies as [n][k] or, with b_by_k, as [k][n]. b is
 * packed where m is large; a is read as it lies. */
typedef struct product {
    size_t k, n;
    const real *b;
    bool b_by_k;
    thread_pool *pool;
    const kiln_allocator *allocator; /* of what is packed */
    void *packed; /* b in panels; NULL where m is small, and in double precision */
} product;
kiln_status product_create(size_t m, size_t k, size_t n, const real *b, bool b_by_k,
                           thread_pool *pool, const kiln_allocator *allocator, product *out_product,
                           kiln_error *error);
/* Multiplies any part of the m rows. */
void product_run(const product *p, size_t m, const real *a, real *y);
void product_destroy(product *p);
/* Creates a product, runs it and destroys it. */
kiln_status product_once(size_t m, size_t k, size_t n, const real *a, const real *b, bool b_by_k,
                         real *y, thread_pool *pool, const kiln_allocator *allocator,
                         kiln_error *error);

/* ---- Optimizers (optimizer.c, optimizers/) ------------------------------------------------- */

/* What an update needs to know besides the weights. */
typedef struct update {
    const struct optimizer *optimizer;
    const kiln_train_options *options;
    real rate;
    real correction1, correction2; /* 1 - beta^t */
} update;

/* It updates one row of weights at a time, while its gradient is still in cache. */
typedef struct optimizer {
    const char *name;
    const char *formula;        /* as kiln_optimizer_formula tells it */
    float learning_rate, beta2; /* to begin with; beta2 is 0 where it has none */
    /* How many numbers of state a weight has: 0, 1 or 2. */
    size_t (*moments)(const kiln_train_options *options);
    /* Updates `count` weights w by their gradients g and moments m and s, of which those that it
     * does not have are NULL. */
    void (*apply)(const update *u, size_t count, real *w, const real *g, real *m, real *s);
    const range *ranges; /* NULL: none */
} optimizer;

/* Number k, from 0 on, or by name; NULL: there is none. */
const optimizer *optimizer_at(size_t k);
const optimizer *optimizer_named(const char *name);
update optimizer_update(const kiln_train_options *options, real rate, uint64_t step);

/* ---- Activations (activation.c) ------------------------------------------------------------ */

typedef struct activation {
    const char *name;
    bool inner;   /* may stand between layers, not only behind the last */
    bool softmax; /* scores are the softmax of the logits */
    /* What the others are: apply changes each element in place; slope is d y / d z, from y. */
    void (*apply)(real *z, size_t size);
    real (*slope)(real y);
    const range *ranges; /* NULL: none */
} activation;

/* NULL: not one. */
const activation *activation_of(kiln_activation which);

/* ---- Losses (loss.c) ----------------------------------------------------------------------- */

struct network;

typedef struct loss_function {
    const char *name;
    /* Whether a head may end in this activation, and what is said when it may not. */
    bool (*fits)(kiln_activation last);
    const char *needs;
    bool of_scores; /* it takes scores, the others logits */
    /* The loss of sample n of `count`, with the gradient of the batch's mean; leaves scores. */
    double (*sample)(const struct network *net, size_t count, size_t n, uint32_t label,
                     real weight);
    const range *ranges; /* NULL: none */
} loss_function;

/* NULL: not one. */
const loss_function *loss_of(kiln_loss which);

/* ---- Layers (network.c, dense.c) ----------------------------------------------------------- */

#define TRANSPOSED_COLUMNS ((size_t)64) /* weights that going backward works on at a time */

/* Samples lie in columns, [features][batch], but for the network's input, which lies as it is
 * gathered: [batch][features]. So weights, [units][inputs], are the large operand of every product
 * and are never packed. */
typedef struct dense {
    size_t inputs, units;
    kiln_activation activation;
    real dropout, l2, max_norm;
    real scale; /* cosine heads */
    real *weights, *biases;
    real *moments[2], *bias_moments[2];
    /* What follows belongs to the batch at hand. */
    const real *multiplied; /* what the weights were multiplied by: the layer below's output, the
                               network's input [batch][inputs], or `input` */
    real *input;            /* a copy, after dropout or of length 1; NULL when neither is needed */
    real *output;           /* after the activation; the last layer: logits, then scores */
    real *delta;            /* d loss / d (W x + b) */
    uint8_t *kept;          /* dropout's mask, as input lies; NULL without dropout */
    real *unit_weights, *weight_norms, *input_norms; /* cosine heads */
} dense;

typedef struct network {
    dense layers[KILN_MAX_HEAD_LAYERS];
    size_t count;
    /* So many neighbouring units of the last layer are one class, whose score is their largest. */
    size_t group;
    size_t batch; /* the largest batch */
    thread_pool *pool;
    const kiln_allocator *allocator; /* borrowed */
    real *rows; /* scratch: gradients of some rows of weights, or transposed weights */
    size_t row_room;
    uint64_t seed;
    const loss_function *loss;
    real label_smoothing, arc_margin;
} network;

/* How many classes the last layer tells apart. */
static inline size_t network_classes(const network *net) {
    return net->layers[net->count - 1].units / net->group;
}

/* Layers of the head on `features` inputs; weights by Glorot's uniform rule from the seed. */
kiln_status network_create(const kiln_train_options *options, size_t features, thread_pool *pool,
                           network *out_network, kiln_error *error);
void network_destroy(network *net);
/* What cosine layers multiply cosines by, unless something better is known. */
real network_scale(const kiln_train_options *options);
/* Makes the network as it was created: random weights, no biases, no moments. */
void network_reset(network *net);
/* Makes the one layer of a head that is not trained as wide as `group` units a class; weights 0. */
kiln_status network_widen(network *net, size_t group, kiln_error *error);

/* Computes `count` samples, [count][features], to columns of the last layer's output, where it
 * leaves logits: network_scores makes scores of them. `step` is the stream of dropout, which is for
 * training only. */
kiln_status network_forward(network *net, const real *features, size_t count, bool training,
                            uint64_t step, kiln_error *error);
/* Turns logits into scores, in place in the last layer's output. */
void network_scores(network *net, size_t count);

typedef struct batch_result {
    double loss; /* sum over samples, weighted; regularisation not included */
    size_t correct;
} batch_result;

/* Loss against labels; turns logits into scores and sets the last layer's delta (gradient of the
 * mean over count). weights: by class, or NULL. (loss.c) */
batch_result network_loss(network *net, const uint32_t *labels, const real *class_weights,
                          size_t count);
/* The sum of the layers' l2 terms. */
double network_penalty(const network *net);
/* Goes backward from the last layer's delta and updates every layer. */
kiln_status network_backward(network *net, size_t count, const update *u, kiln_error *error);

/* loss.c: softmax over the rows of each column of z [classes][count]; writes scores over it. */
void softmax_columns(real *z, size_t classes, size_t count);

#endif
