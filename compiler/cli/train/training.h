/* What the files of `kiln train` share. */
#ifndef KILN_CLI_TRAIN_TRAINING_H
#define KILN_CLI_TRAIN_TRAINING_H

#include "compiler/cli/faces/gallery.h"
#include "compiler/cli/train/extracted.h"
#include "compiler/cli/train/features.h"
#include "compiler/cli/train/metrics.h"
#include <kiln/people.h>

/* Whether the plan is to know people. */
typedef enum people_choice { PEOPLE_AUTO, PEOPLE_YES, PEOPLE_NO } people_choice;

typedef struct training {
    const char *backbone_path, *data_path, *plan_path; /* backbone: NULL from scratch */
    const char *history_path, *report_path, *checkpoint_path, *preset, *head;
    const char *strangers_path; /* pictures of people who are not to be known */
    const char *features_path;  /* the first of the parts; NULL: features are computed */
    const char *labels_path;
    char **part_words; /* all of them */
    size_t part_word_count;
    char *default_checkpoint;
    kiln_train_options options;
    data_options split;
    subject_options faces;
    unsigned long input_width, input_height;
    bool bundle; /* the detector into the plan */
    bool refit, folds_given, augment_given;
    bool gray, scratch, resume, keep_checkpoint, baseline, calibrate, json, quiet;

    kiln_plan *backbone;
    data_set data;
    extracted extracted; /* where features are not computed */
    subject_source subjects;
    gallery gallery;
    feature_source source;
    feature_report features;
    kiln_trainer *trainer;
    people_choice people_choice;
    kiln_people *people; /* NULL: the plan knows none */
    /* Of what was held out. */
    metrics results;
    const float *scores; /* [held_count][classes]; the trainer's */
    size_t *held_items;  /* by row of scores */
    size_t held_count;
    float temperature;
    double seconds; /* of fit */
    double same_threshold;
    bool has_threshold;
} training;

/* ---- network.c ----------------------------------------------------------------------------- */

/* From the data and the backbone: what a sample is, whose faces are learnt, and t->trainer. */
kiln_status make_trainer(training *t, kiln_error *error);

/* ---- console.c ----------------------------------------------------------------------------- */

/* What will be trained on what, and the head as Keras's summary() shows it. */
void console_summary(const training *t);
kiln_train_callbacks console_callbacks(training *t);
/* What the figures cannot say: refitting, calibration. */
void console_outcome(const training *t);
/* Whether probabilities were made right as often as they say. */
bool is_calibrated(const training *t);
void console_notes(const data_set *data);

/* ---- defaults.c ---------------------------------------------------------------------------- */

/* The head, and what is held out for it. */
kiln_status choose_head(training *t, kiln_error *error);
/* The variants of each training picture, the data given. */
void choose_variants(training *t);

/* ---- held_out.c ---------------------------------------------------------------------------- */

/* Validation samples or folds, and whether to refit, for the head that there is to be. */
void held_out_choose(training *t);
/* Whether the trainer, its samples given, trains in folds. */
bool held_out_in_folds(const training *t);
/* After fit: results, scores, threshold. */
kiln_status held_out_measure(training *t, kiln_error *error);

/* ---- report.c, history.c ------------------------------------------------------------------- */

kiln_status history_write(const training *t, const char *path, kiln_error *error);
/* One self-contained page: curves, confusion matrix, worst mistakes, classes. */
kiln_status report_write(const training *t, const char *path, kiln_error *error);

/* Its section on faces (report_faces.c); nothing where none were looked for. */
kiln_status report_faces(const training *t, FILE *out, kiln_error *error);

/* ---- baseline.c ---------------------------------------------------------------------------- */

/* Accuracy on the validation items of the nearest training item by raw gray pixels, 32x32. */
kiln_status baseline_accuracy(const data_set *data, double *out_accuracy, kiln_error *error);

#endif
