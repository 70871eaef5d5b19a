/* Slice, Gather of one index, and Split, as one form. */
#include "compiler/passes/cut.h"
#include "compiler/passes/passes.h"

static bool set_axis(cut *c, const tensor *x, int64_t axis) {
    axis += axis < 0 ? x->rank : 0;
    c->axis = (uint32_t)axis;
    return axis >= 0 && axis < x->rank;
}

/* Slices of one axis in steps of one. */
static bool read_slice(const node *n, cut *out) {
    const tensor *x = n->inputs[0];
    int64_t axis[2], step[2] = {1, 0};
    bool by_input = n->input_count > 1;
    int starts =
        by_input ? node_input_ints(n, 1, &out->start, 1) : node_ints(n, "starts", &out->start, 1);
    int axes = by_input ? node_input_ints(n, 3, axis, 2) : node_ints(n, "axes", axis, 2);
    (void)node_input_ints(n, 4, step, 1);
    if (starts != 1 || axes != 1 || step[0] != 1 || !set_axis(out, x, axis[0])) {
        return false;
    }
    out->size = n->outputs[0]->dims[out->axis];
    out->start += out->start < 0 ? x->dims[out->axis] : 0;
    return out->start >= 0 && out->start <= x->dims[out->axis] - out->size;
}

static bool read_gather(const node *n, cut *out) {
    const tensor *x = n->inputs[0];
    if (node_input_ints(n, 1, &out->start, 1) != 1 || tensor_elements(n->inputs[1]) != 1 ||
        n->inputs[1]->rank > 1 || !set_axis(out, x, node_int(n, "axis", 0))) {
        return false;
    }
    out->size = 1;
    out->start += out->start < 0 ? x->dims[out->axis] : 0;
    return out->start >= 0 && out->start < x->dims[out->axis];
}

static bool read_split(const node *n, size_t output, cut *out) {
    bool sound = set_axis(out, n->inputs[0], node_int(n, "axis", 0));
    out->start = out->size = 0;
    for (size_t k = 0; k <= output && sound; k++) {
        sound = n->outputs[k] != NULL;
        out->start += out->size;
        out->size = sound ? n->outputs[k]->dims[out->axis] : 0;
    }
    return sound;
}

bool read_cut(const node *n, size_t output, cut *out) {
    return node_is(n, "Slice")    ? read_slice(n, out)
           : node_is(n, "Gather") ? read_gather(n, out)
           : node_is(n, "Split")  ? read_split(n, output, out)
                                  : false;
}
