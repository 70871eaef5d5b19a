/* Training data whose features others have extracted: parts that kiln embed has made, and labels.
 */
#ifndef KILN_CLI_TRAIN_EXTRACTED_H
#define KILN_CLI_TRAIN_EXTRACTED_H

#include "compiler/cli/data/data.h"
#include "compiler/cli/shards/part_set.h"

#include <kiln/train.h>

/* Samples above which what takes all pairs, or all samples several times, is not done unasked:
 * people, folds. */
#define EXTRACTED_MANY 100000u

typedef struct extracted {
    part_set parts;
    uint64_t rows;
} extracted;

/* words: see part_set_open. */
kiln_status extracted_open(char *const *words, size_t word_count, extracted *out_features,
                           kiln_error *error);
void extracted_close(extracted *x); /* an empty one is allowed */

/* The items of a data set as data_open would make them of the pictures, split likewise: each is a
 * picture, or one of its faces, whose `index` is its row, in the order of the parts. labels: see
 * labels.h. Pictures without a label are left out. On failure *out_data is empty. */
kiln_status extracted_data(const extracted *x, const char *labels, const data_options *options,
                           data_set *out_data, kiln_error *error);

/* Refuses features that are not those of the network up to the trainer's cut (see network_key), or
 * of faces that another detector has found. detector_key: 0 where there is none. */
kiln_status extracted_check(const extracted *x, const kiln_trainer *trainer, uint64_t network,
                            uint64_t detector_key, kiln_error *error);
/* Lends the rows to the trainer, which must go first. */
kiln_status extracted_add(const extracted *x, const data_set *data, kiln_trainer *trainer,
                          kiln_error *error);

#endif
