/* The options of `kiln train`. */
#ifndef KILN_CLI_TRAIN_OPTIONS_H
#define KILN_CLI_TRAIN_OPTIONS_H

#include "compiler/cli/cli.h"
#include "compiler/cli/train/training.h"

extern const option_row train_options[];

/* Sets defaults, reads. OPTIONS_READ, or the exit status with which to end. */
int train_options_read(const command *self, training *t, int argc, char **argv);
/* Part of it: what follows from options that have been read, and from the words beside them. */
int train_settle(const command *self, training *t, char **words, int count);

#endif
