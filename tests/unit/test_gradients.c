/* Analytic gradients of every head against central differences. Built twice: in single precision,
 * with the library's products, and in double precision (test_gradients_double), where the bound is
 * tight. */
#include "runtime/train/network.h"
#include "tests/unit/suite.h"

#include <check.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#ifdef KILN_TRAIN_VECTORS
#define STEP 4e-3
#define BOUND 1e-3
#else
#define STEP 1e-5
#define BOUND 1e-6
#endif

#define FEATURES ((size_t)7)
#define BATCH ((size_t)5)
enum { CLASSES = 4 };

typedef struct trial {
    const char *head;
    kiln_loss loss;
    float smoothing, margin;
    bool weighted;
} trial;

static const trial trials[] = {
    {"softmax", KILN_LOSS_CROSS_ENTROPY, 0, 0, false},
    {"softmax", KILN_LOSS_CROSS_ENTROPY, 0.1f, 0, true},
    {"softmax", KILN_LOSS_MEAN_SQUARED_ERROR, 0, 0, false},
    {"linear", KILN_LOSS_MEAN_SQUARED_ERROR, 0, 0, true},
    {"sigmoid", KILN_LOSS_MEAN_SQUARED_ERROR, 0, 0, false},
    {"tanh", KILN_LOSS_MEAN_SQUARED_ERROR, 0, 0, false},
    {"6:relu,softmax", KILN_LOSS_CROSS_ENTROPY, 0, 0, false},
    {"6:tanh,softmax", KILN_LOSS_CROSS_ENTROPY, 0, 0, false},
    {"6:sigmoid,softmax", KILN_LOSS_CROSS_ENTROPY, 0, 0, false},
    {"6:linear,5:tanh,softmax", KILN_LOSS_CROSS_ENTROPY, 0.05f, 0, true},
    {"dropout:0.3,softmax", KILN_LOSS_CROSS_ENTROPY, 0, 0, false},
    {"6:tanh,dropout:0.4,softmax", KILN_LOSS_CROSS_ENTROPY, 0, 0, false},
    {"dropout:0.2,8:relu,dropout:0.5,5:tanh,softmax", KILN_LOSS_MEAN_SQUARED_ERROR, 0, 0, false},
    {"6:tanh,l2:0.05,softmax,l2:0.02", KILN_LOSS_CROSS_ENTROPY, 0, 0, false},
    {"cosine", KILN_LOSS_CROSS_ENTROPY, 0, 0, false},
    {"cosine,l2:0.01", KILN_LOSS_CROSS_ENTROPY, 0.1f, 0, true},
    {"cosine", KILN_LOSS_ARCFACE, 0, 0.3f, false},
    {"cosine", KILN_LOSS_MEAN_SQUARED_ERROR, 0, 0, false},
    {"6:tanh,cosine", KILN_LOSS_CROSS_ENTROPY, 0, 0, false},
    {"6:tanh,dropout:0.3,cosine", KILN_LOSS_ARCFACE, 0, 0.5f, false},
    {"dropout:0.3,cosine", KILN_LOSS_ARCFACE, 0, 0.2f, false},
};

static network net;
static kiln_train_options options;
static kiln_error error;
static real features[BATCH * FEATURES + 16], class_weights[CLASSES] = {0.5f, 2, 1, 1.25f};
static uint32_t labels[BATCH];

static void prepare(const trial *t) {
    kiln_train_options_init(&options);
    ck_assert_msg(kiln_head_parse(t->head, &options.head, &error) == KILN_OK, "%s", error.message);
    options.class_count = CLASSES;
    options.loss = t->loss;
    options.label_smoothing = t->smoothing;
    options.arc_margin = t->margin;
    options.cosine_scale = 4;
    options.batch_size = BATCH;
    options.optimizer = "sgd";
    options.seed = 7;
    ck_assert_int_eq(network_create(&options, FEATURES, NULL, &net, &error), KILN_OK);
    for (size_t k = 0; k < BATCH * FEATURES; k++) {
        features[k] = 2 * (real)random_uniform(3, 1, k) - 1;
    }
    for (size_t n = 0; n < BATCH; n++) {
        labels[n] = (uint32_t)(random_bits(3, 2, n) % CLASSES);
    }
    for (size_t l = 0; l < net.count; l++) {
        for (size_t u = 0; net.layers[l].biases != NULL && u < net.layers[l].units; u++) {
            net.layers[l].biases[u] = (real)random_uniform(3, 10 + l, u) - (real)0.5;
        }
    }
}

