/* What a classifier gets right: accuracy, top-5, confusion matrix, precision, recall, F1. */
#ifndef KILN_CLI_TRAIN_METRICS_H
#define KILN_CLI_TRAIN_METRICS_H

#include <kiln/kiln.h>
#include <stdio.h>

typedef struct metrics {
    size_t classes, count, correct, correct5;
    double loss;         /* sum of -log(score of the label) */
    uint32_t *confusion; /* [actual][predicted] */
} metrics;

typedef struct class_metrics {
    size_t support;               /* samples of the class */
    double precision, recall, f1; /* NaN where nothing was predicted or present */
} class_metrics;

kiln_status metrics_create(size_t classes, metrics *out_metrics, kiln_error *error);
void metrics_free(metrics *m);
void metrics_add(metrics *m, const float *scores, uint32_t label);
size_t metrics_best(const float *scores, size_t classes);
class_metrics metrics_of_class(const metrics *m, size_t class_index);
double metrics_accuracy(const metrics *m);

/* A table by class, then the pairs that are confused most. */
void metrics_print(const metrics *m, const char *const *names, FILE *out);
/* Fields "accuracy", "top5_accuracy", "loss", "count", "classes", "confusion", without braces. */
void metrics_json(const metrics *m, const char *const *names, FILE *out);

/* The pairs confused most, most first; at most `room`. */
typedef struct confused_pair {
    size_t actual, predicted, count;
} confused_pair;
size_t metrics_confused(const metrics *m, confused_pair *out_pairs, size_t room);

#endif
