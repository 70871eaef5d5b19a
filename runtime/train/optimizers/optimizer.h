/* What the optimizers of this folder are made of. Each is a row, `const optimizer optimizer_NAME =
 * {` in any file of the folder; the table is made of those definitions (runtime/rows.cmake). */
#ifndef KILN_TRAIN_OPTIMIZER_H
#define KILN_TRAIN_OPTIMIZER_H

#include "runtime/train/network.h"
#include "runtime/train/wide.h"

/* ---- The ranges of what several take ------------------------------------------------------- */

#define EPSILON RANGE("epsilon", epsilon, 1e-30f, 1)
#define BETAS RANGE("beta1", beta1, 0, 1), RANGE("beta2", beta2, 0, 1)
#define WEIGHT_DECAY RANGE("weight decay", weight_decay, 0, 1e3f)

/* ---- How many numbers of state a weight has ------------------------------------------------ */

static inline size_t one_moment(const kiln_train_options *options) {
    (void)options;
    return 1;
}

static inline size_t two_moments(const kiln_train_options *options) {
    (void)options;
    return 2;
}

#endif
