/* The strings section, each text once. */
#include "compiler/write/writing.h"
#include "runtime/base/checksum.h"

#include <stdlib.h>
#include <string.h>

static const char *text_at(const string_table *table, uint32_t offset) {
    return (const char *)table->builder->sections[KILN_SECTION_STRINGS].data + offset;
}

static bool rehash(string_table *table) {
    size_t count = table->slot_count == 0 ? 256 : table->slot_count * 2;
    uint32_t *slots = calloc(count, sizeof *slots);
    if (slots == NULL) {
        return false;
    }
    for (size_t k = 0; k < table->slot_count; k++) {
        if (table->slots[k] != 0) {
            const char *text = text_at(table, table->slots[k]);
            size_t at = (size_t)checksum(text, strlen(text)) & (count - 1);
            while (slots[at] != 0) {
                at = (at + 1) & (count - 1);
            }
            slots[at] = table->slots[k];
        }
    }
    free(table->slots);
    table->slots = slots;
    table->slot_count = count;
    return true;
}

uint32_t string_table_add(string_table *table, const char *text) {
    if (text == NULL || text[0] == '\0') {
        return builder_string(table->builder, text);
    }
    if (table->used * 2 >= table->slot_count && !rehash(table)) {
        table->builder->sections[KILN_SECTION_STRINGS].failed = true;
        return 0;
    }
    size_t at = (size_t)checksum(text, strlen(text)) & (table->slot_count - 1);
    while (table->slots[at] != 0) {
        if (strcmp(text_at(table, table->slots[at]), text) == 0) {
            return table->slots[at];
        }
        at = (at + 1) & (table->slot_count - 1);
    }
    uint32_t offset = builder_string(table->builder, text);
    if (offset != 0) {
        table->slots[at] = offset;
        table->used++;
    }
    return offset;
}

void string_table_free(string_table *table) {
    free(table->slots);
    *table = (string_table){0};
}
