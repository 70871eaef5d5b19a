/* Walking through JSON: see json_walk.h. */
#include "compiler/cli/shards/json_walk.h"

#include <jansson.h>
#include <stdbool.h>

enum { DEEPEST = 16 };

typedef struct walk {
    json_taker take;
    void *context;
} walk;

static bool is_inner(const json_t *value) {
    return json_is_object(value) || json_is_array(value);
}

/* depth: of objects; nesting: of arrays, too. False: it is too deep. */
static bool walk_value(const walk *w, json_t *value, unsigned depth, unsigned nesting) {
    const char *name;
    json_t *member;
    size_t index;
    if (is_inner(value) && nesting > DEEPEST) {
        return false;
    }
    json_array_foreach(value, index, member) {
        if (!walk_value(w, member, depth, nesting + 1)) {
            return false;
        }
    }
    json_object_foreach(value, name, member) {
        if (!is_inner(member)) {
            w->take(w->context, depth + 1, name, json_string_value(member),
                    json_number_value(member));
        } else if (!walk_value(w, member, depth + 1, nesting + 1)) {
            return false;
        }
    }
    return true;
}

kiln_status json_walk(kiln_span text, json_taker take, void *context, kiln_error *error) {
    json_error_t found;
    if (text.size > JSON_MOST_BYTES) {
        return kiln_fail(error, KILN_ERROR_UNSUPPORTED, "%zu bytes of JSON: at most %zu are read",
                         text.size, JSON_MOST_BYTES);
    }
    json_t *value = json_loadb(text.data, text.size, JSON_REJECT_DUPLICATES, &found);
    if (value == NULL) {
        bool memory = json_error_code(&found) == json_error_out_of_memory;
        return kiln_fail(error, memory ? KILN_ERROR_MEMORY : KILN_ERROR_FORMAT,
                         "%s (behind %d bytes)", found.text, found.position);
    }
    kiln_status status = KILN_OK;
    if (!json_is_object(value)) {
        status = kiln_fail(error, KILN_ERROR_FORMAT, "a list, where an object is expected");
    } else if (!walk_value(&(walk){take, context}, value, 0, 1)) {
        status = kiln_fail(error, KILN_ERROR_UNSUPPORTED, "nested deeper than %d", DEEPEST);
    }
    json_decref(value);
    return status;
}
