/* What a data set holds: adding, counting, skipping. */
#include "compiler/cli/data/data.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

kiln_status data_add(data_set *data, const data_item *item, kiln_error *error) {
    if (data->count == data->capacity) {
        size_t capacity = data->capacity == 0 ? 256 : data->capacity * 2;
        data_item *grown = realloc(data->items, capacity * sizeof *grown);
        if (grown == NULL) {
            return kiln_fail(error, KILN_ERROR_MEMORY, "out of memory");
        }
        data->items = grown;
        data->capacity = capacity;
    }
    data->items[data->count++] = *item;
    return KILN_OK;
}

kiln_status data_add_class(data_set *data, const char *name, kiln_error *error) {
    if (data->class_count == data->class_capacity) {
        size_t capacity = data->class_capacity == 0 ? 16 : data->class_capacity * 2;
        char **grown = realloc(data->classes, capacity * sizeof *grown);
        if (grown == NULL) {
            return kiln_fail(error, KILN_ERROR_MEMORY, "out of memory");
        }
        data->classes = grown;
        data->class_capacity = capacity;
    }
    data->classes[data->class_count] = strdup(name);
    return data->classes[data->class_count++] != NULL
               ? KILN_OK
               : kiln_fail(error, KILN_ERROR_MEMORY, "out of memory");
}

void data_note_add(data_note **notes, size_t *count, const char *format, ...) {
    char text[1024];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    data_note *grown = realloc(*notes, (*count + 1) * sizeof *grown);
    if (grown != NULL) {
        *notes = grown;
        grown[*count] = (data_note){.text = strdup(text)};
        *count += grown[*count].text != NULL;
    }
}

void data_note_skipped(data_set *data, uint32_t label, const char *path, const char *problem) {
    size_t before = data->skipped_count, length = path != NULL ? strlen(path) : 0;
    data_note_add(&data->skipped, &data->skipped_count, "%s", problem);
    if (data->skipped_count > before) {
        data_note *note = &data->skipped[before];
        bool named = length > 0 && strncmp(note->text, path, length) == 0 &&
                     strncmp(note->text + length, ": ", 2) == 0;
        note->why = named ? length + 2 : 0;
        note->label = label;
    }
}

bool data_may_skip(kiln_status status) {
    return status == KILN_ERROR_IO || status == KILN_ERROR_FORMAT ||
           status == KILN_ERROR_UNSUPPORTED;
}

kiln_status data_skip(data_set *data, size_t item, const char *why, bool strict,
                      kiln_error *error) {
    if (strict) {
        return kiln_fail(error, KILN_ERROR_FORMAT, "%s", why);
    }
    data_note_skipped(data, data->items[item].label, data->items[item].path, why);
    free(data->items[item].path);
    memmove(&data->items[item], &data->items[item + 1],
            (data->count - item - 1) * sizeof *data->items);
    data->count--;
    return KILN_OK;
}

size_t data_count(const data_set *data, bool validation) {
    size_t count = 0;
    for (size_t k = 0; k < data->count; k++) {
        count += data->items[k].validation == validation;
    }
    return count;
}

static void free_notes(data_note *notes, size_t count) {
    for (size_t k = 0; k < count; k++) {
        free(notes[k].text);
    }
    free(notes);
}

void data_free(data_set *data) {
    for (size_t k = 0; k < data->count; k++) {
        free(data->items[k].path);
    }
    for (size_t k = 0; k < data->class_count; k++) {
        free(data->classes[k]);
    }
    free_notes(data->skipped, data->skipped_count);
    free_notes(data->warnings, data->warning_count);
    free(data->items);
    free(data->classes);
    free(data->values);
    *data = (data_set){0};
}
