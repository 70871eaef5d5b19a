/* ONNX to graph: map the file, walk over the model, import its parts one at a time. */
#include "compiler/import/importing.h"
#include "compiler/ops/ops.h"
#include "runtime/base/files.h"

#include <libgen.h>
#include <stdlib.h>
#include <string.h>

enum { OPSET_MIN = 7, OPSET_MAX = 21 };

/* Field numbers of ModelProto besides the graph's. */
enum { MODEL_PRODUCER = 2, MODEL_PRODUCER_VERSION = 3, MODEL_OPSET = 8, MODEL_FUNCTION = 25 };

/* ---- The model ----------------------------------------------------------------------------- */

static kiln_status read_opset(importing *im, kiln_span message) {
    Onnx__OperatorSetIdProto *p =
        onnx__operator_set_id_proto__unpack(&im->memory, message.size, message.data);
    if (p == NULL) {
        return graph_fail(im->g, KILN_ERROR_FORMAT, "an opset import is damaged");
    }
    if (is_onnx_domain(p->domain) && p->version > im->g->opset) {
        im->g->opset = p->version;
    }
    onnx__operator_set_id_proto__free_unpacked(p, NULL);
    return KILN_OK;
}

/* Reads what a model says besides its graph. */
static kiln_status read_model(importing *im) {
    wire_field field;
    bool sound = true, has_graph = false;
    const char *producer = "", *version = "";
    kiln_status status = KILN_OK;
    for (kiln_span rest = im->model; status == KILN_OK && wire_next(&rest, &field, &sound);) {
        if (field.type != WIRE_BYTES) {
            continue;
        }
        if (field.number == MODEL_GRAPH) {
            has_graph = true;
        } else if (field.number == MODEL_OPSET) {
            status = read_opset(im, field.bytes);
        } else if (field.number == MODEL_FUNCTION) {
            status = import_function(im, field.bytes);
        } else if (field.number == MODEL_PRODUCER) {
            status = read_text(im, field.bytes, &producer);
        } else if (field.number == MODEL_PRODUCER_VERSION) {
            status = read_text(im, field.bytes, &version);
        }
    }
    if (status != KILN_OK) {
        return status;
    }
    if (im->g->opset < 1) {
        im->g->opset = functions_opset(im);
    }
    if (!sound || !has_graph) {
        return graph_fail(im->g, KILN_ERROR_FORMAT, "not an ONNX model, or cut short%s",
                          file_instead(im->model));
    }
    im->g->producer =
        graph_printf(im->g, "%s%s%s", producer, version[0] != '\0' ? " " : "", version);
    return im->g->producer != NULL ? KILN_OK : KILN_ERROR_MEMORY;
}

/* ---- The graph ----------------------------------------------------------------------------- */

static kiln_status count_input(importing *im, kiln_span message) {
    (void)message;
    im->g->input_count++;
    return KILN_OK;
}

static kiln_status count_output(importing *im, kiln_span message) {
    (void)message;
    im->g->output_count++;
    return KILN_OK;
}

/* Makes room for the ends of the graph, which import_input and import_output fill. */
static kiln_status make_room(importing *im) {
    graph *g = im->g;
    kiln_status status = each_part(im, GRAPH_INPUT, count_input);
    if (status == KILN_OK) {
        status = each_part(im, GRAPH_OUTPUT, count_output);
    }
    if (status != KILN_OK) {
        return status;
    }
    if (g->output_count == 0) {
        return graph_fail(g, KILN_ERROR_FORMAT, "the graph has no outputs");
    }
    g->inputs = graph_allocate(g, g->input_count * sizeof(tensor *));
    g->outputs = graph_allocate(g, g->output_count * sizeof(tensor *));
    g->input_count = g->output_count = 0;
    return g->inputs != NULL && g->outputs != NULL ? KILN_OK : KILN_ERROR_MEMORY;
}

static kiln_status check_opset(importing *im) {
    graph *g = im->g;
    if (g->opset < 1 && !im->needs_version) {
        g->opset = OPSET_MAX;
    }
    if (g->opset < 1) {
        return graph_fail(g, KILN_ERROR_FORMAT, "the model names no version of the ONNX operators");
    }
    if (g->opset < OPSET_MIN || g->opset > OPSET_MAX) {
        graph_note(g, "opset %lld is %s than %d: tried", (long long)g->opset,
                   g->opset < OPSET_MIN ? "older" : "newer",
                   g->opset < OPSET_MIN ? OPSET_MIN : OPSET_MAX);
    }
    return KILN_OK;
}

static kiln_status import_nodes(importing *im) {
    kiln_status status = each_part(im, GRAPH_NODE, scope_define_outputs);
    if (status == KILN_OK) {
        status = each_part(im, GRAPH_NODE, import_node);
    }
    if (status == KILN_OK) {
        status = check_opset(im);
    }
    return status == KILN_OK ? import_order(im) : status;
}

static kiln_status import_parts(importing *im) {
    kiln_status status = read_model(im);
    if (status == KILN_OK) {
        status = make_room(im);
    }
    if (status == KILN_OK) {
        status = each_part(im, GRAPH_SPARSE_INITIALIZER, refuse_sparse_initializer);
    }
    if (status == KILN_OK) {
        status = each_part(im, GRAPH_INITIALIZER, import_initializer);
    }
    if (status == KILN_OK) {
        status = each_part(im, GRAPH_INPUT, import_input);
    }
    if (status == KILN_OK) {
        status = import_nodes(im);
    }
    if (status == KILN_OK) {
        status = im->options->part_output_count > 0 ? import_part_outputs(im)
                                                    : each_part(im, GRAPH_OUTPUT, import_output);
    }
    if (status == KILN_OK && im->options->part_input_count > 0) {
        status = import_part_inputs(im, import_model);
    }
    if (status == KILN_OK) {
        status = bind_inputs(im);
    }
    if (status == KILN_OK) {
        status = wrap_narrow_integers(im);
    }
    return status == KILN_OK ? graph_refresh(im->g) : status;
}

kiln_status import_model(const char *path, const kiln_compile_options *options, bool symbolic_batch,
                         kiln_error *error, graph **out_graph) {
    importing im = {.options = options, .symbolic_batch = symbolic_batch};
    *out_graph = NULL;
    import_memory(&im);
    kiln_status status = graph_create(path, op_find, error, &im.g);
    if (status != KILN_OK) {
        return status;
    }
    im.g->release_file = files_unmap;
    im.g->fold_limit = im.options->fold_limit;
    char *copy = strdup(path);
    if (copy == NULL) {
        status = graph_fail(im.g, KILN_ERROR_MEMORY, "out of memory");
        goto cleanup;
    }
    im.folder = dirname(copy);
    status = check_given(&im);
    if (status == KILN_OK) {
        status = files_map(&im.files, path, error, &im.model);
    }
    if (status == KILN_OK) {
        status = import_parts(&im);
    }
    if (im.starved) {
        status = graph_fail(im.g, KILN_ERROR_MEMORY, "out of memory");
    }
    im.g->file_context = im.files;
    for (const mapped_file *f = im.files; f != NULL; f = f->next) {
        im.g->source_bytes += f->bytes.size;
    }
    functions_free(&im);
cleanup:
    free(copy);
    if (status != KILN_OK) {
        graph_free(im.g);
        return status;
    }
    *out_graph = im.g;
    return KILN_OK;
}
