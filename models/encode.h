/* ONNX messages as bytes. The only header here besides encode.c that needs to know what a node is
 * made of; none of it shows protobuf. */
#ifndef KILN_MODELS_ENCODE_H
#define KILN_MODELS_ENCODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "models/weights.h"

/* Growing run of bytes; all zero is empty. `failed` is set when memory ran out. */
typedef struct encode_buffer {
    uint8_t *data;
    size_t size, capacity;
    bool failed;
} encode_buffer;

typedef enum encode_kind { ENCODE_INT, ENCODE_INTS, ENCODE_FLOAT, ENCODE_SCALAR } encode_kind;

/* An attribute of a node. ENCODE_SCALAR is a f32 tensor of rank 0, as in Constant. */
typedef struct encode_attribute {
    const char *name;
    encode_kind kind;
    size_t count;    /* of ints */
    int64_t ints[4]; /* ENCODE_INT: ints[0] */
    float real;
} encode_attribute;

#define ENCODE_MAX_ATTRIBUTES 8

typedef struct encode_node {
    const char *operator_type, *name, *output;
    const char *const *inputs;
    size_t input_count;
    const encode_attribute *attributes; /* at most ENCODE_MAX_ATTRIBUTES */
    size_t attribute_count;
} encode_node;

/* A weight: only its description is kept, its values are made while it is written. */
typedef struct encode_initializer {
    char *name; /* owned */
    int64_t dims[4];
    size_t rank, elements;
    weights_distribution distribution;
} encode_initializer;

/* Name and shape of the network's input or output. A dims[0] of 0 is the open dimension "batch". */
typedef struct encode_value {
    const char *name;
    int64_t dims[4];
    size_t rank;
} encode_value;

typedef struct encode_model {
    const char *name;
    const encode_buffer *nodes; /* what encode_append_node made */
    const encode_initializer *initializers;
    size_t initializer_count;
    encode_value input, output;
    uint64_t seed;
} encode_model;

/* Appends the node, wrapped as an entry of GraphProto, to buffer. */
void encode_append_node(encode_buffer *buffer, const encode_node *node);

void encode_buffer_release(encode_buffer *buffer);

/* Writes the model as a ModelProto. False when memory ran out or the file could not be written
 * (errno says why). No more than one chunk of the weights is ever in memory. */
bool encode_write_model(const encode_model *model, FILE *file);

#endif
