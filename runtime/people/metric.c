/* Learning how pictures of one person differ: see kiln_people_learn. The metric is a lower
 * triangular matrix A, of which row i has i + 1 numbers; features x are compared as A x. It is the
 * inverse of the Cholesky factor of the covariance within people, so that what varies among
 * pictures of one person counts less (within-class covariance normalisation, Hatch et al. 2006). */
#include "runtime/people/people.h"

#include <math.h>
#include <string.h>

/* How far the covariance is shrunk to what its average would be in all directions. */
#define SHRINKAGE 0.7

/* ---- Learning ------------------------------------------------------------------------------ */

/* In one block. */
struct metric_work {
    double *mean;
    double covariance[]; /* [features][features], of which the lower triangle counts */
};

metric_work *metric_begin(const kiln_people *people) {
    size_t n = people->features;
    metric_work *w =
        memory_take(&people->allocator, sizeof *w + (n + 1) * n * sizeof *w->covariance);
    if (w != NULL) {
        w->mean = w->covariance + n * n;
    }
    return w;
}

/* Adds the scatter of a person's kept pictures about their mean; returns its degrees of freedom. */
static size_t add_scatter(const person *p, size_t n, metric_work *w) {
    size_t count = p->kept.count;
    for (size_t i = 0; i < n; i++) {
        w->mean[i] = 0;
        for (size_t k = 0; k < count; k++) {
            w->mean[i] += (double)p->kept.items[k].features[i] / as_double(count);
        }
    }
    for (size_t k = 0; k < count; k++) {
        const float *f = p->kept.items[k].features;
        for (size_t i = 0; i < n; i++) {
            double own = (double)f[i] - w->mean[i];
            double *row = w->covariance + i * n;
            for (size_t j = 0; j <= i; j++) {
                row[j] += own * ((double)f[j] - w->mean[j]);
            }
        }
    }
    return count > 0 ? count - 1 : 0;
}

/* The covariance, shrunk; false: there is none. */
static bool estimate(const kiln_people *people, const person *without, metric_work *w) {
    size_t n = people->features, freedom = 0;
    double trace = 0;
    memset(w->covariance, 0, n * n * sizeof *w->covariance);
    for (size_t k = 0; k < people->count; k++) {
        const person *p = &people->items[k];
        freedom += p != without ? add_scatter(p, n, w) : 0;
    }
    for (size_t i = 0; freedom > 0 && i < n; i++) {
        trace += w->covariance[i * n + i] / as_double(freedom);
    }
    if (!(trace > 1e-9)) {
        return false;
    }
    double average = trace / as_double(freedom < n ? freedom : n);
    for (size_t i = 0; i < n; i++) {
        for (size_t j = 0; j <= i; j++) {
            w->covariance[i * n + j] *= (1 - SHRINKAGE) / as_double(freedom);
        }
        w->covariance[i * n + i] += SHRINKAGE * average;
    }
    return true;
}

/* In place: the lower Cholesky factor, which exists, for the least eigenvalue is SHRINKAGE times
 * the average. */
static void factor(double *a, size_t n) {
    for (size_t i = 0; i < n; i++) {
        for (size_t j = 0; j <= i; j++) {
            double sum = a[i * n + j];
            for (size_t k = 0; k < j; k++) {
                sum -= a[i * n + k] * a[j * n + k];
            }
            a[i * n + j] = i == j ? sqrt(sum) : sum / a[j * n + j];
        }
    }
}

/* In place: the inverse of a lower triangle, row by row. */
static void invert(double *a, size_t n) {
    for (size_t i = 0; i < n; i++) {
        double *row = a + i * n, diagonal = row[i];
        for (size_t j = 0; j < i; j++) {
            double sum = 0;
            for (size_t k = j; k < i; k++) {
                sum += row[k] * a[k * n + j];
            }
            /* row[j] is needed by no j after it: sums run from j on. */
            row[j] = -sum / diagonal;
        }
        row[i] = 1 / diagonal;
    }
}

/* Everything in the gallery follows. */
static void learn(kiln_people *people, const person *without, metric_work *w) {
    size_t n = people->features;
    if (!estimate(people, without, w)) { /* features as they are */
        memset(w->covariance, 0, n * n * sizeof *w->covariance);
        for (size_t i = 0; i < n; i++) {
            w->covariance[i * n + i] = 1;
        }
    }
    factor(w->covariance, n);
    invert(w->covariance, n);
    float *row = people->metric;
    double scale = 1 / w->covariance[0]; /* the first number is 1 */
    for (size_t i = 0; i < n; i++) {
        for (size_t j = 0; j <= i; j++) {
            row[j] = (float)(w->covariance[i * n + j] * scale);
        }
        row += i + 1;
    }
    gallery_settle(people);
}

/* A person's pictures are strangers to the gallery only if nothing has been learnt from them: few
 * people have a metric that suits themselves. Of many one more or less makes no difference. */
void metric_renew(kiln_people *people, metric_work *w) {
    bool few = people->count <= PEOPLE_LEARN_ANEW;
    for (size_t k = 0; few && k < people->count; k++) {
        learn(people, &people->items[k], w);
        scores_of(people, &people->items[k]);
    }
    learn(people, NULL, w);
    for (size_t k = 0; !few && k < people->count; k++) {
        scores_of(people, &people->items[k]);
    }
    scores_of_strangers(people);
}

kiln_status kiln_people_learn(kiln_people *people, kiln_error *error) {
    size_t n = people->features;
    if (n > KILN_PEOPLE_LEARNT) {
        return kiln_fail(error, KILN_ERROR_UNSUPPORTED, "%zu features: at most %u are learnt from",
                         n, KILN_PEOPLE_LEARNT);
    }
    metric_work *w = metric_begin(people);
    float *metric = people->metric != NULL
                        ? people->metric
                        : memory_take(&people->allocator, metric_count(n) * sizeof *metric);
    bool room = w != NULL && metric != NULL && gallery_make_room(people);
    if (room) {
        people->metric = metric;
        metric_renew(people, w);
    } else if (metric != people->metric) {
        memory_free(metric);
    }
    memory_free(w);
    return room ? KILN_OK : memory_fail(error);
}
