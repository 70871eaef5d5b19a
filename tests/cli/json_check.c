/* Whether standard input is one JSON text (RFC 8259) and nothing else: exit status 0 or 1. */
#include <jansson.h>

int main(void) {
    json_error_t error;
    json_t *value = json_loadf(stdin, JSON_DECODE_ANY | JSON_REJECT_DUPLICATES, &error);
    if (value == NULL) {
        fprintf(stderr, "no JSON: line %d, column %d: %s\n", error.line, error.column, error.text);
        return 1;
    }
    json_decref(value);
    return 0;
}
