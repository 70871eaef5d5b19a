/* The graph as text, one node a line, for people. */
#include "compiler/ops/ops.h"
#include "runtime/base/text.h"

#include <math.h>

enum { SHAPE_TEXT = 160, SHOWN_VALUES = 8 };

static void dump_tensor(const tensor *t, FILE *out) {
    char shape[SHAPE_TEXT];
    if (t == NULL) {
        fputs("-", out);
        return;
    }
    text_print(out, "%s%s:%s[%s]", tensor_is_constant(t) ? "#" : "", t->name,
               kiln_dtype_name(t->dtype), tensor_shape_text(t, shape, sizeof shape));
    if (t->layout == KILN_CHANNELS_LAST) {
        fputs("/nhwc", out);
    }
}

static void dump_tensors(size_t count, tensor *const *tensors, FILE *out) {
    for (size_t k = 0; k < count; k++) {
        fputs(k == 0 ? "" : ", ", out);
        dump_tensor(tensors[k], out);
    }
}

static void dump_attribute(const attribute *a, FILE *out) {
    text_print(out, " %s=", a->name);
    switch (a->type) {
    case ATTRIBUTE_INT:
        fprintf(out, "%lld", (long long)a->i);
        break;
    case ATTRIBUTE_FLOAT:
        fprintf(out, "%g", (double)a->f);
        break;
    case ATTRIBUTE_STRING:
        text_print(out, "\"%s\"", a->s);
        break;
    case ATTRIBUTE_TENSOR:
        dump_tensor(a->t, out);
        break;
    case ATTRIBUTE_INTS:
    case ATTRIBUTE_FLOATS:
        fputs("[", out);
        for (size_t k = 0; k < a->count && k < SHOWN_VALUES; k++) {
            double value = a->type == ATTRIBUTE_INTS ? (double)a->ints[k] : (double)a->floats[k];
            fprintf(out, "%s%g", k == 0 ? "" : ",", value);
        }
        fputs(a->count > SHOWN_VALUES ? ",..]" : "]", out);
        break;
    case ATTRIBUTE_ABSENT:
    case ATTRIBUTE_OTHER:
        fputs("?", out);
        break;
    }
}

static void dump_node(const node *n, FILE *out) {
    text_print(out, "%s'%s' %s (", n->dead ? "dead " : "", n->name, n->op->name);
    dump_tensors(n->input_count, n->inputs, out);
    fputs(") -> ", out);
    dump_tensors(n->output_count, n->outputs, out);
    for (size_t k = 0; k < n->attribute_count; k++) {
        dump_attribute(&n->attributes[k], out);
    }
    if (n->min > -INFINITY || n->max < INFINITY) {
        fprintf(out, " clamp=[%g,%g]", (double)n->min, (double)n->max);
    }
    text_print(out, " from '%s'\n", n->origin);
}

void graph_dump(const graph *g, FILE *out) {
    text_print(out, "graph '%s' opset %lld, %zu nodes\n", g->file, (long long)g->opset,
               g->node_count);
    fputs("inputs ", out);
    dump_tensors(g->input_count, g->inputs, out);
    fputs("\n", out);
    for (size_t k = 0; k < g->node_count; k++) {
        dump_node(g->nodes[k], out);
    }
    fputs("outputs ", out);
    dump_tensors(g->output_count, g->outputs, out);
    fputs("\n", out);
}
