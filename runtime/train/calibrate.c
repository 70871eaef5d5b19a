/* Probabilities that are right as often as they say. */
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
    (void)error;
    *out_temperature = 1;
    if (t->held_out < KILN_CALIBRATION_SAMPLES || !activation_of(last->activation)->softmax) {
        return KILN_OK;
    }
    double best = 1, least = INFINITY;
    for (int k = 0; k <= 125; k++) { /* a grid from 0.05 to 22 in steps of 5 % is fine enough */
        double temperature = 0.05 * pow(1.05, k), value = likelihood(t, temperature);
        best = value < least ? temperature : best;
        least = value < least ? value : least;
    }
    divide_logits(last, (real)best);
    divide_held_out(t, best);
    *out_temperature = (float)best;
    return KILN_OK;
}
