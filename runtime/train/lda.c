/* Linear discriminant analysis on directions, shrunk: the head computed at once that telling people
 * apart by few pictures asks for. In double precision: a covariance squares what there is. */
#include "runtime/base/memory.h"
#include "runtime/train/dot.h"
#include "runtime/train/trainer.h"

#include <math.h>
#include <string.h>

enum { MOST_FEATURES = 4096, MOST_LOOKED = 1000 /* pictures, to measure noise by */ };

/* How far the covariance is moved to the average of its eigenvalues. Halfway is what no data has to
 * choose, and few samples a class could not choose. */
#define SHRINKAGE 0.5

/* ---- Symmetric matrices, by rows, the lower half ------------------------------------------- */

static DOT(dot, double, 8)

    /* Computes, in place, L of a positive definite matrix L L^T. */
    static void factorize(double *m, size_t size) {
    for (size_t i = 0; i < size; i++) {
        double *row = m + i * size;
        for (size_t j = 0; j < i; j++) {
            row[j] = (row[j] - dot(row, m + j * size, j)) / m[j * size + j];
        }
        row[i] = sqrt(row[i] - dot(row, row, i));
    }
}

/* Computes x = (L L^T)^-1 x. */
static void solve(const double *l, size_t size, double *x) {
    for (size_t i = 0; i < size; i++) {
        x[i] = (x[i] - dot(l + i * size, x, i)) / l[i * size + i];
    }
    for (size_t i = size; i-- > 0;) {
        x[i] /= l[i * size + i];
        for (size_t j = 0; j < i; j++) {
            x[j] -= l[i * size + j] * x[i];
        }
    }
}

static void add_square(double *m, const double *x, size_t size, double weight) {
    for (size_t i = 0; i < size; i++) {
        double *row = m + i * size, own = x[i] * weight;
        for (size_t j = 0; j <= i; j++) {
            row[j] += own * x[j];
        }
    }
}

/* ---- The covariance ------------------------------------------------------------------------ */

typedef struct discriminant {
    class_means means;
    double *centre; /* mean of the classes' means */
    double *scatter;
    double *x;     /* one row, scratch */
    double *mean;  /* another: of one picture's variants */
    bool within;   /* the scatter is that within classes */
    double length; /* of the classes' weights as solved: mean */
    double square; /* of that length: mean */
} discriminant;

static void discriminant_free(discriminant *d) {
    class_means_free(&d->means);
    memory_free(d->centre);
    memory_free(d->scatter);
    memory_free(d->x);
    memory_free(d->mean);
}

static size_t find_centre(discriminant *d, size_t classes, size_t size) {
    size_t present = 0;
    for (size_t c = 0; c < classes; c++) {
        present += d->means.counts[c] > 0;
        for (size_t k = 0; k < size; k++) { /* the mean of nothing is 0 */
            d->centre[k] += d->means.means[c * size + k];
        }
    }
    for (size_t k = 0; k < size; k++) {
        d->centre[k] /= present > 0 ? (double)present : 1;
    }
    return present;
}

/* The features of a sample, of length 1, in d->x; returns its class. */
static uint32_t look_at(kiln_trainer *t, discriminant *d, uint32_t sample) {
    size_t size = t->feature_count;
    samples_gather(t, &sample, NULL, 1);
    double length = length_of(t->batch, size);
    for (size_t k = 0; k < size; k++) {
        d->x[k] = length > 0 ? (double)t->batch[k] / length : 0;
    }
    return t->batch_labels[0];
}

/* Around the classes' means or, where no class has two pictures, around the centre; shrunk. */
static void measure_scatter(kiln_trainer *t, discriminant *d, size_t present) {
    size_t size = t->feature_count, views = 0, pictures = 0;
    for (size_t n = 0; n < t->train_count; n++) {
        views += sample_is_view(t, t->train[n]);
        pictures += n == 0 || sample_picture(t, t->train[n]) != sample_picture(t, t->train[n - 1]);
    }
    bool within = d->within = pictures > present;
    size_t freedom = within ? views - present : views > 1 ? views - 1 : 1;
    double trace = 0;
    for (size_t n = 0; n < t->train_count; n++) {
        if (!sample_is_view(t, t->train[n])) {
            continue;
        }
        uint32_t label = look_at(t, d, t->train[n]);
        const double *mean = within ? d->means.means + label * size : d->centre;
        for (size_t k = 0; k < size; k++) {
            d->x[k] -= mean[k];
        }
        add_square(d->scatter, d->x, size, (1 - SHRINKAGE) / (double)freedom);
        trace += dot(d->x, d->x, size) / (double)freedom;
    }
    /* So many eigenvalues are not 0. Where all samples are alike any positive number will do, as
     * only the means remain. */
    double average = trace > 0 ? trace / (double)(freedom < size ? freedom : size) : 1;
    for (size_t k = 0; k < size; k++) {
        d->scatter[k * size + k] += SHRINKAGE * average;
    }
}

/* Adds the covariance of one picture's variants, which tell what moving a face in its picture
 * changes: pictures to come will differ by that, too, and few samples do not show it. */
static void add_variants(kiln_trainer *t, discriminant *d, const uint32_t *samples, size_t count,
                         double weight) {
    size_t size = t->feature_count;
    memset(d->mean, 0, size * sizeof *d->mean);
    for (size_t n = 0; n < count; n++) {
        (void)look_at(t, d, samples[n]);
        for (size_t k = 0; k < size; k++) {
            d->mean[k] += d->x[k] / (double)count;
        }
    }
    for (size_t n = 0; n < count; n++) {
        (void)look_at(t, d, samples[n]);
        for (size_t k = 0; k < size; k++) {
            d->x[k] -= d->mean[k];
        }
        add_square(d->scatter, d->x, size, weight);
    }
}

