/* Classes that lack pictures, and why. */
#include "compiler/cli/data/data.h"
#include "runtime/base/text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* How many items each class has; from malloc, NULL: no memory. */
static size_t *count_classes(const data_set *data, bool training_only) {
    size_t *counts = calloc(data->class_count + 1, sizeof *counts);
    for (size_t k = 0; counts != NULL && k < data->count; k++) {
        const data_item *item = &data->items[k];
        counts[item->label] += !(training_only && item->validation);
    }
    return counts;
}

static const char *why_of(const data_note *note) {
    return note->text + note->why;
}

/* How often the class's pictures from `from` on were skipped for the reason of that one; 0: it is
 * another class's, or the reason has been counted. */
static size_t count_of_reason(const data_set *data, uint32_t c, size_t from) {
    const data_note *notes = data->skipped;
    size_t count = 0;
    for (size_t k = 0; k < from; k++) {
        if (notes[k].label == c && strcmp(why_of(&notes[k]), why_of(&notes[from])) == 0) {
            return 0;
        }
    }
    for (size_t k = from; k < data->skipped_count; k++) {
        count += notes[k].label == c && notes[from].label == c &&
                 strcmp(why_of(&notes[k]), why_of(&notes[from])) == 0;
    }
    return count;
}

/* "class 'ada' has no usable pictures: 8 of 9: a HEIC picture: ..., 1: empty". */
static kiln_status refuse_class(const data_set *data, uint32_t c, kiln_error *error) {
    char reasons[320] = "";
    size_t skipped = 0;
    for (size_t k = 0; k < data->skipped_count; k++) {
        size_t count = count_of_reason(data, c, k);
        if (count > 0) {
            char one[200];
            snprintf(one, sizeof one, "%zu: %s", count, why_of(&data->skipped[k]));
            text_list_add(reasons, sizeof reasons, one);
            skipped += count;
        }
    }
    return skipped > 0 ? kiln_fail(error, KILN_ERROR_ARGUMENT,
                                   "class '%s': none of its %zu picture%s can be used; %s",
                                   data->classes[c], skipped, skipped == 1 ? "" : "s", reasons)
                       : kiln_fail(error, KILN_ERROR_ARGUMENT, "class '%s' has no pictures",
                                   data->classes[c]);
}

kiln_status data_check_classes(const data_set *data, kiln_error *error) {
    size_t *counts = count_classes(data, false);
    uint32_t c = 0;
    while (counts != NULL && c < data->class_count && counts[c] > 0) {
        c++;
    }
    bool counted = counts != NULL;
    free(counts);
    if (!counted) {
        return kiln_fail(error, KILN_ERROR_MEMORY, "out of memory");
    }
    if (c < data->class_count) {
        return refuse_class(data, c, error);
    }
    return data->class_count >= 2
               ? KILN_OK
               : kiln_fail(error, KILN_ERROR_ARGUMENT,
                           "there is one class only ('%s'); a classifier needs two or more",
                           data->class_count == 1 ? data->classes[0] : "");
}

void data_warn_of_small_classes(data_set *data) {
    size_t *counts = count_classes(data, true);
    for (uint32_t c = 0; counts != NULL && c < data->class_count; c++) {
        size_t training = counts[c];
        if (training < 2) {
            data_note_add(&data->warnings, &data->warning_count,
                          "class '%s' has %zu training sample%s: too few to learn from",
                          data->classes[c], training, training == 1 ? "" : "s");
        }
    }
    free(counts);
}
