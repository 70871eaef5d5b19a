/* Losses and their gradients, from logits in columns: [classes][count]. */
#include "runtime/train/activation.h"

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

static bool is_softmax(kiln_activation activation) {
    return activation == KILN_ACTIVATION_SOFTMAX || activation == KILN_ACTIVATION_COSINE;
}

void network_scores(network *net, size_t count) {
    dense *last = &net->layers[net->count - 1];
    if (is_softmax(last->activation)) {
        softmax_columns(last->output, last->units, count);
    } else {
        activate_all(last->activation, last->output, last->units * count);
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

/* -sum of target * log softmax, and its gradient; z becomes the softmax. */
static double cross_entropy(const network *net, real *z, real *delta, size_t count, size_t n,
                            uint32_t label, real weight) {
    const dense *last = &net->layers[net->count - 1];
    size_t classes = last->units;
    real slope = 1, largest = 0, sum = 0;
    if (net->loss == KILN_LOSS_ARCFACE) {
        slope = add_margin(last->scale, net->arc_margin, &z[label * count + n]);
    }
    largest = z[best_class(z, classes, count, n) * count + n];
    for (size_t c = 0; c < classes; c++) {
        sum += exp(z[c * count + n] - largest);
    }
    real log_sum = largest + log(sum), off = net->label_smoothing / (real)classes;
    double loss = 0;
    for (size_t c = 0; c < classes; c++) {
        real target = off + (c == label ? 1 - net->label_smoothing : 0);
        real log_score = z[c * count + n] - log_sum, score = exp(log_score);
        loss -= (double)(target * log_score);
        delta[c * count + n] = weight * (score - target) / (real)count;
        z[c * count + n] = score;
    }
    delta[label * count + n] *= slope;
    return loss;
}

/* Mean over classes of (y - target)^2; z holds the scores y already. */
static double squared_error(const dense *last, const real *y, real *delta, size_t count, size_t n,
                            uint32_t label, real weight) {
    size_t classes = last->units;
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
        delta[c * count + n] =
            is_softmax(last->activation)
                ? score * (delta[c * count + n] - along)
                : delta[c * count + n] * activation_slope(last->activation, score);
    }
    return loss;
}

batch_result network_loss(network *net, const uint32_t *labels, const real *class_weights,
                          size_t count) {
    dense *last = &net->layers[net->count - 1];
    batch_result result = {0};
    for (size_t n = 0; n < count; n++) {
        result.correct += best_class(last->output, last->units, count, n) == labels[n];
    }
    bool squared = net->loss == KILN_LOSS_MEAN_SQUARED_ERROR;
    if (squared) {
        network_scores(net, count);
    }
    for (size_t n = 0; n < count; n++) {
        real weight = class_weights != NULL ? class_weights[labels[n]] : 1;
        double loss =
            squared ? squared_error(last, last->output, last->delta, count, n, labels[n], weight)
                    : cross_entropy(net, last->output, last->delta, count, n, labels[n], weight);
        result.loss += (double)weight * loss;
    }
    return result;
}
