/* Walking over protobuf's wire format without unpacking (protobuf.dev, "Encoding"). protobuf-c
 * would copy every byte string; a model's weights are to stay where they are. */
#include "compiler/import/importing.h"

#include <stdlib.h>
#include <string.h>

static bool read_varint(const uint8_t **inout_at, const uint8_t *end, uint64_t *out_value) {
    uint64_t value = 0;
    for (uint32_t shift = 0; shift < 64 && *inout_at < end; shift += 7) {
        uint8_t byte = *(*inout_at)++;
        value |= (uint64_t)(byte & 0x7f) << shift;
        if ((byte & 0x80) == 0) {
            *out_value = value;
            return true;
        }
    }
    return false;
}

static bool read_content(const uint8_t **inout_at, const uint8_t *end, wire_field *field) {
    size_t left = (size_t)(end - *inout_at);
    switch (field->type) {
    case WIRE_VARINT: {
        uint64_t skipped;
        return read_varint(inout_at, end, &skipped);
    }
    case WIRE_64:
        *inout_at += left < 8 ? 0 : 8;
        return left >= 8;
    case WIRE_32:
        *inout_at += left < 4 ? 0 : 4;
        return left >= 4;
    case WIRE_BYTES: {
        uint64_t length;
        if (!read_varint(inout_at, end, &length) || length > (size_t)(end - *inout_at)) {
            return false;
        }
        field->bytes = (kiln_span){*inout_at, (size_t)length};
        *inout_at += length;
        return true;
    }
    default:
        return false;
    }
}

bool wire_next(kiln_span *inout_rest, wire_field *out_field, bool *inout_sound) {
    const uint8_t *start = inout_rest->data, *at = start, *end = start + inout_rest->size;
    uint64_t tag;
    if (inout_rest->size == 0) {
        return false;
    }
    *out_field = (wire_field){0};
    if (!read_varint(&at, end, &tag) || tag >> 3 == 0 || tag >> 3 > 0x1fffffff) {
        *inout_sound = false;
        return false;
    }
    out_field->number = (uint32_t)(tag >> 3);
    out_field->type = (uint32_t)(tag & 7);
    if (!read_content(&at, end, out_field)) {
        *inout_sound = false;
        return false;
    }
    out_field->whole = (kiln_span){start, (size_t)(at - start)};
    *inout_rest = (kiln_span){at, (size_t)(end - at)};
    return true;
}

uint8_t *wire_without(ProtobufCAllocator *memory, kiln_span message, uint32_t number,
                      size_t *out_size, kiln_span *out_removed) {
    wire_field field;
    bool sound = true;
    size_t size = 0, used = 0;
    *out_removed = (kiln_span){NULL, 0};
    for (kiln_span rest = message; wire_next(&rest, &field, &sound);) {
        size += field.number == number ? 0 : field.whole.size;
    }
    uint8_t *copy = sound ? memory->alloc(memory->allocator_data, size + 1) : NULL;
    if (copy == NULL) {
        return NULL;
    }
    for (kiln_span rest = message; wire_next(&rest, &field, &sound);) {
        if (field.number != number) {
            memcpy(copy + used, field.whole.data, field.whole.size);
            used += field.whole.size;
        } else if (field.type == WIRE_BYTES) {
            *out_removed = field.bytes;
        }
    }
    *out_size = size;
    return copy;
}
