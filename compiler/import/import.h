/* ONNX file to graph. With export, the only module that knows protobuf. */
#ifndef KILN_COMPILER_IMPORT_H
#define KILN_COMPILER_IMPORT_H

#include "compiler/graph/graph.h"
#include <kiln/compile.h>

/* Reads the model. Nodes are in the graph with their attributes; shapes of inputs and constants are
 * set, the rest is left to inference. An open dims[0] of an input becomes GRAPH_BATCH when
 * symbolic_batch, else 1; other open dims must be settled by `inputs` or are refused by name.
 *
 * Types: i32 data (and smaller integers in initializers) become i64; f16, bf16, f64 initializers
 * become f32. Inputs and outputs declared f16 or i32 get a Cast node at the boundary. Graph inputs
 * or outputs of other types are refused with the type's name.
 *
 * Values in options->inputs replace an input; where they are samples, only one that an operator
 * needs at compile time (op->constant_inputs, traced back through the nodes between). */
kiln_status import_model(const char *path, const kiln_compile_options *options, bool symbolic_batch,
                         kiln_error *error, graph **out_graph);

/* Whether a value has the shape of a plan's input, the batch apart; of a batched input, how many
 * samples it holds, which is one number for all inputs (0: none has been seen). */
kiln_status value_batch(const kiln_value *value, const kiln_tensor_info *info,
                        uint32_t *inout_batch, kiln_error *error);

/* Refuses to write to `output` where the model or its external data lie. */
kiln_status import_keep(const graph *g, const char *output, kiln_error *error);

#endif
