/* The ranges of options: they stand in the rows of what the options belong to (an optimizer, a
 * loss, a schedule, an activation), and options.c checks them all. */
#ifndef KILN_TRAIN_RANGE_H
#define KILN_TRAIN_RANGE_H

#include <kiln/train.h>
#include <stddef.h>

/* least <= value < limit, of a float in kiln_train_options. A list ends with a name of NULL. */
typedef struct range {
    const char *name;
    size_t place;
    float least, limit;
} range;

#define RANGE(name, member, least, limit)                                                          \
    { name, offsetof(kiln_train_options, member), least, limit }

/* A list of them. */
#define RANGES(...) ((const range[]){__VA_ARGS__, {NULL, 0, 0, 0}})

#endif
