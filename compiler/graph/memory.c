/* A graph's memory. */
#include "compiler/graph/arena.h"
#include "compiler/graph/graph.h"

#include <stdarg.h>
#include <string.h>

void *graph_allocate(graph *g, size_t size) {
    void *memory = arena_allocate(g->arena, size);
    if (memory == NULL) {
        graph_fail(g, KILN_ERROR_MEMORY, "out of memory");
    }
    return memory;
}

const char *graph_strdup(graph *g, const char *text) {
    size_t size = strlen(text) + 1;
    char *copy = graph_allocate(g, size);
    return copy == NULL ? NULL : memcpy(copy, text, size);
}

const char *graph_printf(graph *g, const char *format, ...) {
    va_list arguments, again;
    va_start(arguments, format);
    va_copy(again, arguments);
    int length = vsnprintf(NULL, 0, format, arguments);
    char *text = length < 0 ? NULL : graph_allocate(g, (size_t)length + 1);
    if (text != NULL) {
        vsnprintf(text, (size_t)length + 1, format, again);
    }
    va_end(again);
    va_end(arguments);
    return text;
}

void *graph_grow(graph *g, void *items, size_t count, size_t *inout_capacity) {
    void *grown = arena_grow(g->arena, items, count, inout_capacity);
    if (grown == NULL) {
        graph_fail(g, KILN_ERROR_MEMORY, "out of memory");
    }
    return grown;
}
