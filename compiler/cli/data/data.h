/* Training data: pictures in folders, an MNIST-style pair of IDX files, or .npy arrays; split into
 * training and validation. */
#ifndef KILN_CLI_DATA_H
#define KILN_CLI_DATA_H

#include "compiler/cli/faces/subjects.h"

typedef struct data_item {
    char *path; /* NULL: element `index` of the arrays */
    size_t index;
    uint32_t label;
    bool validation;
    uint64_t content; /* XXH3-64 of the file or the sample */
    subject subject;  /* what of the picture is looked at */
} data_item;

typedef struct data_note {
    char *text;     /* "PATH: why" */
    size_t why;     /* where that begins in the text */
    uint32_t label; /* of what was skipped */
} data_note;

typedef struct data_set {
    data_item *items;
    size_t count, capacity;
    char **classes;
    size_t class_count, class_capacity;
    data_note *skipped, *warnings;
    size_t skipped_count, warning_count;
    bool pictures; /* files, or arrays of 1xHxW or 3xHxW with values 0..255; else plain numbers */
    /* Arrays: samples of rank `rank`, as numbers. */
    float *values;
    uint32_t rank, dims[KILN_MAX_RANK];
    size_t sample_size; /* numbers in a sample */
} data_set;

typedef struct data_options {
    double validation;        /* fraction, 0..0.9 */
    bool spare_few;           /* with fewer than 4 samples a class none validates */
    uint32_t train_per_class; /* not 0: so many of each class train, the rest validates */
    const char *validation_path;
    bool last;       /* the last part validates, in the order of the files (arrays) */
    bool strict;     /* a file that is no picture is an error */
    bool to_measure; /* not to learn from: one class will do, samples may be few */
    uint64_t seed;
} data_options;

/* Reads what is at `path` and splits it. On failure *out_data is empty. */
kiln_status data_open(const char *path, const data_options *options, data_set *out_data,
                      kiln_error *error);
void data_free(data_set *data);

/* An item as a picture, gray ones in three equal channels. KILN_ERROR_FORMAT where the data are
 * other numbers. Release with picture_free. */
kiln_status data_picture(const data_set *data, size_t item, rgb_picture *out_picture,
                         kiln_error *error);
/* The same of an item that may have been taken out. */
kiln_status data_item_picture(const data_set *data, const data_item *item, rgb_picture *out_picture,
                              kiln_error *error);

/* Takes an item out, with a reason (or fails, when strict). */
kiln_status data_skip(data_set *data, size_t item, const char *why, bool strict, kiln_error *error);
/* Whether a failure is the file's: not want of memory, nor a fault of ours. */
bool data_may_skip(kiln_status status);
/* Whether every class has pictures (left), and there are two classes; else the class is named, with
 * the reasons for which its pictures were skipped and how often each. */
kiln_status data_check_classes(const data_set *data, kiln_error *error);
/* Adds a warning for each class that has fewer than two training samples. */
void data_warn_of_small_classes(data_set *data);
size_t data_count(const data_set *data, bool validation);

/* ---- Between the files --------------------------------------------------------------------- */

kiln_status data_open_folder(const char *path, bool strict, data_set *inout_data,
                             kiln_error *error);
/* IDX images, their labels beside them; or x.npy and y.npy. */
bool data_is_array(const char *path);
kiln_status data_open_arrays(const char *path, data_set *inout_data, kiln_error *error);
kiln_status data_split(data_set *data, const data_options *options, kiln_error *error);
kiln_status data_add(data_set *data, const data_item *item, kiln_error *error);
kiln_status data_add_class(data_set *data, const char *name, kiln_error *error);
/* Notes that a file of a class was skipped; problem: "PATH: why", or why alone. */
void data_note_skipped(data_set *data, uint32_t label, const char *path, const char *problem);
/* Remembered for the user; memory problems are ignored. */
void data_note_add(data_note **notes, size_t *count, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif
