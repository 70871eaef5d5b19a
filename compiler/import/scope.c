/* Which tensor a name means: in the model's graph, in a subgraph, which sees the names around it,
 * or in a function's body, which sees its own alone. */
#include "compiler/import/importing.h"

#include <string.h>

/* Names of tensors inside others begin with where they are; they are not to grow with the depth. */
#define MAX_PREFIX "200"

static tensor *enter(importing *im, scope *s, const char *name) {
    tensor *t = graph_add_tensor(
        im->g, graph_printf(im->g, "%." MAX_PREFIX "s/%s", s->prefix, name), KILN_F32);
    name = graph_strdup(im->g, name);
    return t != NULL && name != NULL && scope_bind(im, s, name, t) == KILN_OK ? t : NULL;
}

kiln_status scope_bind(importing *im, scope *s, const char *name, tensor *t) {
    return names_enter(&s->names, name, t) ? KILN_OK
                                           : graph_fail(im->g, KILN_ERROR_MEMORY, "out of memory");
}

bool scope_has(const importing *im, const char *name) {
    return im->scope == NULL ? graph_find_tensor(im->g, name) != NULL
                             : names_find(&im->scope->names, name) != NULL;
}

tensor *scope_define(importing *im, const char *name) {
    return im->scope == NULL ? graph_add_tensor(im->g, name, KILN_F32) : enter(im, im->scope, name);
}

kiln_status scope_tensor(importing *im, const char *name, tensor **out_tensor) {
    scope *s = im->scope;
    for (; s != NULL; s = s->outer) {
        const name_slot *slot = names_find(&s->names, name);
        if (slot != NULL) {
            *out_tensor = slot->value;
            return KILN_OK;
        }
        if (s->call != NULL) {
            break;
        }
    }
    *out_tensor = s == NULL ? graph_find_tensor(im->g, name) : NULL;
    if (*out_tensor == NULL) {
        *out_tensor = s == NULL ? graph_add_tensor(im->g, name, KILN_F32) : enter(im, s, name);
    }
    return *out_tensor != NULL ? KILN_OK : KILN_ERROR_MEMORY;
}

kiln_status scope_define_outputs(importing *im, kiln_span node_message) {
    enum { NODE_OUTPUT = 2 };
    wire_field field;
    bool sound = true;
    while (wire_next(&node_message, &field, &sound)) {
        if (field.number != NODE_OUTPUT || field.type != WIRE_BYTES || field.bytes.size == 0) {
            continue;
        }
        const char *name;
        kiln_status status = read_text(im, field.bytes, &name);
        if (status != KILN_OK || (!scope_has(im, name) && scope_define(im, name) == NULL)) {
            return KILN_ERROR_MEMORY;
        }
    }
    return KILN_OK;
}

kiln_status scope_import_nodes(importing *im, kiln_span message, uint32_t node_field,
                               part_importer import_node) {
    kiln_status status = each_field(im, message, node_field, scope_define_outputs);
    return status == KILN_OK ? each_field(im, message, node_field, import_node) : status;
}

kiln_status scope_open(importing *im, scope *s, const char *prefix) {
    enum { MAX_DEPTH = 64 };
    *s = (scope){.outer = im->scope,
                 .prefix = prefix,
                 .depth = im->scope != NULL ? im->scope->depth + 1 : 1,
                 .in_function = im->scope != NULL && im->scope->in_function};
    im->scope = s;
    return s->depth <= MAX_DEPTH
               ? KILN_OK
               : graph_fail(im->g, KILN_ERROR_UNSUPPORTED,
                            "subgraphs and functions nest deeper than %d", MAX_DEPTH);
}

void scope_close(importing *im, scope *s) {
    names_free(&s->names);
    im->scope = s->outer;
}

const node *scope_call(const importing *im) {
    const scope *s = im->scope;
    while (s != NULL && s->call == NULL) {
        s = s->outer;
    }
    return s != NULL ? s->call : NULL;
}
