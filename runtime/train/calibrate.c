/* Probabilities that are right as often as they say. */
#include "runtime/base/memory.h"
#include "runtime/train/trainer.h"

#include <math.h>

/* The mean negative log likelihood, at a temperature, of the samples that are held out. It is
 * computed from probabilities, whose logarithms are logits up to a constant. */
static double likelihood(const kiln_trainer *t, double temperature) {
    size_t classes = t->options.class_count, first = t->samples[KILN_TRAINING].count;
    double count = (double)t->held_out, sure = (count + 1) / (count + 2), total = 0;
    double rest = (1 - sure) / (double)(classes - 1);
    for (size_t n = 0; n < t->held_out; n++) {
        const float *scores = t->held_scores + n * classes;
        size_t sample = t->held_samples[n] + (t->held_split == KILN_VALIDATION ? first : 0);
        uint32_t label = sample_label(t, (uint32_t)sample);
        double sum = 0, wanted = 0;
        for (size_t c = 0; c < classes; c++) {
            double logit = log(fmax((double)scores[c], 1e-30)) / temperature;
            sum += exp(logit);
            wanted += logit * (c == label ? sure : rest);
        }
        total += log(sum) - wanted;
    }
    return total / count;
}

/* The logarithm of the temperature between 0.001 and 100, by golden sections: the likelihood is
 * convex in its reciprocal (Boyd and Vandenberghe 2004, 3.1.5), so has one minimum. */
static double likeliest(const kiln_trainer *t) {
    const double golden = 0.6180339887498949;
    double low = log(0.001), high = log(100);
    double left = high - golden * (high - low), right = low + golden * (high - low);
    double at_left = likelihood(t, exp(left)), at_right = likelihood(t, exp(right));
    for (int k = 0; k < 24; k++) {
        if (at_left < at_right) {
            high = right;
            right = left;
            at_right = at_left;
            left = high - golden * (high - low);
            at_left = likelihood(t, exp(left));
        } else {
            low = left;
            left = right;
            at_left = at_right;
            right = low + golden * (high - low);
            at_right = likelihood(t, exp(right));
        }
    }
    return (low + high) / 2;
}

/* What the head, which has learned from all, may be surer by than those that scored what was held
 * out, of m pictures a class where all are n. With normal distributions, first, a logit is of the
 * likelihood of a picture's distance to means, whose covariance is S (1 + 1 / n). Second, what
 * weights have of chance, noise / n, makes them longer and no nearer to what they should be: for
 * weights of length 1 the likeliest factor is as the inverse of their length before, and what the
 * temperature divides is in proportion to that length. */
static kiln_status find_gain(const kiln_trainer *t, double *out_gain, kiln_error *error) {
    size_t first = t->held_split == KILN_VALIDATION ? t->samples[KILN_TRAINING].count : 0;
    double spread;
    *out_gain = 1;
    if (t->options.head.rule != KILN_RULE_LDA) {
        return KILN_OK;
    }
    uint32_t *samples = memory_take(&t->allocator, t->held_out * sizeof *samples);
    if (samples == NULL) {
        return memory_fail(error);
    }
    for (size_t k = 0; k < t->held_out; k++) {
        samples[k] = t->held_samples[k] + (uint32_t)first;
    }
    kiln_status status = classes_spread(t, samples, t->held_out, 1, &spread, error);
    if (status == KILN_OK) {
        double more = (t->held_spread - spread) / (double)t->held_out; /* 1 / m - 1 / n */
        *out_gain = t->held_spread / spread * (1 + t->noise * more);
    }
    memory_free(samples);
    return status;
}

static void divide_logits(dense *last, real temperature) {
    last->scale /= temperature;
    if (last->activation == KILN_ACTIVATION_COSINE) {
        return;
    }
    for (size_t k = 0; k < last->inputs * last->units; k++) {
        last->weights[k] /= temperature;
    }
    for (size_t k = 0; k < last->units; k++) {
        last->biases[k] /= temperature;
    }
}

static void divide_held_out(kiln_trainer *t, double temperature) {
    size_t classes = t->options.class_count;
    for (size_t n = 0; n < t->held_out; n++) {
        float *scores = t->held_scores + n * classes;
        double sum = 0;
        for (size_t c = 0; c < classes; c++) {
            sum += pow((double)scores[c], 1 / temperature);
        }
        for (size_t c = 0; c < classes; c++) {
            scores[c] = (float)(pow((double)scores[c], 1 / temperature) / sum);
        }
    }
}

kiln_status kiln_trainer_calibrate(kiln_trainer *t, float *out_temperature, kiln_error *error) {
    dense *last = &t->net.layers[t->net.count - 1];
    double gain;
    *out_temperature = 1;
    if (t->held_out < KILN_CALIBRATION_SAMPLES || !activation_of(last->activation)->softmax) {
        return KILN_OK;
    }
    kiln_status status = find_gain(t, &gain, error);
    if (status == KILN_OK) {
        double best = exp(likeliest(t));
        divide_logits(last, (real)(best / gain));
        divide_held_out(t, best);
        *out_temperature = (float)(best / gain);
    }
    return status;
}