static double loss_at(const trial *t) {
    ck_assert_int_eq(network_forward(&net, features, BATCH, true, 9, &error), KILN_OK);
    batch_result r = network_loss(&net, labels, t->weighted ? class_weights : NULL, BATCH);
    return r.loss / (double)BATCH + network_penalty(&net);
}

/* |numeric - analytic| / (|numeric| + |analytic|), over all weights. */
static double check_weights(const trial *t, real *weights, const real *gradient, size_t count) {
    double difference = 0, numeric_size = 0, analytic_size = 0;
    for (size_t k = 0; k < count; k++) {
        real kept = weights[k];
        weights[k] = kept + (real)STEP;
        double up = loss_at(t), width = (double)weights[k];
        weights[k] = kept - (real)STEP;
        double down = loss_at(t);
        width -= (double)weights[k];
        weights[k] = kept;
        double numeric = (up - down) / width, analytic = (double)gradient[k];
        difference += (numeric - analytic) * (numeric - analytic);
        numeric_size += numeric * numeric;
        analytic_size += analytic * analytic;
    }
    return sqrt(difference) / (sqrt(numeric_size) + sqrt(analytic_size));
}

/* With plain SGD at a rate of 1 the gradient is what is taken off. */
static real *gradient_by_update(real *weights, const real *before, size_t count) {
    real *gradient = malloc(count * sizeof *gradient);
    for (size_t k = 0; k < count; k++) {
        gradient[k] = before[k] - weights[k];
        weights[k] = before[k];
    }
    return gradient;
}

static real *copy_of(const real *from, size_t count) {
    real *copy = malloc(count * sizeof *copy);
    memcpy(copy, from, count * sizeof *copy);
    return copy;
}

START_TEST(gradients_are_right) {
    const trial *t = &trials[_i];
    prepare(t);
    real *before[KILN_MAX_HEAD_LAYERS][2] = {0}, *gradients[KILN_MAX_HEAD_LAYERS][2] = {0};
    for (size_t l = 0; l < net.count; l++) {
        const dense *d = &net.layers[l];
        before[l][0] = copy_of(d->weights, d->inputs * d->units);
        before[l][1] = d->biases != NULL ? copy_of(d->biases, d->units) : NULL;
    }
    (void)loss_at(t);
    update u = optimizer_update(&options, 1, 1);
    ck_assert_int_eq(network_backward(&net, BATCH, &u, &error), KILN_OK);
    for (size_t l = 0; l < net.count; l++) {
        dense *d = &net.layers[l];
        gradients[l][0] = gradient_by_update(d->weights, before[l][0], d->inputs * d->units);
        if (d->biases != NULL) {
            gradients[l][1] = gradient_by_update(d->biases, before[l][1], d->units);
        }
    }
    for (size_t l = 0; l < net.count; l++) {
        dense *d = &net.layers[l];
        double worst = check_weights(t, d->weights, gradients[l][0], d->inputs * d->units);
        if (d->biases != NULL) {
            worst = fmax(worst, check_weights(t, d->biases, gradients[l][1], d->units));
        }
        ck_assert_msg(worst <= BOUND, "%s, loss %d, layer %zu: relative error %g", t->head,
                      (int)t->loss, l, worst);
        for (int k = 0; k < 2; k++) {
            free(before[l][k]);
            free(gradients[l][k]);
        }
    }
    network_destroy(&net);
}
END_TEST

START_TEST(max_norm_limits_every_unit) {
    static const trial t = {"6:relu,maxnorm:0.5,softmax", KILN_LOSS_CROSS_ENTROPY, 0, 0, false};
    prepare(&t);
    (void)loss_at(&t);
    update u = optimizer_update(&options, 1, 1);
    ck_assert_int_eq(network_backward(&net, BATCH, &u, &error), KILN_OK);
    const dense *d = &net.layers[0];
    double largest = 0;
    for (size_t unit = 0; unit < d->units; unit++) {
        double sum = 0;
        for (size_t k = 0; k < d->inputs; k++) {
            sum += (double)(d->weights[unit * d->inputs + k] * d->weights[unit * d->inputs + k]);
        }
        largest = fmax(largest, sqrt(sum));
    }
    ck_assert(largest <= 0.5 * (1 + 1e-6));
    ck_assert(largest >= 0.5 * (1 - 1e-6));
    network_destroy(&net);
}
END_TEST

int main(void) {
    const suite_test tests[] = {
        EACH("gradients", gradients_are_right, trials),
        TEST("max_norm", max_norm_limits_every_unit),
    };
    return SUITE("gradients", tests);
}
