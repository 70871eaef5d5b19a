/* An index by name. */
#include "compiler/graph/name_table.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* FNV-1a (Fowler, Noll, Vo), its high bits folded down because the table takes the low ones. */
static size_t hash_name(const char *name) {
    uint64_t hash = UINT64_C(14695981039346656037);
    for (const char *c = name; *c != '\0'; c++) {
        hash = (hash ^ (uint8_t)*c) * UINT64_C(1099511628211);
    }
    return (size_t)(hash ^ hash >> 32);
}

/* The slot that holds the name, or the empty one where it belongs. */
static name_slot *find_slot(name_slot *slots, size_t slot_count, const char *name) {
    size_t k = hash_name(name) & (slot_count - 1);
    while (slots[k].name != NULL && strcmp(slots[k].name, name) != 0) {
        k = (k + 1) & (slot_count - 1);
    }
    return &slots[k];
}

name_slot *names_find(const name_table *names, const char *name) {
    if (names->slot_count == 0) {
        return NULL;
    }
    name_slot *slot = find_slot(names->slots, names->slot_count, name);
    return slot->name != NULL ? slot : NULL;
}

static bool grow(name_table *names) {
    size_t count = names->slot_count == 0 ? 16 : 2 * names->slot_count;
    name_slot *slots = calloc(count, sizeof *slots);
    if (slots == NULL) {
        return false;
    }
    for (size_t k = 0; k < names->slot_count; k++) {
        if (names->slots[k].name != NULL) {
            *find_slot(slots, count, names->slots[k].name) = names->slots[k];
        }
    }
    free(names->slots);
    names->slots = slots;
    names->slot_count = count;
    return true;
}

bool names_enter(name_table *names, const char *name, void *value) {
    if (2 * (names->used + 1) > names->slot_count && !grow(names)) {
        return false;
    }
    *find_slot(names->slots, names->slot_count, name) = (name_slot){name, value};
    names->used++;
    return true;
}

void names_free(name_table *names) {
    free(names->slots);
    *names = (name_table){0};
}
