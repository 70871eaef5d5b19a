/* Shapes and values that the caller gives for inputs. */
#include "compiler/import/importing.h"
#include "runtime/base/text.h"

#include <string.h>

static const char *name_of(const kiln_value *value) {
    return value->name != NULL ? value->name : "";
}

const kiln_value *given_value(const importing *im, const char *name, size_t position) {
    for (size_t k = 0; k < im->options->input_count; k++) {
        const char *given = name_of(&im->options->inputs[k]);
        if (strcmp(given, name) == 0 || (given[0] == '\0' && k == position)) {
            return &im->options->inputs[k];
        }
    }
    return NULL;
}

kiln_status check_given(const importing *im) {
    for (size_t k = 0; k < im->options->input_count; k++) {
        const kiln_value *value = &im->options->inputs[k];
        if (value->rank > KILN_MAX_RANK) {
            return graph_fail(im->g, KILN_ERROR_ARGUMENT,
                              "input '%s' was given %u dimensions; at most %d", name_of(value),
                              value->rank, KILN_MAX_RANK);
        }
    }
    return KILN_OK;
}

/* Initializers may be named too, though they keep their values: older models list them as
 * inputs. */
kiln_status check_given_names(const importing *im) {
    const graph *g = im->g;
    for (size_t k = 0; k < im->options->input_count; k++) {
        const char *name = name_of(&im->options->inputs[k]);
        const tensor *t = graph_find_tensor(g, name);
        if (name[0] == '\0' || (t != NULL && (t->is_input || t->producer == NULL))) {
            continue;
        }
        char names[300] = "";
        for (size_t i = 0; i < g->input_count; i++) {
            text_list_add(names, sizeof names, g->inputs[i]->name);
        }
        return graph_fail(g, KILN_ERROR_ARGUMENT, "there is no input '%s'; inputs: %s", name,
                          names);
    }
    return KILN_OK;
}
