/* A map scaled by gates of its channels is read once more by what follows. A convolution of 1x1
 * takes the scale over, where it has fewer weights than the map has elements; so does an addition,
 * which becomes part of the step that scales. */
#include "compiler/lower/lowering.h"

#include <math.h>
#include <string.h>

/* A convolution scales its weights, once a sample, where the map has so many times as many. */
#define LEAST_POSITIONS 4

enum { SQUEEZED, MAP = 5, ADDEND, OPERANDS }; /* SQUEEZE_EXCITE's, and CONV_2D's: */
enum { CONV_ADDEND = 3, CONV_SCALE, CONV_OPERANDS };

/* A map that a step multiplies by gates. */
typedef struct scaling {
    uint32_t step;
    uint32_t map, gates; /* gates NONE: the step makes them */
    const float *bounds;
} scaling;

/* ---- Reading ------------------------------------------------------------------------------- */

/* One value for each channel of each sample of a map, in the order of its channels? */
static bool are_gates(const program_tensor *gates, const program_tensor *map) {
    uint32_t dims[KILN_MAX_RANK], wanted[KILN_MAX_RANK] = {0};
    program_physical_dims(gates, dims);
    program_physical_dims(map, wanted);
    for (uint32_t k = 1; k + 1 < map->rank; k++) {
        wanted[k] = 1;
    }
    return gates->place == KILN_PLACE_ARENA && gates->dtype == KILN_F32 &&
           gates->batched == map->batched && gates->rank == map->rank &&
           memcmp(dims, wanted, map->rank * sizeof *dims) == 0;
}

static bool is_dense(const lowering *l, uint32_t id) {
    return l->memories[id].row_stride == program_inner(&l->p->tensors[id]);
}

static bool read_scaling(const lowering *l, uint32_t s, scaling *out) {
    const program *p = l->p;
    const program_step *step = &p->steps[s];
    *out = (scaling){.step = s, .gates = KILN_PLAN_NONE};
    if (step->kernel == KILN_KERNEL_SQUEEZE_EXCITE) {
        const kiln_squeeze_excite_params *params = step->params;
        out->map = step->operands[MAP];
        out->bounds = &params->min;
        return step->input_count <= ADDEND && out->map != KILN_PLAN_NONE;
    }
    const kiln_binary_params *binary = step->params;
    if (step->kernel != KILN_KERNEL_BINARY || binary->op != KILN_BINARY_MUL) {
        return false;
    }
    out->bounds = &binary->min;
    const program_tensor *y = &p->tensors[step->operands[2]];
    for (uint32_t k = 0; k < 2; k++) {
        out->gates = step->operands[k];
        out->map = step->operands[1 - k];
        if (y->layout == KILN_CHANNELS_LAST && p->tensors[out->map].place == KILN_PLACE_ARENA &&
            program_same_physical(&p->tensors[out->map], y) &&
            are_gates(&p->tensors[out->gates], y) && is_dense(l, out->gates)) {
            return true;
        }
    }
    return false;
}

/* The step that alone reads a tensor made by step `maker`; NONE: there is none. */
static uint32_t only_reader(const lowering *l, const use_table *table, uint32_t id,
                            uint32_t maker) {
    return use_table_maker_for_one(l, table, id) == maker ? table->uses[table->first[id] + 1].step
                                                          : KILN_PLAN_NONE;
}

/* ---- Convolutions -------------------------------------------------------------------------- */

static bool takes_scale(const program *p, const program_step *conv, uint32_t id) {
    const kiln_conv_params *c = conv->params;
    if (conv->kernel != KILN_KERNEL_CONV_2D || c->algorithm != KILN_CONV_GEMM ||
        conv->operands[0] != id || conv->input_count > CONV_SCALE) {
        return false;
    }
    const program_tensor *w = &p->tensors[conv->operands[1]], *x = &p->tensors[id];
    uint64_t positions = program_elements(x) / x->dims[0] / x->dims[1];
    return w->dims[1] == 1 && w->dims[2] == 1 &&
           (uint64_t)w->dims[0] * LEAST_POSITIONS <= positions;
}

/* The gates alone, of a step that scaled its map. */
static uint32_t make_gates(lowering *l, program_step *step) {
    const program_tensor *map = &l->p->tensors[step->operands[MAP]];
    const int64_t dims[2] = {map->batched ? GRAPH_BATCH * (int64_t)map->dims[0] : map->dims[0],
                             map->dims[1]};
    uint32_t gates =
        lowering_add_tensor(l, NULL, KILN_F32, 2, dims, KILN_ROW_MAJOR, KILN_PLACE_ARENA);
    step->operands[MAP] = KILN_PLAN_NONE;
    step->operands[step->input_count] = gates;
    return gates;
}

