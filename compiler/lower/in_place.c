/* Elementwise results take over the memory of an operand that nobody reads afterwards. */
#include "compiler/lower/lowering.h"

/* Bytes of the root that a tensor touches, per batch of one: [begin, end). Rows of a strided tensor
 * are taken as one run when they are not columns of the same width. */
typedef struct extent {
    uint64_t begin, end;
    uint64_t column, width, stride; /* bytes; stride 0: not columns */
} extent;

static extent extent_of(const lowering *l, uint32_t id) {
    const program_tensor *t = &l->p->tensors[id];
    const memory *m = &l->memories[id];
    uint64_t element = kiln_dtype_size(t->dtype), inner = program_inner(t);
    uint64_t outer = program_elements(t) / inner;
    extent e = {.begin = m->offset};
    e.end = m->offset + ((outer - 1) * m->row_stride + inner) * element;
    if (m->row_stride > inner) {
        e.stride = m->row_stride * element;
        e.column = m->offset % e.stride;
        e.width = inner * element;
    }
    return e;
}

static bool extents_overlap(const extent *a, const extent *b) {
    if (a->end <= b->begin || b->end <= a->begin) {
        return false;
    }
    if (a->stride != 0 && a->stride == b->stride) {
        return a->column < b->column + b->width && b->column < a->column + a->width;
    }
    return true;
}

/* So many views of one memory are looked at; where there are more, results get their own memory. */
#define TENANTS_WALKED 256

/* Is the memory of `id` free for the result of step s: no tensor that overlaps it, `id` included,
 * is read or written after s, and none but `id` itself is an operand of s? Tenants whose last use
 * is past leave the list, or a long chain in one memory would be walked from its beginning for each
 * step; a root that has lost one cannot move to another any more. */
static bool is_last_use(const lowering *l, use_table *table, bool *shortened, uint32_t id,
                        uint32_t s) {
    extent wanted = extent_of(l, id);
    const kiln_plan_band *band = program_band_of(l->p, s);
    uint32_t root = l->memories[id].root, first = band != NULL ? band->first_step : s, walked = 0;
    for (uint32_t *link = &table->tenant[root]; *link != KILN_PLAN_NONE;) {
        uint32_t t = *link;
        size_t begin = table->first[t], end = table->first[t + 1];
        if (begin < end && table->uses[end - 1].step < first) {
            *link = table->next_tenant[t];
            shortened[root] = true;
            continue;
        }
        link = &table->next_tenant[t];
        if (++walked > TENANTS_WALKED) {
            return false;
        }
        extent e = extent_of(l, t);
        if (begin == end || !extents_overlap(&wanted, &e)) {
            continue;
        }
        uint32_t last = table->uses[end - 1].step;
        if (last > s || (last == s && t != id)) {
            return false;
        }
    }
    return true;
}

/* Has the reader, in each stripe, read a row before step s writes it? */
static bool reads_first(const program *p, const kiln_plan_band *band, const tensor_use *reader,
                        uint32_t s) {
    band_steps steps;
    stripe_rows rows[KILN_BAND_STEPS] = {{0}};
    row_rule rule;
    uint32_t at = reader->step - band->first_step;
    if (!program_band_steps(p, band, &steps) ||
        !program_step_rows(p, reader->step, reader->operand, &rule) || rule.extent == 0) {
        return false;
    }
    while (band_next_stripe(steps.each, steps.count, band->rows, rows)) {
        bool finished = rows[at].end == steps.each[at].height;
        uint64_t next = (uint64_t)rows[at].end * rule.stride;
        if (!finished && next < (uint64_t)rows[s - band->first_step].end + rule.padding) {
            return false;
        }
    }
    return true;
}

/* In a band, earlier steps go on reading in later stripes what step s would write over. */
static bool is_read_in_time(const lowering *l, const use_table *table, uint32_t id, uint32_t s) {
    const kiln_plan_band *band = program_band_of(l->p, s);
    uint32_t t = band != NULL ? table->tenant[l->memories[id].root] : KILN_PLAN_NONE;
    for (; t != KILN_PLAN_NONE; t = table->next_tenant[t]) {
        for (size_t u = table->first[t]; u < table->first[t + 1]; u++) {
            const tensor_use *use = &table->uses[u];
            bool here = use->step >= band->first_step && use->step < s;
            if (here && (t != id || (!use->is_output && !reads_first(l->p, band, use, s)))) {
                return false;
            }
        }
    }
    return true;
}

/* A convolution that adds its own input still reads that, around each pixel, after it has written
 * some. */
static bool is_read_elsewhere(const program_step *step, uint8_t in_place, uint32_t input) {
    for (uint32_t k = 0; k < step->input_count; k++) {
        if (step->operands[k] == input && (k >= 8 || (in_place >> k & 1) == 0)) {
            return true;
        }
    }
    return false;
}

static bool try_operand(lowering *l, use_table *table, bool *shortened, uint32_t s, uint32_t input,
                        uint32_t output) {
    program *p = l->p;
    if (input == KILN_PLAN_NONE || p->tensors[input].place != KILN_PLACE_ARENA ||
        !program_same_physical(&p->tensors[input], &p->tensors[output]) ||
        p->tensors[input].rolling_rows != 0 || p->tensors[output].rolling_rows != 0 ||
        !is_last_use(l, table, shortened, input, s) || !is_read_in_time(l, table, input, s)) {
        return false;
    }
    memory *in = &l->memories[input];
    bool wide = in->row_stride > program_inner(&p->tensors[input]);
    for (uint32_t t = table->tenant[output]; t != KILN_PLAN_NONE; t = table->next_tenant[t]) {
        if (wide && (!l->memories[t].same_outer || !uses_allow_strides(l, table, t))) {
            return false;
        }
    }
    uint32_t t = table->tenant[output];
    table->tenant[output] = KILN_PLAN_NONE;
    while (t != KILN_PLAN_NONE) {
        uint32_t next = table->next_tenant[t];
        memory *m = &l->memories[t];
        m->offset += in->offset;
        m->row_stride = wide ? in->row_stride : m->row_stride;
        m->same_outer = m->same_outer && in->same_outer;
        use_table_add_tenant(l, table, t, in->root);
        t = next;
    }
    return true;
}

kiln_status lowering_share_in_place(lowering *l) {
    program *p = l->p;
    use_table table;
    bool *shortened = graph_allocate(l->g, p->tensor_count + 1); /* by root */
    if (shortened == NULL || use_table_build(l, &table) != KILN_OK) {
        return KILN_ERROR_MEMORY;
    }
    for (uint32_t s = 0; s < p->step_count; s++) {
        const program_step *step = &p->steps[s];
        uint32_t output = step->operands[step->input_count];
        uint8_t mask = kiln_kernel_describe(step->kernel)->in_place_inputs;
        bool free_output = p->tensors[output].place == KILN_PLACE_ARENA &&
                           l->memories[output].root == output && !shortened[output];
        for (uint32_t k = 0; k < step->input_count && k < 8 && free_output; k++) {
            if ((mask >> k & 1) != 0 && !is_read_elsewhere(step, mask, step->operands[k]) &&
                try_operand(l, &table, shortened, s, step->operands[k], output)) {
                break;
            }
        }
    }
    return KILN_OK;
}
