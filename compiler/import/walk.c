/* Walking over a model's messages without unpacking them. */
#include "compiler/import/importing.h"

#include <stdlib.h>
#include <string.h>

static void *allocate(void *starved, size_t size) {
    void *block = malloc(size);
    if (block == NULL) {
        *(bool *)starved = true;
    }
    return block;
}

static void release(void *starved, void *block) {
    (void)starved;
    free(block);
}

void import_memory(importing *im) {
    im->memory = (ProtobufCAllocator){allocate, release, &im->starved};
}

kiln_status read_text(importing *im, kiln_span bytes, const char **out_text) {
    char *text = graph_allocate(im->g, bytes.size + 1);
    if (text != NULL && bytes.size > 0) {
        memcpy(text, bytes.data, bytes.size);
    }
    *out_text = text;
    return text != NULL ? KILN_OK : KILN_ERROR_MEMORY;
}

kiln_status each_field(importing *im, kiln_span rest, uint32_t number, part_importer take) {
    wire_field field;
    bool sound = true;
    kiln_status status = KILN_OK;
    while (status == KILN_OK && wire_next(&rest, &field, &sound)) {
        if (field.number == number && field.type == WIRE_BYTES) {
            status = take(im, field.bytes);
        }
    }
    return status == KILN_OK && !sound
               ? graph_fail(im->g, KILN_ERROR_FORMAT, "the graph is damaged or cut short")
               : status;
}

kiln_status each_part(importing *im, uint32_t number, part_importer take) {
    wire_field field;
    bool sound = true;
    kiln_status status = KILN_OK;
    for (kiln_span rest = im->model; status == KILN_OK && wire_next(&rest, &field, &sound);) {
        if (field.number == MODEL_GRAPH && field.type == WIRE_BYTES) {
            status = each_field(im, field.bytes, number, take);
        }
    }
    return status;
}
