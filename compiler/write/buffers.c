/* Byte buffers and the strings section. */
#include "compiler/write/writing.h"

#define XXH_INLINE_ALL
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

void buffer_append(byte_buffer *buffer, const void *data, size_t size) {
    if (buffer->failed || size == 0) {
        return;
    }
    if (size > buffer->capacity - buffer->size) {
        size_t capacity = (buffer->size + size) * 2;
        uint8_t *grown = realloc(buffer->data, capacity);
        if (grown == NULL) {
            buffer->failed = true;
            return;
        }
        buffer->data = grown;
        buffer->capacity = capacity;
    }
    memcpy(buffer->data + buffer->size, data, size);
    buffer->size += size;
}

void buffer_pad(byte_buffer *buffer, size_t alignment) {
    static const uint8_t zeros[64];
    size_t past = buffer->size % alignment;
    if (past != 0) {
        buffer_append(buffer, zeros, alignment - past);
    }
}

void buffer_free(byte_buffer *buffer) {
    free(buffer->data);
    *buffer = (byte_buffer){0};
}

static bool rehash(string_table *table) {
    size_t count = table->slot_count == 0 ? 256 : table->slot_count * 2;
    uint32_t *slots = calloc(count, sizeof *slots);
    if (slots == NULL) {
        return false;
    }
    for (size_t k = 0; k < table->slot_count; k++) {
        if (table->slots[k] != 0) {
            const char *text = (const char *)table->bytes.data + table->slots[k];
            size_t at = XXH3_64bits(text, strlen(text)) & (count - 1);
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
    if (table->bytes.size == 0) {
        buffer_append(&table->bytes, "", 1);
    }
    if (text == NULL || text[0] == '\0') {
        return 0;
    }
    if (table->used * 2 >= table->slot_count && !rehash(table)) {
        table->bytes.failed = true;
        return 0;
    }
    size_t length = strlen(text), at = XXH3_64bits(text, length) & (table->slot_count - 1);
    while (table->slots[at] != 0) {
        if (strcmp((const char *)table->bytes.data + table->slots[at], text) == 0) {
            return table->slots[at];
        }
        at = (at + 1) & (table->slot_count - 1);
    }
    uint32_t offset = (uint32_t)table->bytes.size;
    if (length > UINT32_MAX - 1 - table->bytes.size) {
        table->bytes.failed = true;
        return 0;
    }
    buffer_append(&table->bytes, text, length + 1);
    if (table->bytes.failed) {
        return 0;
    }
    table->slots[at] = offset;
    table->used++;
    return offset;
}

void string_table_free(string_table *table) {
    buffer_free(&table->bytes);
    free(table->slots);
    *table = (string_table){0};
}
