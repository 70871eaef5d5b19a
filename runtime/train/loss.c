/* Losses and their gradients, from logits in columns: [classes][count]. One row of the table each.
 */
#include "runtime/train/network.h"

#include <assert.h>
#include <math.h>
#include <tgmath.h>

void softmax_columns(real *z, size_t classes, size_t count) {
    for (size_t n = 0; n < count; n++) {
        real largest = z[n], sum = 0;
        for (size_t c = 1; c < classes; c++) {
            largest = z[c * count + n] > largest ? z[c * count + n] : largest;
        }
        for (size_t c = 0; c < classes; c++) {
            real e = exp(z[c * count + n] - largest);
            z[c * count + n] = e;
            sum += e;
        }
        for (size_t c = 0; c < classes; c++) {
            z[c * count + n] /= sum;
        }
    }
}

void network_scores(network *net, size_t count) {
    dense *last = &net->layers[net->count - 1];
    const activation *a = activation_of(last->activation);
    if (a->softmax) {
        softmax_columns(last->output, network_classes(net), count);
    } else {
        a->apply(last->output, network_classes(net) * count);
    }
}

/* ---- Angular margin ------------------------------------------------------------------------ */

/* The label's logit, scale * cos(angle), becomes scale * cos(angle + margin); returns d new / d
 * old. Past pi the margin would turn round: there a straight line goes on (as ArcFace's authors
 * do). */
static real add_margin(real scale, real margin, real *inout_logit) {
    real cosine = *inout_logit / scale, limit = 1 - (real)1e-7;
    cosine = cosine > limit ? limit : cosine < -limit ? -limit : cosine;
    real sine = sqrt(1 - cosine * cosine);
    if (cosine <= cos((real)M_PI - margin)) {
        *inout_logit = scale * (cosine - sin((real)M_PI - margin) * margin);
        return 1;
    }
    *inout_logit = scale * (cosine * cos(margin) - sine * sin(margin));
    return cos(margin) + cosine / sine * sin(margin);
}

/* ---- Losses -------------------------------------------------------------------------------- */

static size_t best_class(const real *z, size_t classes, size_t count, size_t n) {
    size_t best = 0;
    for (size_t c = 1; c < classes; c++) {
        best = z[c * count + n] > z[best * count + n] ? c : best;
    }
    return best;
}

/* The sum of -target * log softmax, and its gradient. */
static double cross_entropy(const network *net, size_t count, size_t n, uint32_t label,
                            real weight) {
    const dense *last = &net->layers[net->count - 1];
    size_t classes = network_classes(net);
    real *z = last->output;
    real largest = z[best_class(z, classes, count, n) * count + n], sum = 0;
    for (size_t c = 0; c < classes; c++) {
        sum += exp(z[c * count + n] - largest);
    }
    real log_sum = largest + log(sum), off = net->label_smoothing / (real)classes;
    double loss = 0;
    for (size_t c = 0; c < classes; c++) {
        real target = off + (c == label ? 1 - net->label_smoothing : 0);
        real log_score = z[c * count + n] - log_sum, score = exp(log_score);
        loss -= (double)(target * log_score);
        last->delta[c * count + n] = weight * (score - target) / (real)count;
        z[c * count + n] = score;
    }
    return loss;
}

/* Cross-entropy behind a margin. */
static double arcface(const network *net, size_t count, size_t n, uint32_t label, real weight) {
    const dense *last = &net->layers[net->count - 1];
    real slope = add_margin(last->scale, net->arc_margin, &last->output[label * count + n]);
    double loss = cross_entropy(net, count, n, label, weight);
    last->delta[label * count + n] *= slope;
    return loss;
}

/* The mean over classes of (y - target)^2, and its gradient. */
static double squared_error(const network *net, size_t count, size_t n, uint32_t label,
                            real weight) {
    const dense *last = &net->layers[net->count - 1];
    const activation *a = activation_of(last->activation);
    size_t classes = network_classes(net);
    const real *y = last->output;
    real *delta = last->delta;
    real share = weight * 2 / (real)(classes * count), along = 0;
    double loss = 0;
    for (size_t c = 0; c < classes; c++) {
        real error = y[c * count + n] - (c == label ? 1 : 0);
        loss += (double)(error * error) / (double)classes;
        delta[c * count + n] = share * error;
        along += share * error * y[c * count + n];
    }
    for (size_t c = 0; c < classes; c++) {
        real score = y[c * count + n];
        delta[c * count + n] = a->softmax ? score * (delta[c * count + n] - along)
                                          : delta[c * count + n] * a->slope(score);
    }
    return loss;
}

/* ---- The table ----------------------------------------------------------------------------- */

static bool softmax_only(kiln_activation last) {
    return activation_of(last)->softmax;
}

static bool cosine_only(kiln_activation last) {
    return last == KILN_ACTIVATION_COSINE;
}

static bool any(kiln_activation last) {
    (void)last;
    return true;
}

#define LABEL_SMOOTHING RANGE("label smoothing", label_smoothing, 0, 1)

static const loss_function losses[] = {
    [KILN_LOSS_CROSS_ENTROPY] = {.name = "cross-entropy",
                                 .fits = softmax_only,
                                 .needs = "cross-entropy needs a head that ends in softmax or "
                                          "cosine",
                                 .sample = cross_entropy,
                                 .ranges = RANGES(LABEL_SMOOTHING)},
    [KILN_LOSS_MEAN_SQUARED_ERROR] = {.name = "mse",
                                      .fits = any,
                                      .of_scores = true,
                                      .sample = squared_error},
    [KILN_LOSS_ARCFACE] = {.name = "arcface",
                           .fits = cosine_only,
                           .needs = "ArcFace needs a head that ends in cosine",
                           .sample = arcface,
                           .ranges = RANGES(LABEL_SMOOTHING, RANGE("margin", arc_margin, 0, 1.6f))},
};
static_assert(sizeof losses / sizeof *losses == KILN_LOSS_COUNT,
              "a loss of train.h has no row here");

const loss_function *loss_of(kiln_loss which) {
    return (unsigned)which < KILN_LOSS_COUNT ? &losses[which] : NULL;
}

const char *kiln_loss_name(kiln_loss which) {
    const loss_function *l = loss_of(which);
    return l != NULL ? l->name : NULL;
}

batch_result network_loss(network *net, const uint32_t *labels, const real *class_weights,
                          size_t count) {
    const dense *last = &net->layers[net->count - 1];
    batch_result result = {0};
    for (size_t n = 0; n < count; n++) {
        result.correct += best_class(last->output, network_classes(net), count, n) == labels[n];
    }
    if (net->loss->of_scores) {
        network_scores(net, count);
    }
    for (size_t n = 0; n < count; n++) {
        real weight = class_weights != NULL ? class_weights[labels[n]] : 1;
        double loss = net->loss->sample(net, count, n, labels[n], weight);
        result.loss += (double)weight * loss;
    }
    return result;
}