static kiln_status scale_convolution(lowering *l, const scaling *s, program_step *conv) {
    program_step *step = &l->p->steps[s->step];
    uint32_t *operands = graph_allocate(l->g, (CONV_OPERANDS + 1) * sizeof *operands);
    const char *origin = s->gates != KILN_PLAN_NONE
                             ? graph_printf(l->g, "%s + %s", step->origin, conv->origin)
                             : conv->origin;
    uint32_t gates = s->gates != KILN_PLAN_NONE ? s->gates : make_gates(l, step);
    if (operands == NULL || origin == NULL || gates == KILN_PLAN_NONE) {
        return KILN_ERROR_MEMORY;
    }
    for (uint32_t k = 0; k < CONV_OPERANDS; k++) {
        operands[k] = k < conv->input_count ? conv->operands[k] : KILN_PLAN_NONE;
    }
    operands[0] = s->map;
    operands[CONV_SCALE] = gates;
    operands[CONV_OPERANDS] = conv->operands[conv->input_count];
    conv->operands = operands;
    conv->input_count = CONV_OPERANDS;
    conv->origin = origin;
    if (s->gates != KILN_PLAN_NONE) {
        step->input_count = step->output_count = 0; /* removed by lowering_remove_steps */
    }
    return KILN_OK;
}

/* ---- Additions ----------------------------------------------------------------------------- */

/* The other operand of an addition of maps alike; NONE: it is none. */
static uint32_t find_addend(const program *p, const program_step *add, uint32_t id) {
    const kiln_binary_params *params = add->params;
    if (add->kernel != KILN_KERNEL_BINARY || params->op != KILN_BINARY_ADD ||
        KILN_STEP_FUNCTION(add->flags) != KILN_UNARY_CLAMP) {
        return KILN_PLAN_NONE;
    }
    uint32_t other = add->operands[0] == id ? add->operands[1] : add->operands[0];
    bool alike = other != KILN_PLAN_NONE && other != id &&
                 p->tensors[other].place == KILN_PLACE_ARENA &&
                 program_same_physical(&p->tensors[other], &p->tensors[id]) &&
                 program_same_physical(&p->tensors[add->operands[2]], &p->tensors[id]);
    return alike ? other : KILN_PLAN_NONE;
}

/* The addition becomes the step that scales. */
static kiln_status scale_addition(lowering *l, const scaling *s, program_step *add,
                                  uint32_t addend) {
    static const kiln_unary_params none = {KILN_UNARY_CLAMP, -INFINITY, INFINITY, 0};
    program_step *step = &l->p->steps[s->step];
    const kiln_binary_params *bounds = add->params;
    kiln_squeeze_excite_params *params = graph_allocate(l->g, sizeof *params);
    uint32_t *operands = graph_allocate(l->g, (OPERANDS + 1) * sizeof *operands);
    const char *origin = graph_printf(l->g, "%s + %s", step->origin, add->origin);
    if (params == NULL || operands == NULL || origin == NULL) {
        return KILN_ERROR_MEMORY;
    }
    bool made = s->gates == KILN_PLAN_NONE;
    *params = made ? *(const kiln_squeeze_excite_params *)step->params
                   : (kiln_squeeze_excite_params){none, none, 0, 0};
    params->min = bounds->min;
    params->max = bounds->max;
    for (uint32_t k = 0; k < ADDEND; k++) {
        operands[k] = made && k < step->input_count ? step->operands[k] : KILN_PLAN_NONE;
    }
    operands[SQUEEZED] = made ? operands[SQUEEZED] : s->gates;
    operands[MAP] = s->map;
    operands[ADDEND] = addend;
    operands[OPERANDS] = add->operands[add->input_count];
    *add = (program_step){.kernel = KILN_KERNEL_SQUEEZE_EXCITE,
                          .flags = step->flags,
                          .name = step->name,
                          .origin = origin,
                          .input_count = OPERANDS,
                          .output_count = 1,
                          .operands = operands,
                          .params = params,
                          .params_bytes = sizeof *params};
    step->input_count = step->output_count = 0; /* removed by lowering_remove_steps */
    return KILN_OK;
}

kiln_status lowering_fold_scales(lowering *l) {
    program *p = l->p;
    use_table table;
    kiln_status status = use_table_build(l, &table);
    for (uint32_t k = 0; k < p->step_count && status == KILN_OK; k++) {
        scaling s;
        if (p->steps[k].output_count != 1 || !read_scaling(l, k, &s) || s.bounds[0] != -INFINITY ||
            s.bounds[1] != INFINITY) {
            continue;
        }
        uint32_t y = p->steps[k].operands[p->steps[k].input_count];
        uint32_t reader = only_reader(l, &table, y, k);
        if (reader == KILN_PLAN_NONE) {
            continue;
        }
        uint32_t addend = find_addend(p, &p->steps[reader], y);
        if (takes_scale(p, &p->steps[reader], y)) {
            status = scale_convolution(l, &s, &p->steps[reader]);
        } else if (addend != KILN_PLAN_NONE) {
            status = scale_addition(l, &s, &p->steps[reader], addend);
        }
    }
    lowering_remove_steps(l);
    return status;
}
