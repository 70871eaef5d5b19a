/* --outputs and --inputs: the tensors between which a part of a model is compiled. */
#include "compiler/cli/cli.h"
#include "compiler/cli/given.h"

#include <stdlib.h>
#include <string.h>

static kiln_status add_name(given_model *model, bool inputs, char *item, kiln_error *error) {
    const char **names = inputs ? model->part_inputs : model->part_outputs;
    size_t *count = inputs ? &model->part_input_count : &model->part_output_count;
    char *shape = inputs ? strrchr(item, '=') : NULL;
    kiln_status status = KILN_OK;
    if (shape != NULL) {
        status = shape[1] != '\0' ? given_add(&model->inputs, item, false, error) : KILN_OK;
        *shape = '\0';
    }
    if (status == KILN_OK && (*count == MAX_GIVEN || item[0] == '\0')) {
        status = kiln_fail(error, KILN_ERROR_ARGUMENT,
                           "%s: expected NAME,NAME,... of at most %d tensors",
                           inputs ? "--inputs" : "--outputs", MAX_GIVEN);
    }
    if (status == KILN_OK) {
        names[(*count)++] = item;
    }
    return status;
}

static kiln_status part_add(given_model *model, bool inputs, const char *argument,
                            kiln_error *error) {
    if (model->text_count == MAX_GIVEN) {
        return kiln_fail(error, KILN_ERROR_ARGUMENT, "at most %d times --inputs and --outputs",
                         MAX_GIVEN);
    }
    char *text = strdup(argument);
    if (text == NULL) {
        return kiln_fail(error, KILN_ERROR_MEMORY, "out of memory");
    }
    model->texts[model->text_count++] = text;
    kiln_status status = KILN_OK;
    for (char *item = text; item != NULL && status == KILN_OK;) {
        char *comma = strchr(item, ',');
        if (comma != NULL) {
            *comma++ = '\0';
        }
        status = add_name(model, inputs, item, error);
        item = comma;
    }
    return status;
}

void given_model_apply(const given_model *model, kiln_compile_options *options) {
    options->inputs = model->inputs.values;
    options->input_count = model->inputs.count;
    options->part_inputs = model->part_inputs;
    options->part_input_count = model->part_input_count;
    options->part_outputs = model->part_outputs;
    options->part_output_count = model->part_output_count;
}

void given_model_free(given_model *model) {
    for (size_t k = 0; k < model->text_count; k++) {
        free(model->texts[k]);
    }
    given_free(&model->inputs);
}

int take_part_inputs(const command *self, void *at, const char *value) {
    kiln_error error;
    (void)self;
    return part_add(at, true, value, &error) == KILN_OK ? 0 : fail(&error);
}

int take_part_outputs(const command *self, void *at, const char *value) {
    kiln_error error;
    (void)self;
    return part_add(at, false, value, &error) == KILN_OK ? 0 : fail(&error);
}
