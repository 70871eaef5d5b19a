/* The options of `kiln train`. */
#ifndef KILN_CLI_TRAIN_OPTIONS_H
#define KILN_CLI_TRAIN_OPTIONS_H

#include "compiler/cli/train/training.h"

extern const char train_help_text[];

enum { TRAIN_OPTIONS_READ = -1 };
/* Sets defaults, reads. TRAIN_OPTIONS_READ, or the exit status with which to end. */
int train_options_read(training *t, int argc, char **argv);

#endif
