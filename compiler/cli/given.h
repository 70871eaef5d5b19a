/* What is given to a model's inputs, and the part of it that is asked for. */
#ifndef KILN_COMPILER_CLI_GIVEN_H
#define KILN_COMPILER_CLI_GIVEN_H

#include "compiler/cli/options.h"
#include <kiln/compile.h>

#define MAX_GIVEN 64

/* --input NAME=1x3x224x224, NAME=Nx3x224x224, NAME=@FILE. Of several signs the first before an @
 * counts, else the last: names may hold signs. Values live until given_free. */
typedef struct given_inputs {
    kiln_value values[MAX_GIVEN];
    kiln_value *loaded[MAX_GIVEN];
    char *names[MAX_GIVEN];
    const char *paths[MAX_GIVEN]; /* where values come from; NULL: only a shape was given */
    size_t count;
} given_inputs;

/* `files`: what stands behind the sign is a file with or without the @. */
kiln_status given_add(given_inputs *given, const char *argument, bool files, kiln_error *error);
void given_free(given_inputs *given);

/* What is given of a model: values and shapes of inputs, and the tensors between which a part of it
 * is compiled (part.c): --outputs NAME,... and --inputs NAME[=SHAPE],..., whose shapes are added to
 * the inputs'. A name with a sign in it and no shape is given as NAME=. */
typedef struct given_model {
    given_inputs inputs;
    const char *part_inputs[MAX_GIVEN], *part_outputs[MAX_GIVEN];
    size_t part_input_count, part_output_count;
    char *texts[MAX_GIVEN]; /* what the names point into */
    size_t text_count;
} given_model;

/* `options` refers to what was given from then on. */
void given_model_apply(const given_model *model, kiln_compile_options *options);
void given_model_free(given_model *model);

/* Options: --input of shapes or of files, into given_inputs; --inputs and --outputs, into a
 * given_model; --weights, into a kiln_dtype. */
int take_input_shape(const command *self, void *at, const char *value);
int take_input_file(const command *self, void *at, const char *value);
int take_part_inputs(const command *self, void *at, const char *value);
int take_part_outputs(const command *self, void *at, const char *value);
const char *weights_word(unsigned k);
int take_weights(const command *self, void *at, const char *value);

#endif
