/* What stands in the way of compiling a graph, told at once: each operator with its first node, and
 * where the graph could be cut. */
#include "compiler/graph/settle.h"
#include "compiler/ops/ops.h"

#include <stdlib.h>
#include <string.h>

typedef struct refusal {
    const node *n;
    const char *why; /* NULL: the operator is not supported at all */
    bool in_own_words;
} refusal;

static kiln_status refuse(const graph *g, refusals *r, refusal entry) {
    if (r->count == r->capacity) {
        size_t capacity = 2 * r->capacity + 16;
        refusal *grown = realloc(r->each, capacity * sizeof *grown);
        if (grown == NULL) {
            return graph_fail(g, KILN_ERROR_MEMORY, "out of memory");
        }
        r->each = grown;
        r->capacity = capacity;
    }
    r->each[r->count++] = entry;
    return KILN_OK;
}

kiln_status refuse_node(const graph *g, refusals *r, const node *n, const char *why) {
    return refuse(g, r, (refusal){.n = n, .why = why});
}

kiln_status refuse_failed_node(const graph *g, refusals *r, const node *n) {
    if (g->error != NULL && r->first.message[0] == '\0') {
        r->first = *g->error;
    }
    return refuse(g, r, (refusal){.n = n, .in_own_words = true});
}

void refusals_free(refusals *r) {
    free(r->each);
    *r = (refusals){0};
}

/* ---- Lists --------------------------------------------------------------------------------- */

/* A list of items with a separator between; one that does not fit is counted, not cut. */
typedef struct text_list {
    char text[400];
    size_t used, limit, left_out;
    const char *separator;
} text_list;

static void list_add(text_list *list, const char *item) {
    const char *separator = list->used > 0 ? list->separator : "";
    size_t length = strlen(separator) + strlen(item);
    if (list->left_out > 0 || list->used + length >= list->limit) {
        list->left_out++;
        return;
    }
    list->used += (size_t)snprintf(list->text + list->used, sizeof list->text - list->used, "%s%s",
                                   separator, item);
}

/* ---- Operators ----------------------------------------------------------------------------- */

static bool is_told_before(const refusals *r, size_t k) {
    for (size_t i = 0; i < k; i++) {
        if (!r->each[i].in_own_words && r->each[i].why == r->each[k].why &&
            strcmp(r->each[i].n->op->name, r->each[k].n->op->name) == 0) {
            return true;
        }
    }
    return false;
}

static size_t list_operators(const refusals *r, text_list *list) {
    size_t told = 0;
    for (size_t k = 0; k < r->count && told < 64; k++) {
        const refusal *entry = &r->each[k];
        if (entry->in_own_words || is_told_before(r, k)) {
            continue;
        }
        char item[256];
        snprintf(item, sizeof item, "%.60s (node '%.80s'%s%s)", entry->n->op->name, entry->n->name,
                 entry->why != NULL ? ": " : "", entry->why != NULL ? entry->why : "");
        list_add(list, item);
        told++;
    }
    return told;
}

static bool is_of_onnx_runtime(const refusals *r) {
    for (size_t k = 0; k < r->count; k++) {
        if (strncmp(r->each[k].n->op->name, "com.microsoft.", strlen("com.microsoft.")) == 0) {
            return true;
        }
    }
    return false;
}

/* ---- Where to cut -------------------------------------------------------------------------- */

static void list_tensor(text_list *list, tensor *t) {
    if (t->mark != SIZE_MAX) {
        t->mark = SIZE_MAX;
        list_add(list, t->name);
    }
}

static bool is_cut_before(const tensor *t) {
    return t != NULL && t->shape_known && !tensor_is_constant(t) && !t->is_input;
}

static bool is_cut_after(const tensor *t) {
    bool read_on = false;
    for (size_t c = 0; t != NULL && c < t->consumer_count; c++) {
        read_on = read_on || (t->consumers[c]->op->flags & OP_UNKNOWN) == 0;
    }
    return read_on;
}

/* What a plan could compute: the operands of refused nodes, and outputs that need none of them. */
static void list_cuts(const graph *g, const refusals *r, tensor *const *wanted, size_t count,
                      text_list *before, text_list *after) {
    graph_clear_marks(g);
    for (size_t k = 0; k < r->count; k++) {
        const node *n = r->each[k].n;
        for (size_t i = 0; i < n->input_count; i++) {
            if (is_cut_before(n->inputs[i])) {
                list_tensor(before, n->inputs[i]);
            }
        }
        for (size_t o = 0; o < n->output_count; o++) {
            if (is_cut_after(n->outputs[o])) {
                list_tensor(after, n->outputs[o]);
            }
        }
    }
    for (size_t k = 0; k < count; k++) {
        if (is_cut_before(wanted[k])) {
            list_tensor(before, wanted[k]);
        }
    }
}

/* With the batch open only the reason is told: it is for a note, or the compiler tries again with
 * the batch fixed. */
static void tell_cuts(const graph *g, const refusals *r, tensor *const *wanted, size_t count,
                      char *out, size_t size) {
    text_list before = {.limit = 300, .separator = ","}, after = {.limit = 150, .separator = ","};
    out[0] = '\0';
    if (g->batch_symbolic) {
        return;
    }
    list_cuts(g, r, wanted, count, &before, &after);
    if (before.used > 0 && before.left_out == 0) {
        snprintf(out, size, "; cut the graph there: --outputs %s", before.text);
    } else if (before.used == 0 && after.used > 0 && after.left_out == 0) {
        snprintf(out, size, "; cut the graph there: --inputs %s", after.text);
    } else if (before.used > 0 || after.used > 0) {
        snprintf(out, size, "; cut the graph there: --outputs NAME,... or --inputs NAME,...");
    }
}

/* ---- All ----------------------------------------------------------------------------------- */

kiln_status refusals_fail(const graph *g, refusals *r, tensor *const *wanted, size_t count) {
    text_list operators = {.limit = 380, .separator = ", "};
    char cuts[480], more[32] = "";
    if (r->count == 0) {
        return KILN_OK;
    }
    tell_cuts(g, r, wanted, count, cuts, sizeof cuts);
    if (list_operators(r, &operators) == 0) {
        return kiln_fail(g->error, KILN_ERROR_UNSUPPORTED, "%s%s", r->first.message, cuts);
    }
    if (operators.left_out > 0) {
        snprintf(more, sizeof more, " and %zu more", operators.left_out);
    }
    return graph_fail(
        g, KILN_ERROR_UNSUPPORTED, "operators that are not supported: %s%s%s", operators.text, more,
        is_of_onnx_runtime(r)
            ? "; the model was saved by ONNX Runtime's optimiser: give the original, or "
              "one that was saved at level 'basic'"
            : cuts);
}
