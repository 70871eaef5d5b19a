/* An index by name: open addressing, the size a power of two. Names and values are the caller's. */
#ifndef KILN_COMPILER_GRAPH_NAME_TABLE_H
#define KILN_COMPILER_GRAPH_NAME_TABLE_H

#include <stdbool.h>
#include <stddef.h>

typedef struct name_slot {
    const char *name; /* NULL: empty */
    void *value;
} name_slot;

typedef struct name_table {
    name_slot *slots;
    size_t slot_count, used;
} name_table;

/* The slot of a name; NULL: it is not there. */
name_slot *names_find(const name_table *names, const char *name);
/* Enters a name that is not there yet. False: out of memory. */
bool names_enter(name_table *names, const char *name, void *value);
void names_free(name_table *names);

#endif
