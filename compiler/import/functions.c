/* Functions of the model's own (FunctionProto): a call becomes the nodes of the body. */
#include "compiler/import/importing.h"
#include "compiler/ops/ops.h"

#include <stdlib.h>
#include <string.h>

/* Field numbers of FunctionProto that are walked, not unpacked. */
enum { FUNCTION_NODE = 7, FUNCTION_ATTRIBUTE_PROTO = 11 };

/* Calls may multiply: a file of some kilobytes can mean any number of nodes. */
enum { MAX_INLINED_NODES = 100000 };
#define MAX_INLINED_BYTES ((size_t)256 << 20)

typedef struct function {
    kiln_span message;
    Onnx__FunctionProto *head; /* without the nodes */
    bool active;               /* its body is being imported */
} function;

static const char *key_of(importing *im, const char *domain, const char *name,
                          const char *overload) {
    return graph_printf(im->g, "%s:%s:%s", domain != NULL ? domain : "", name != NULL ? name : "",
                        overload != NULL ? overload : "");
}

/* ---- The model's functions ----------------------------------------------------------------- */

kiln_status import_function(importing *im, kiln_span message) {
    size_t size = 0;
    kiln_span nodes;
    function *f = graph_allocate(im->g, sizeof *f);
    if (f == NULL) {
        return KILN_ERROR_MEMORY;
    }
    uint8_t *bare = wire_without(&im->memory, message, FUNCTION_NODE, &size, &nodes);
    *f = (function){.message = message};
    f->head = bare != NULL ? onnx__function_proto__unpack(&im->memory, size, bare) : NULL;
    free(bare);
    if (f->head == NULL) {
        return graph_fail(im->g, KILN_ERROR_FORMAT, "a function is damaged");
    }
    const char *key = key_of(im, f->head->domain, f->head->name, f->head->overload);
    bool twice = key != NULL && names_find(&im->functions, key) != NULL;
    if (key == NULL || twice || !names_enter(&im->functions, key, f)) {
        kiln_status status =
            twice ? graph_fail(im->g, KILN_ERROR_FORMAT, "function '%s' is defined twice", key)
                  : graph_fail(im->g, KILN_ERROR_MEMORY, "out of memory");
        onnx__function_proto__free_unpacked(f->head, NULL);
        return status;
    }
    return KILN_OK;
}

void functions_free(importing *im) {
    for (size_t k = 0; k < im->functions.slot_count; k++) {
        const name_slot *slot = &im->functions.slots[k];
        if (slot->name != NULL) {
            onnx__function_proto__free_unpacked(((function *)slot->value)->head, NULL);
        }
    }
    names_free(&im->functions);
}

int64_t functions_opset(const importing *im) {
    int64_t newest = 0;
    for (size_t k = 0; k < im->functions.slot_count; k++) {
        const name_slot *slot = &im->functions.slots[k];
        const Onnx__FunctionProto *head =
            slot->name != NULL ? ((function *)slot->value)->head : NULL;
        for (size_t i = 0; head != NULL && i < head->n_opset_import; i++) {
            const Onnx__OperatorSetIdProto *import = head->opset_import[i];
            newest = is_onnx_domain(import->domain) && import->version > newest ? import->version
                                                                                : newest;
        }
    }
    return newest;
}

function *find_function(importing *im, const Onnx__NodeProto *p) {
    const char *key =
        im->functions.used > 0 ? key_of(im, p->domain, p->op_type, p->overload) : NULL;
    const name_slot *slot = key != NULL ? names_find(&im->functions, key) : NULL;
    return slot != NULL ? slot->value : NULL;
}

/* ---- A call -------------------------------------------------------------------------------- */

kiln_status count_inlined(importing *im, kiln_span node_message) {
    if (im->scope == NULL || !im->scope->in_function) {
        return KILN_OK;
    }
    im->inlined_bytes += node_message.size;
    return ++im->inlined_nodes <= MAX_INLINED_NODES && im->inlined_bytes <= MAX_INLINED_BYTES
               ? KILN_OK
               : graph_fail(im->g, KILN_ERROR_UNSUPPORTED,
                            "functions that come to more than %d nodes", MAX_INLINED_NODES);
}

