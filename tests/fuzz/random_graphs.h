/* Small random networks: made with the graph's own functions, written as ONNX files, compiled in
 * several ways and run, and compared with what the operators' evaluators make of the same network.
 *
 * A network is made with its batch open or fixed. Its shapes come from the operators' inference,
 * which also decides what is legal: a step that it refuses is taken back. */
#ifndef KILN_TESTS_RANDOM_GRAPHS_H
#define KILN_TESTS_RANDOM_GRAPHS_H

#include "compiler/graph/graph.h"
#include "compiler/ops/ops.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

enum { MAX_POOL = 256, MAX_ENDS = 6, MAX_TENSOR_ELEMENTS = 20000 };

typedef struct generator {
    graph *g;
    uint64_t state;
    tensor *pool[MAX_POOL]; /* what the next step may read; the latest last */
    size_t pool_count;
    tensor *inputs[MAX_ENDS], *outputs[MAX_ENDS];
    size_t input_count, output_count;
} generator;

/* random_graphs_make.c: a network by its seed. False: it came out empty. */
bool make_network(uint64_t seed, kiln_error *error, generator *out_generator);

/* ---- For steps ------------------------------------------------------------------------------- */

/* Each adds a few nodes that read from the pool; false: not possible here (taken back then). */
typedef bool (*generator_step)(generator *r);
typedef struct weighted_step {
    generator_step make;
    uint32_t weight;
} weighted_step;
/* Ended by a NULL. */
extern const weighted_step window_steps[];    /* convolutions, poolings, padding, resizing */
extern const weighted_step movement_steps[];  /* concatenation, slices, reshapes, ... */
extern const weighted_step value_steps[];     /* elementwise, normalisation, reduction, dense */
extern const weighted_step shape_steps[];     /* on shapes, integers and truth values */
extern const weighted_step index_steps[];     /* by indices; what is said in other operators */
extern const weighted_step batch_steps[];     /* with the batch behind other dims */
extern const weighted_step rare_steps[];      /* operators that few networks have */
extern const weighted_step quantized_steps[]; /* from real numbers, over integers, and back */
extern const weighted_step
    pattern_steps[]; /* what passes look for, with a second reader at times */

uint32_t below(generator *r, uint32_t bound);
int64_t between(generator *r, int64_t low, int64_t high); /* both included */
bool chance(generator *r, uint32_t percent);
#define CHOOSE(r, array) ((array)[below(r, sizeof(array) / sizeof *(array))])

/* A tensor of the pool, or now and then a constant; NULL: there is none of such a rank. */
tensor *pick(generator *r, uint32_t least_rank, uint32_t most_rank);
/* One that could be of the same size as t but for dims that are 1, or for one axis. NULL: none. */
tensor *pick_like(generator *r, const tensor *t, int64_t free_axis);
/* Dims of the sample alone: a dims[0] that is the batch is taken as 1. */
int64_t sample_size(const tensor *t, uint32_t axis);

/* Constants; values are exact in half precision. */
typedef enum constant_kind { OF_WEIGHTS, OF_UNIT, OF_POSITIVE } constant_kind;
tensor *constant_of(generator *r, uint32_t rank, const int64_t *dims, constant_kind kind);
tensor *integers_of(generator *r, size_t count, const int64_t *values);
tensor *scalar_of(generator *r, float value);

/* A node without attributes, not yet checked. */
node *begin_node(generator *r, const char *op, size_t input_count, tensor *const *inputs,
                 size_t output_count);
/* Infers it and puts its outputs in the pool; output 0, or NULL: not legal. */
tensor *end_node(generator *r, node *n);
/* The same, but nothing for other steps to read: quantised integers. */
tensor *end_hidden_node(generator *r, node *n);
/* And with the batch in any dim. */
tensor *end_moved_node(generator *r, node *n);
/* Both, for one output and no attributes. */
tensor *apply(generator *r, const char *op, size_t input_count, tensor *const *inputs);
#define APPLY(r, op, ...)                                                                          \
    apply(r, op, sizeof((tensor *[]){__VA_ARGS__}) / sizeof(tensor *), (tensor *[]){__VA_ARGS__})

void set_int(generator *r, node *n, const char *name, int64_t value);
void set_float(generator *r, node *n, const char *name, float value);
void set_ints(generator *r, node *n, const char *name, const int64_t *values, size_t count);
void set_string(generator *r, node *n, const char *name, const char *value);
/* Any axis but an open batch, which operators are not asked to work along. */
uint32_t some_axis(generator *r, const tensor *t);
/* An axis, half of them counted from the end. */
int64_t any_sign(generator *r, int64_t axis, uint32_t rank);

/* ---- The network as a whole ------------------------------------------------------------------ */

/* What an operator that is only said in others (op->resolve) is said in: nodes at the graph's end,
 * from *out_first on. */
bool resolve_node(graph *g, node *n, size_t *out_first);

/* random_graphs_onnx.c: as an ONNX file. */
bool write_onnx(const generator *r, const char *path);

/* random_graphs_run.c */
typedef struct run_counts {
    uint64_t graphs, runs, unjudged, wrong;
} run_counts;
/* Compiles and runs it in the ways that the seed chooses, or in all; prints what is wrong. */
bool check_network(const generator *r, uint64_t seed, const char *folder, bool all_ways,
                   run_counts *inout_counts);

#endif
