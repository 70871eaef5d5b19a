/* What is made of the tables of commands and options for shells and for man. */
#ifndef KILN_COMPILER_CLI_GENERATE_H
#define KILN_COMPILER_CLI_GENERATE_H

#include "compiler/cli/cli.h"

/* `commands` ends in NULL. */

/* Completion for bash, zsh or fish, to be read by the shell. False: no such shell. */
bool completion_print(FILE *out, const command *const *commands, const char *shell);

/* The manual page kiln-COMMAND(1), and kiln(1). */
void manual_print(FILE *out, const command *c);
void manual_print_overview(FILE *out, const command *const *commands);

#endif
