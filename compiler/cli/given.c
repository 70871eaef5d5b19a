/* --input: shapes and values of inputs. */
#include "compiler/cli/given.h"
#include "compiler/cli/cli.h"

#include <stdlib.h>
#include <string.h>

/* "1x3x224x224" or "Nx3x224x224". */
static bool parse_shape(const char *text, kiln_value *value) {
    while (value->rank < KILN_MAX_RANK) {
        char *end;
        if (value->rank == 0 && (text[0] == 'N' || text[0] == 'n')) {
            value->dims[0] = KILN_BATCH;
            end = (char *)(uintptr_t)(text + 1);
        } else {
            unsigned long dim = strtoul(text, &end, 10);
            if (end == text || dim == 0 || dim > INT32_MAX) {
                return false;
            }
            value->dims[value->rank] = (uint32_t)dim;
        }
        value->rank++;
        if (*end == '\0') {
            return true;
        }
        if (*end != 'x' && *end != ',') {
            return false;
        }
        text = end + 1;
    }
    return false;
}

/* The sign between name and value: names may have some, too. A value that is a file may as well, so
 * that it is the first before an @, else the last. */
static const char *find_sign(const char *argument) {
    const char *before_file = strstr(argument, "=@");
    return before_file != NULL ? before_file : strrchr(argument, '=');
}

kiln_status given_add(given_inputs *given, const char *argument, bool files, kiln_error *error) {
    const char *equals = find_sign(argument);
    if (given->count == MAX_GIVEN || equals == NULL || equals == argument) {
        return kiln_fail(error, KILN_ERROR_ARGUMENT, "--input %s: expected %s, at most %d of them",
                         argument, files ? "NAME=FILE" : "NAME=1x3x224x224 or NAME=@FILE",
                         MAX_GIVEN);
    }
    size_t k = given->count, length = (size_t)(equals - argument);
    for (size_t before = 0; before < k; before++) {
        if (strlen(given->names[before]) == length &&
            memcmp(given->names[before], argument, length) == 0) {
            return kiln_fail(error, KILN_ERROR_ARGUMENT, "--input %s: is given twice",
                             given->names[before]);
        }
    }
    given->names[k] = strndup(argument, length);
    if (given->names[k] == NULL) {
        return kiln_fail(error, KILN_ERROR_MEMORY, "out of memory");
    }
    given->count++;
    given->values[k] = (kiln_value){.name = given->names[k], .dtype = KILN_F32};
    if (files || equals[1] == '@') {
        given->paths[k] = equals + (equals[1] == '@' ? 2 : 1);
        kiln_status status = kiln_value_load(given->paths[k], &given->loaded[k], error);
        if (status == KILN_OK) {
            given->values[k] = *given->loaded[k];
            given->values[k].name = given->names[k];
        }
        return status;
    }
    return parse_shape(equals + 1, &given->values[k])
               ? KILN_OK
               : kiln_fail(error, KILN_ERROR_ARGUMENT,
                           "--input %s: '%s' is no shape such as 1x3x224x224 or Nx3x224x224",
                           argument, equals + 1);
}

void given_free(given_inputs *given) {
    for (size_t k = 0; k < given->count; k++) {
        kiln_value_free(given->loaded[k]);
        free(given->names[k]);
    }
}

/* ---- Options ------------------------------------------------------------------------------- */

int take_input_shape(const command *self, void *at, const char *value) {
    kiln_error error;
    (void)self;
    return given_add(at, value, false, &error) == KILN_OK ? 0 : fail(&error);
}

int take_input_file(const command *self, void *at, const char *value) {
    kiln_error error;
    (void)self;
    return given_add(at, value, true, &error) == KILN_OK ? 0 : fail(&error);
}

const char *weights_word(unsigned k) {
    static const char *const words[] = {"f32", "f16"};
    return k < 2 ? words[k] : NULL;
}

int take_weights(const command *self, void *at, const char *value) {
    kiln_dtype *weights = at;
    (void)self;
    *weights = strcmp(value, "f16") == 0 ? KILN_F16 : KILN_F32;
    return 0;
}
