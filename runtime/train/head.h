/* Checks of heads and options. */
#ifndef KILN_RUNTIME_HEAD_H
#define KILN_RUNTIME_HEAD_H

#include <kiln/train.h>

kiln_status options_check(const kiln_train_options *options, kiln_error *error);

#endif
