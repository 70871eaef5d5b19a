/* The means of classes: what heads that compare directions are made of. */
#include "runtime/base/memory.h"
#include "runtime/train/trainer.h"

#include <math.h>

double length_of(const real *x, size_t count) {
    double squares = 0;
    for (size_t k = 0; k < count; k++) {
        squares += (double)x[k] * (double)x[k];
    }
    return sqrt(squares);
}

kiln_status class_means_create(kiln_trainer *t, bool of_views, class_means *out_means,
                               kiln_error *error) {
    size_t classes = t->options.class_count, features = t->feature_count, samples = 0;
    *out_means =
        (class_means){.means = memory_zeros(&t->allocator, classes * features, sizeof(double)),
                      .counts = memory_zeros(&t->allocator, classes, sizeof(size_t))};
    if (out_means->means == NULL || out_means->counts == NULL) {
        class_means_free(out_means);
        return kiln_fail(error, KILN_ERROR_MEMORY, "no memory for the means of %zu classes",
                         classes);
    }
    for (size_t n = 0; n < t->train_count; n++) {
        if (of_views && !sample_is_view(t, t->train[n])) {
            continue;
        }
        samples_gather(t, t->train + n, NULL, 1);
        uint32_t label = t->batch_labels[0];
        double length = length_of(t->batch, features);
        for (size_t k = 0; length > 0 && k < features; k++) {
            out_means->means[label * features + k] += (double)t->batch[k] / length;
        }
        out_means->counts[label]++;
        out_means->length += length;
        samples++;
    }
    out_means->length /= samples > 0 ? (double)samples : 1;
    for (size_t k = 0; k < classes * features; k++) {
        size_t count = out_means->counts[k / features];
        out_means->means[k] /= count > 0 ? (double)count : 1;
    }
    return KILN_OK;
}

void class_means_free(class_means *m) {
    memory_free(m->means);
    memory_free(m->counts);
    *m = (class_means){0};
}
