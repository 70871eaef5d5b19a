/* An ONNX model in the making. Memory problems are remembered (failed) and told once, by
 * export_plan: after one, texts are "", nodes are all the same spare one, and nothing is added. */
#ifndef KILN_COMPILER_EXPORT_MODEL_H
#define KILN_COMPILER_EXPORT_MODEL_H

#include "onnx.pb-c.h"
#include <kiln/kiln.h>

typedef struct onnx_model {
    Onnx__ModelProto model;
    Onnx__GraphProto graph;
    size_t node_capacity, initializer_capacity, input_capacity, output_capacity, metadata_capacity;
    void **owned;
    size_t owned_count, owned_capacity;
    size_t names;  /* made up so far */
    int64_t opset; /* 17 unless set */
    bool failed;
    Onnx__NodeProto spare;
} onnx_model;

void model_init(onnx_model *m);
void model_free(onnx_model *m);
/* Zeroed memory that lives as long as the model. NULL: none, and the model has failed. */
void *model_allocate(onnx_model *m, size_t size);
const char *model_text(onnx_model *m, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* A node of `count` inputs ("" or NULL: left out) and one output; returns the output's name: `name`
 * or, when that is NULL, one made up. *out_node may be NULL. */
const char *model_node(onnx_model *m, const char *op_type, const char *name, size_t count,
                       const char *const *inputs, Onnx__NodeProto **out_node);
void model_int(onnx_model *m, Onnx__NodeProto *node, const char *name, int64_t value);
void model_string(onnx_model *m, Onnx__NodeProto *node, const char *name, const char *value);
void model_float(onnx_model *m, Onnx__NodeProto *node, const char *name, float value);
void model_ints(onnx_model *m, Onnx__NodeProto *node, const char *name, size_t count,
                const int64_t *values);

/* Initializers; data are copied. Return their names. */
const char *model_floats(onnx_model *m, const char *name, size_t rank, const int64_t *dims,
                         const float *data);
const char *model_elements(onnx_model *m, const char *name, kiln_dtype dtype, size_t rank,
                           const int64_t *dims, const void *data);
const char *model_integers(onnx_model *m, size_t count, const int64_t *values);
/* The memory of a new float initializer, for large ones that are computed in place. NULL: none. */
float *model_floats_room(onnx_model *m, const char **inout_name, size_t rank, const int64_t *dims);

/* dims[0] is the symbol N when batched. */
void model_end(onnx_model *m, bool input, const char *name, kiln_dtype dtype, size_t rank,
               const uint32_t *dims, bool batched);
void model_metadata(onnx_model *m, const char *key, const char *value);

/* To a temporary file that is then renamed. */
kiln_status model_write(onnx_model *m, const char *path, kiln_error *error);

#endif
