/* Training and validation: stratified, seeded, and never the same picture on both sides. */
#include "compiler/cli/data/data.h"

#include <stdlib.h>
#include <string.h>

static uint64_t mix(uint64_t z) {
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

/* An item with its place in a seeded order, which depends on content alone: the same pictures are
 * split the same way wherever they lie. */
typedef struct ranked {
    uint64_t rank;
    uint32_t label;
    size_t item;
} ranked;

static int by_label_and_rank(const void *a, const void *b) {
    const ranked *x = a, *y = b;
    if (x->label != y->label) {
        return x->label < y->label ? -1 : 1;
    }
    return x->rank != y->rank ? (x->rank < y->rank ? -1 : 1) : x->item < y->item ? -1 : 1;
}

static size_t for_validation(const data_options *o, size_t count) {
    if (o->train_per_class > 0) {
        return count > o->train_per_class ? count - o->train_per_class : 0;
    }
    size_t wanted = (size_t)(o->validation * (double)count + 0.5);
    wanted = wanted == 0 && o->validation > 0 && count >= 2 ? 1 : wanted;
    return wanted < count ? wanted : count - 1;
}

static void split_classes(data_set *data, const data_options *o, ranked *order) {
    if (o->spare_few && data->count < 4 * data->class_count) {
        return;
    }
    for (size_t begin = 0, end; begin < data->count; begin = end) {
        for (end = begin; end < data->count && order[end].label == order[begin].label;) {
            end++;
        }
        size_t wanted = for_validation(o, end - begin);
        for (size_t k = begin; k < begin + wanted; k++) {
            data->items[order[k].item].validation = true;
        }
    }
}

static int by_content(const void *a, const void *b) {
    const ranked *x = a, *y = b;
    return x->rank != y->rank ? (x->rank < y->rank ? -1 : 1) : x->item < y->item ? -1 : 1;
}

static const char *name_of(const data_item *item) {
    return item->path != NULL ? item->path : "a sample";
}

/* Copies of one picture: all to training when they lie on both sides; told when they are of two
 * classes. Arrays stay as they are: their split may be meant, and equal samples are no rarity. */
static void settle_copies(data_set *data, const ranked *order, size_t begin, size_t end,
                          size_t *inout_found) {
    bool pictures = data->values == NULL;
    bool training = false, validation = false;
    const data_item *first = &data->items[order[begin].item];
    for (size_t k = begin; k < end; k++) {
        const data_item *item = &data->items[order[k].item];
        training = training || !item->validation;
        validation = validation || item->validation;
        if (pictures && item->label != first->label) {
            data_note_add(&data->warnings, &data->warning_count,
                          "%s and %s are the same picture in two classes", name_of(first),
                          name_of(item));
        }
    }
    for (size_t k = begin; training && validation && k < end; k++) {
        data_item *item = &data->items[order[k].item];
        *inout_found += item->validation;
        item->validation = item->validation && !pictures;
    }
}

static void settle_duplicates(data_set *data, ranked *order) {
    size_t found = 0;
    for (size_t k = 0; k < data->count; k++) {
        order[k] = (ranked){data->items[k].content, 0, k};
    }
    qsort(order, data->count, sizeof *order, by_content);
    for (size_t begin = 0, end; begin < data->count; begin = end) {
        for (end = begin + 1; end < data->count && order[end].rank == order[begin].rank;) {
            end++;
        }
        settle_copies(data, order, begin, end, &found);
    }
    if (found > 0) {
        data_note_add(&data->warnings, &data->warning_count,
                      data->values != NULL ? "%zu validation sample%s also stood in training"
                                           : "%zu picture%s stood in training and validation: "
                                             "moved to training",
                      found, found == 1 ? "" : "s");
    }
}

kiln_status data_split(data_set *data, const data_options *o, kiln_error *error) {
    ranked *order = malloc((data->count + 1) * sizeof *order);
    if (order == NULL) {
        return kiln_fail(error, KILN_ERROR_MEMORY, "out of memory");
    }
    for (size_t k = 0; k < data->count; k++) {
        uint64_t salt = data->items[k].path == NULL ? k : 0; /* arrays hold equal samples */
        order[k] = (ranked){mix(data->items[k].content ^ mix(o->seed + 1 + salt)),
                            data->items[k].label, k};
    }
    if (o->last && data->values != NULL) {
        size_t wanted = (size_t)(o->validation * (double)data->count + 0.5);
        for (size_t k = data->count - wanted; k < data->count; k++) {
            data->items[k].validation = true;
        }
    } else if (o->validation_path == NULL) {
        qsort(order, data->count, sizeof *order, by_label_and_rank);
        split_classes(data, o, order);
    }
    settle_duplicates(data, order);
    free(order);
    if (o->to_measure) {
        return data->count > 0 ? KILN_OK
                               : kiln_fail(error, KILN_ERROR_ARGUMENT, "no usable pictures");
    }
    return data_check_classes(data, error);
}