/* Adds the attributes that the call does not give. */
static kiln_status add_defaults(importing *im, const function *f, node *call) {
    wire_field field;
    bool sound = true;
    attribute *all =
        graph_allocate(im->g, (call->attribute_count + f->head->n_attribute_proto) * sizeof *all);
    if (all == NULL) {
        return KILN_ERROR_MEMORY;
    }
    if (call->attribute_count > 0) {
        memcpy(all, call->attributes, call->attribute_count * sizeof *all);
    }
    call->attributes = all;
    kiln_status status = KILN_OK;
    for (kiln_span rest = f->message; status == KILN_OK && wire_next(&rest, &field, &sound);) {
        if (field.number == FUNCTION_ATTRIBUTE_PROTO && field.type == WIRE_BYTES) {
            status = import_default_attribute(im, field.bytes, call);
        }
    }
    return status;
}

/* Binds the body's names of what goes in and comes out. */
static kiln_status bind_ends(importing *im, scope *s, const function *f, const node *call) {
    const Onnx__FunctionProto *head = f->head;
    if (call->input_count > head->n_input || call->output_count > head->n_output) {
        return node_fail(im->g, call, KILN_ERROR_FORMAT,
                         "%zu inputs and %zu outputs; the function has %zu and %zu",
                         call->input_count, call->output_count, head->n_input, head->n_output);
    }
    kiln_status status = KILN_OK;
    for (size_t k = 0; k < head->n_input && status == KILN_OK; k++) {
        tensor *t = k < call->input_count ? call->inputs[k] : NULL;
        status = names_find(&s->names, head->input[k]) == NULL
                     ? scope_bind(im, s, head->input[k], t)
                     : node_fail(im->g, call, KILN_ERROR_FORMAT, "input '%s' is defined twice",
                                 head->input[k]);
    }
    for (size_t k = 0; k < call->output_count && status == KILN_OK; k++) {
        if (call->outputs[k] != NULL && names_find(&s->names, head->output[k]) == NULL) {
            status = scope_bind(im, s, head->output[k], call->outputs[k]);
        }
    }
    return status;
}

/* Adds an Identity for each output that is an input, or another output. */
static kiln_status pass_on(importing *im, scope *s, const function *f, const node *call) {
    for (size_t k = 0; k < call->output_count; k++) {
        tensor *y = call->outputs[k];
        tensor *x = names_find(&s->names, f->head->output[k])->value;
        if (y == NULL || x == y) {
            continue;
        }
        if (x == NULL) {
            return node_fail(im->g, call, KILN_ERROR_FORMAT, "output '%s' is an input left out",
                             y->name);
        }
        node identity = {.op = op_find("Identity"),
                         .name = call->name,
                         .input_count = 1,
                         .output_count = 1,
                         .inputs = &x,
                         .outputs = &y};
        node *n;
        kiln_status status = add_imported_node(im, &identity, &n);
        if (status != KILN_OK) {
            return status;
        }
    }
    return KILN_OK;
}

kiln_status import_call(importing *im, kiln_span message, function *f, node *call,
                        part_importer import_node) {
    kiln_status status = import_attributes(im, message, call);
    if (status == KILN_OK) {
        status = add_defaults(im, f, call);
    }
    if (status == KILN_OK && f->active) {
        status = node_fail(im->g, call, KILN_ERROR_FORMAT, "the function calls itself");
    }
    if (status != KILN_OK) {
        return status;
    }
    scope s;
    f->active = true;
    status = scope_open(im, &s, call->name);
    s.call = call;
    s.in_function = true;
    if (status == KILN_OK) {
        status = bind_ends(im, &s, f, call);
    }
    if (status == KILN_OK) {
        status = scope_import_nodes(im, f->message, FUNCTION_NODE, import_node);
    }
    if (status == KILN_OK) {
        status = pass_on(im, &s, f, call);
    }
    scope_close(im, &s);
    f->active = false;
    return status;
}
