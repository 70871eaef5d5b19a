/* The best weights, kept in memory. */
#include "runtime/train/trainer.h"

#include <string.h>

size_t weights_count(const network *net) {
    size_t count = 0;
    for (size_t k = 0; k < net->count; k++) {
        const dense *d = &net->layers[k];
        count += d->inputs * d->units + (d->biases != NULL ? d->units : 0);
    }
    return count;
}

static float *copy_layer(float *best, const dense *d, bool keep) {
    size_t weights = d->inputs * d->units, biases = d->biases != NULL ? d->units : 0;
    memcpy(keep ? best : d->weights, keep ? d->weights : best, weights * sizeof(float));
    if (biases > 0) {
        float *rest = best + weights;
        memcpy(keep ? rest : d->biases, keep ? d->biases : rest, biases * sizeof(float));
    }
    return best + weights + biases;
}

void weights_keep(kiln_trainer *t) {
    float *at = t->best;
    for (size_t k = 0; at != NULL && k < t->net.count; k++) {
        at = copy_layer(at, &t->net.layers[k], true);
    }
}

void weights_restore(kiln_trainer *t) {
    float *at = t->best;
    for (size_t k = 0; at != NULL && k < t->net.count; k++) {
        at = copy_layer(at, &t->net.layers[k], false);
    }
}
