/* --outputs and --inputs: the tensors between which a part of a model is compiled. */
#include "compiler/cli/cli.h"

#include <stdlib.h>
#include <string.h>

static kiln_status add_name(model_part *part, given_inputs *given, bool inputs, char *item,
                            kiln_error *error) {
    const char **names = inputs ? part->inputs : part->outputs;
    size_t *count = inputs ? &part->input_count : &part->output_count;
    char *shape = inputs ? strchr(item, '=') : NULL;
    kiln_status status = KILN_OK;
    if (shape != NULL) {
        status = given_add(given, item, false, error);
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

kiln_status part_add(model_part *part, given_inputs *given, bool inputs, const char *argument,
                     kiln_error *error) {
    if (part->text_count == MAX_GIVEN) {
        return kiln_fail(error, KILN_ERROR_ARGUMENT, "at most %d times --inputs and --outputs",
                         MAX_GIVEN);
    }
    char *text = strdup(argument);
    if (text == NULL) {
        return kiln_fail(error, KILN_ERROR_MEMORY, "out of memory");
    }
    part->texts[part->text_count++] = text;
    kiln_status status = KILN_OK;
    for (char *item = text; item != NULL && status == KILN_OK;) {
        char *comma = strchr(item, ',');
        if (comma != NULL) {
            *comma++ = '\0';
        }
        status = add_name(part, given, inputs, item, error);
        item = comma;
    }
    return status;
}

void part_apply(const model_part *part, kiln_compile_options *options) {
    options->part_inputs = part->inputs;
    options->part_input_count = part->input_count;
    options->part_outputs = part->outputs;
    options->part_output_count = part->output_count;
}

void part_free(model_part *part) {
    for (size_t k = 0; k < part->text_count; k++) {
        free(part->texts[k]);
    }
}
