/* A step that reads a view like what it is a view of reads that itself: a tensor that is renamed,
 * or transposed and transposed back, has one name, and bands know who writes it. */
#include "compiler/lower/lowering.h"

static bool is_like_its_root(const lowering *l, uint32_t id) {
    const memory *m = &l->memories[id];
    const program_tensor *view = &l->p->tensors[id], *root = &l->p->tensors[m->root];
    return view->place == KILN_PLACE_ARENA && m->root != id && m->offset == 0 &&
           m->row_stride == l->memories[m->root].row_stride && view->layout == root->layout &&
           program_same_physical(view, root);
}

static void read_root(lowering *l, uint32_t *inout_id) {
    program_tensor *view = &l->p->tensors[*inout_id];
    uint32_t id = l->memories[*inout_id].root;
    program_tensor *root = &l->p->tensors[id];
    if (root->name == NULL) {
        root->name = view->name;
        view->name = NULL;
    }
    *inout_id = id;
}

kiln_status lowering_read_roots(lowering *l) {
    program *p = l->p;
    use_table table;
    for (size_t s = 0; s < p->step_count; s++) {
        for (uint32_t k = 0; k < p->steps[s].input_count; k++) {
            uint32_t *id = &p->steps[s].operands[k];
            if (*id != KILN_PLAN_NONE && is_like_its_root(l, *id)) {
                read_root(l, id);
            }
        }
    }
    kiln_status status = use_table_build(l, &table);
    for (uint32_t t = 0; t < p->tensor_count && status == KILN_OK; t++) {
        if (table.first[t] == table.first[t + 1] && l->memories[t].root != t) {
            /* Nobody sees it any more, so it keeps nobody's memory. */
            l->memories[t] =
                (memory){.root = t, .row_stride = p->tensors[t].row_stride, .same_outer = true};
        }
    }
    return status;
}
