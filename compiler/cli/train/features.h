/* From data to features: decodes, augments, runs the frozen network, by way of the cache. */
#ifndef KILN_CLI_TRAIN_FEATURES_H
#define KILN_CLI_TRAIN_FEATURES_H

#include "compiler/cli/data/data.h"
#include "compiler/cli/picture.h"

#include <kiln/train.h>

typedef struct feature_source {
    kiln_trainer *trainer;
    const kiln_plan *backbone; /* NULL: from scratch */
    kiln_tensor_info input;
    kiln_preprocess preprocess;
    unsigned augment;  /* AUGMENT_* */
    uint32_t variants; /* of each training picture, besides itself; the mirror image is the first */
    uint64_t seed;
    uint32_t threads;
    bool use_cache;
    const char *cache_folder; /* NULL: the user's */
    bool strict;
    bool quiet; /* no progress */
} feature_source;

typedef struct feature_report {
    size_t computed, cached;
    double seconds; /* spent on computing */
} feature_report;

/* ---- inputs.c ------------------------------------------------------------------------------ */

/* An item's picture, kept for its variants. Zeros at first. */
typedef struct input_picture {
    rgb_picture picture;
    size_t item;
    bool held;
} input_picture;

/* The variant that is the picture's mirror image; 0 is the picture itself, others are odd. */
#define FEATURES_MIRRORED 2

/* Whether the data can be the network's input at all. */
kiln_status features_check(const feature_source *source, const data_set *data, kiln_error *error);
/* The network's input for one item: pictures as the plan's preprocessing says, plain numbers as
 * they are. The data have passed features_check. */
kiln_status features_input(const feature_source *source, const data_set *data, size_t item,
                           uint64_t variant, input_picture *inout, void *out_input,
                           kiln_error *error);
void input_release(input_picture *picture);

/* ---- features.c ---------------------------------------------------------------------------- */

/* Gets the features of each item and variant (0: the item as it is), in order. */
typedef kiln_status (*feature_taker)(void *context, const data_item *item, uint32_t variant,
                                     const float *features, kiln_error *error);
/* Computes every item's features. Items that cannot be decoded are skipped. */
kiln_status features_compute(const feature_source *source, data_set *data, feature_taker take,
                             void *context, feature_report *out_report, kiln_error *error);
/* Adds every item's features to the trainer. */
kiln_status features_add(const feature_source *source, data_set *data, feature_report *out_report,
                         kiln_error *error);

#endif