/* In d->mean: of the views among one picture's variants. Returns its class. */
static uint32_t mean_of_views(kiln_trainer *t, discriminant *d, const uint32_t *samples,
                              size_t count) {
    size_t size = t->feature_count, views = 0;
    uint32_t label = 0;
    memset(d->mean, 0, size * sizeof *d->mean);
    for (size_t n = 0; n < count && sample_is_view(t, samples[n]); n++) {
        label = look_at(t, d, samples[n]);
        for (size_t k = 0; k < size; k++) {
            d->mean[k] += d->x[k];
        }
        views++;
    }
    for (size_t k = 0; k < size; k++) {
        d->mean[k] /= (double)views;
    }
    return label;
}

static size_t run_length(const kiln_trainer *t, size_t first) {
    size_t end = first + 1;
    while (end < t->train_count &&
           sample_picture(t, t->train[end]) == sample_picture(t, t->train[first])) {
        end++;
    }
    return end - first;
}

static void measure_variants(kiln_trainer *t, discriminant *d) {
    size_t freedom = 0;
    for (size_t n = 0; n < t->train_count; n += run_length(t, n)) {
        freedom += run_length(t, n) - 1;
    }
    for (size_t n = 0; freedom > 0 && n < t->train_count; n += run_length(t, n)) {
        add_variants(t, d, t->train + n, run_length(t, n), 1 / (double)freedom);
    }
}

/* ---- The head ------------------------------------------------------------------------------ */

static void put_class(kiln_trainer *t, discriminant *d, size_t c) {
    dense *layer = &t->net.layers[0];
    size_t size = t->feature_count;
    for (size_t k = 0; k < size; k++) {
        d->x[k] = d->means.means[c * size + k] - d->centre[k];
    }
    solve(d->scatter, size, d->x);
    double length = sqrt(dot(d->x, d->x, size)), factor = length > 0 ? 1 / length : 0;
    bool known = d->means.counts[c] > 0;
    d->length += length / (double)layer->units;
    d->square += length * length / (double)layer->units;
    for (size_t k = 0; k < size; k++) {
        layer->weights[c * size + k] = known ? (real)(d->x[k] * factor) : 0;
    }
    /* Nobody is of a class without samples: below what any direction reaches. */
    layer->biases[c] = known ? (real)(-dot(d->x, d->centre, size) * factor) : -2;
}

/* With normal distributions the logits are W x + b as solved: with S and the average eigenvalue
 * added to it, not mixed with it, since so few samples do not make S certain. Where there is
 * nothing within classes nothing says what logits should be. */
static void set_scale(kiln_trainer *t, const discriminant *d) {
    double scale = (1 - SHRINKAGE) * d->length;
    bool told = d->within && scale > 0 && t->options.cosine_scale <= 0;
    t->net.layers[0].scale = told ? (real)scale : network_scale(&t->options);
}

/* How long weights as solved are by chance, the square against that of the weights: times 1 / n for
 * means of n pictures. */
static void measure_noise(kiln_trainer *t, discriminant *d, size_t present) {
    size_t size = t->feature_count, pictures = 0, looked = 0;
    double sum = 0;
    for (size_t n = 0; n < t->train_count; n += run_length(t, n)) {
        pictures++;
    }
    size_t every = pictures / MOST_LOOKED + 1, at = 0;
    for (size_t n = 0; n < t->train_count; n += run_length(t, n), at++) {
        if (at % every != 0) {
            continue;
        }
        uint32_t label = mean_of_views(t, d, t->train + n, run_length(t, n));
        for (size_t k = 0; k < size; k++) {
            d->mean[k] -= d->means.means[label * size + k];
        }
        solve(d->scatter, size, d->mean);
        sum += dot(d->mean, d->mean, size);
        looked++;
    }
    bool told = d->within && d->square > 0;
    t->noise =
        told ? sum / (double)looked * (double)pictures / (double)(pictures - present) / d->square
             : 0;
}

kiln_status lda_start(kiln_trainer *t, kiln_error *error) {
    size_t size = t->feature_count, classes = t->options.class_count;
    if (size > MOST_FEATURES) {
        return kiln_fail(
            error, KILN_ERROR_UNSUPPORTED,
            "lda takes up to %d features; these are %zu: train a head (softmax) or cut "
            "the network elsewhere",
            MOST_FEATURES, size);
    }
    discriminant d = {.centre = memory_zeros(&t->allocator, size, sizeof(double)),
                      .scatter = memory_zeros(&t->allocator, size * size, sizeof(double)),
                      .x = memory_zeros(&t->allocator, size, sizeof(double)),
                      .mean = memory_zeros(&t->allocator, size, sizeof(double))};
    bool good = d.centre != NULL && d.scatter != NULL && d.x != NULL && d.mean != NULL;
    kiln_status status = good ? class_means_create(t, true, &d.means, error)
                              : kiln_fail(error, KILN_ERROR_MEMORY,
                                          "no memory for the covariance of %zu features", size);
    if (status == KILN_OK) {
        size_t present = find_centre(&d, classes, size);
        measure_scatter(t, &d, present);
        measure_variants(t, &d);
        factorize(d.scatter, size);
        for (size_t c = 0; c < classes; c++) {
            put_class(t, &d, c);
        }
        measure_noise(t, &d, present);
        set_scale(t, &d);
    }
    discriminant_free(&d);
    return status;
}
