/* Sections of the report of training, each in a file of its own. */
#ifndef KILN_CLI_TRAIN_REPORT_H
#define KILN_CLI_TRAIN_REPORT_H

#include "compiler/cli/train/training.h"

/* report_curves.c: loss and accuracy by epoch; nothing where there were no epochs. */
void report_curves(const training *t, FILE *out);

/* Classes of the validation samples, those in most trouble first: the lowest F1, then the most
 * samples; those without samples last. */
typedef struct report_class {
    size_t index;
    class_metrics of;
} report_class;

/* report_classes.c: the table, and the pairs that are confused most. */
void report_classes(const training *t, const report_class *classes, FILE *out);
void report_confused(const training *t, FILE *out);
/* report_matrix.c: the confusion matrix, in the order of the table. */
void report_matrix(const training *t, const report_class *classes, FILE *out);
/* report_mistakes.c: pictures that were taken for another class, and those left out. */
kiln_status report_mistakes(const training *t, FILE *out, kiln_error *error);
void report_left_out(const training *t, FILE *out);
/* report_settings.c: what was asked for, and the thresholds that were found. */
void report_settings(const training *t, FILE *out);

#endif
