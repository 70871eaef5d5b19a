/* Checks of options, the head among them. */
#ifndef KILN_TRAIN_OPTIONS_H
#define KILN_TRAIN_OPTIONS_H

#include <kiln/train.h>

kiln_status options_check(const kiln_train_options *options, kiln_error *error);

#endif
