/* kiln inspect: the plan as a table, JSON, a Graphviz graph or a page. */
#include "compiler/cli/inspect.h"
#include "compiler/cli/kernel_list.h"

#include <kiln/faces.h>
#include <kiln/machine.h>

#include <stdlib.h>
#include <string.h>

static void print_tensors(const kiln_plan *plan, const char *kind, size_t count,
                          kiln_status (*get)(const kiln_plan *, size_t, kiln_tensor_info *)) {
    for (size_t k = 0; k < count; k++) {
        kiln_tensor_info info;
        char shape[96];
        (void)get(plan, k, &info);
        text_print(stdout, "%-8s %-28s %-5s %s\n", kind, info.name, kiln_dtype_name(info.dtype),
                   shape_text(info.dims, info.rank, info.batched, shape, sizeof shape));
    }
}

static void print_preprocess(const kiln_plan *plan) {
    kiln_preprocess p;
    kiln_plan_preprocess(plan, &p);
    if (p.present) {
        printf("pictures %s, %s; x = pixel * (%g, %g, %g) + (%g, %g, %g)\n", p.bgr ? "BGR" : "RGB",
               p.resize == KILN_RESIZE_STRETCH ? "stretched" : "centre crop", (double)p.scale[0],
               (double)p.scale[1], (double)p.scale[2], (double)p.bias[0], (double)p.bias[1],
               (double)p.bias[2]);
    }
}

static void print_detector(const kiln_plan *plan) {
    kiln_plan_detector d;
    kiln_error error;
    if (kiln_plan_find_detector(plan, &d, &error) != KILN_OK) {
        text_print(stdout, "faces    %s\n", error.message);
    } else if (d.present) {
        text_print(
            stdout, "faces    aligned, as %s found them (%s, %ux%u; score %g, overlap %g)%s\n",
            d.record.name, d.record.family, d.record.width, d.record.height, (double)d.record.score,
            (double)d.record.overlap, d.bundled ? "; it is inside" : "");
    }
}

static void print_row(const kiln_plan *plan, const kiln_plan_view *v, size_t step) {
    const kiln_plan_step *s = &v->steps[step];
    const kiln_plan_tensor_record *y = step_output(v, s);
    const kiln_kernel_traits *traits = kiln_kernel_describe(s->kernel);
    char shape[96], offset[24] = "-";
    if (y->place == KILN_PLACE_ARENA) {
        snprintf(offset, sizeof offset, "%llu", (unsigned long long)arena_offset(v, y));
    }
    char name[TEXT_COLUMN(30)], how[64];
    printf("%s %-19s %-18s %11llu %14llu %11s  %s%s\n", text_column(v->strings + s->name, 30, name),
           traits->name, shape_text(y->dims, y->rank, y->batched != 0, shape, sizeof shape),
           (unsigned long long)step_parameters(v, s),
           (unsigned long long)kiln_plan_step_macs(plan, step), offset,
           computation_text(plan, step, how, sizeof how),
           (s->flags & KILN_STEP_FINAL_DENSE) != 0 ? " (final dense)" : "");
}

/* The processors that kiln tune has measured the plan on. */
static void print_tuned(const kiln_plan *plan) {
    const char *processor;
    for (size_t k = 0; (processor = kiln_plan_tuned_for(plan, k)) != NULL; k++) {
        bool here = strcmp(processor, kiln_machine_processor()) == 0;
        text_print(stdout, "tuned    for %s%s\n", processor, here ? " (this one)" : "");
    }
}

static void print_table(const kiln_plan *plan, const kiln_plan_view *v) {
    uint64_t parameters = 0, macs = 0;
    char a[32], b[32], c[32];
    for (size_t k = 0; k < v->metadata_count; k++) {
        text_print(stdout, "%-8s %s\n", v->strings + v->metadata[k].key,
                   v->strings + v->metadata[k].value);
    }
    print_tensors(plan, "input", v->input_count, kiln_plan_input);
    print_tensors(plan, "output", v->output_count, kiln_plan_output);
    print_preprocess(plan);
    print_detector(plan);
    print_tuned(plan);
    if (v->label_count > 0) {
        text_print(stdout, "labels   %zu: %s ... %s\n", v->label_count, kiln_plan_label(plan, 0),
                   kiln_plan_label(plan, v->label_count - 1));
    }
    printf("\n%-30s %-19s %-18s %11s %14s %11s  %s\n", "Layer", "Kernel", "Output", "Parameters",
           "MACs", "Arena", "Computed by");
    for (size_t k = 0; k < v->step_count; k++) {
        print_row(plan, v, k);
        parameters += step_parameters(v, &v->steps[k]);
        macs += kiln_plan_step_macs(plan, k);
    }
    printf("\n%zu kernel calls, %llu parameters, %.3f G multiply-accumulates\n", v->step_count,
           (unsigned long long)parameters, (double)macs / 1e9);
    printf("arena %s (lower bound %s, without reuse %s)%s\n",
           human_bytes(v->header->arena_bytes, a, sizeof a),
           human_bytes(v->header->lower_bound_bytes, b, sizeof b),
           human_bytes(v->header->no_reuse_bytes, c, sizeof c),
           v->header->batchable != 0 ? " for each sample of a batch" : "");
}

/* ---- JSON ---------------------------------------------------------------------------------- */

static void json_shape(const uint32_t *dims, uint32_t rank) {
    putchar('[');
    for (uint32_t k = 0; k < rank; k++) {
        printf("%s%u", k > 0 ? ", " : "", dims[k]);
    }
    putchar(']');
}

static void json_tensors(const kiln_plan *plan, const char *kind, size_t count,
                         kiln_status (*get)(const kiln_plan *, size_t, kiln_tensor_info *)) {
    printf("\"%s\": [", kind);
    for (size_t k = 0; k < count; k++) {
        kiln_tensor_info info;
        (void)get(plan, k, &info);
        printf("%s{\"name\": ", k > 0 ? ", " : "");
        json_string(stdout, info.name);
        printf(", \"type\": \"%s\", \"batched\": %s, \"shape\": ", kiln_dtype_name(info.dtype),
               info.batched ? "true" : "false");
        json_shape(info.dims, info.rank);
        putchar('}');
    }
    printf("], ");
}

static void json_tuned(const kiln_plan *plan) {
    const char *processor;
    printf("[");
    for (size_t k = 0; (processor = kiln_plan_tuned_for(plan, k)) != NULL; k++) {
        printf("%s", k > 0 ? ", " : "");
        json_string(stdout, processor);
    }
    printf("]");
}

static void json_detector(const kiln_plan *plan) {
    kiln_plan_detector d;
    const kiln_plan_detector_record *r = &d.record;
    if (kiln_plan_find_detector(plan, &d, NULL) != KILN_OK || !d.present) {
        printf("null");
        return;
    }
    printf("{\"name\": ");
    json_string(stdout, r->name);
    printf(", \"family\": ");
    json_string(stdout, r->family);
    printf(", \"bundled\": %s, \"width\": %u, \"height\": %u, \"points\": %s, \"score\": ",
           d.bundled ? "true" : "false", r->width, r->height,
           (r->flags & KILN_DETECTOR_HAS_POINTS) != 0 ? "true" : "false");
    json_number(stdout, (double)r->score);
    printf(", \"overlap\": ");
    json_number(stdout, (double)r->overlap);
    printf(", \"levels\": [");
    for (uint32_t k = 0; k < r->level_count; k++) {
        printf("%s{\"stride\": %u, \"anchors\": %u}", k > 0 ? ", " : "", r->strides[k],
               r->anchors[k]);
    }
    printf("]}");
}

static void print_json(const kiln_plan *plan, const kiln_plan_view *v) {
    printf("{\"metadata\": {");
    for (size_t k = 0; k < v->metadata_count; k++) {
        printf("%s", k > 0 ? ", " : "");
        json_string(stdout, v->strings + v->metadata[k].key);
        printf(": ");
        json_string(stdout, v->strings + v->metadata[k].value);
    }
    printf("}, ");
    json_tensors(plan, "inputs", v->input_count, kiln_plan_input);
    json_tensors(plan, "outputs", v->output_count, kiln_plan_output);
    printf("\"labels\": [");
    for (size_t k = 0; k < v->label_count; k++) {
        printf("%s", k > 0 ? ", " : "");
        json_string(stdout, kiln_plan_label(plan, k));
    }
    printf("], \"detector\": ");
    json_detector(plan);
    printf(", \"tuned_for\": ");
    json_tuned(plan);
    printf(", \"arena_bytes\": %llu, \"arena_lower_bound_bytes\": %llu, "
           "\"arena_no_reuse_bytes\": %llu, \"layers\": [",
           (unsigned long long)v->header->arena_bytes,
           (unsigned long long)v->header->lower_bound_bytes,
           (unsigned long long)v->header->no_reuse_bytes);
    for (size_t k = 0; k < v->step_count; k++) {
        const kiln_plan_step *s = &v->steps[k];
        const kiln_plan_tensor_record *y = step_output(v, s);
        printf("%s{\"name\": ", k > 0 ? ", " : "");
        json_string(stdout, v->strings + s->name);
        printf(", \"origin\": ");
        json_string(stdout, v->strings + s->origin);
        printf(", \"kernel\": \"%s\", ", kiln_kernel_describe(s->kernel)->name);
        json_computation(stdout, plan, k);
        printf(", \"final_dense\": %s, \"shape\": ",
               (s->flags & KILN_STEP_FINAL_DENSE) != 0 ? "true" : "false");
        json_shape(y->dims, y->rank);
        printf(", \"parameters\": %llu, \"macs\": %llu, \"arena_offset\": ",
               (unsigned long long)step_parameters(v, s),
               (unsigned long long)kiln_plan_step_macs(plan, k));
        if (y->place == KILN_PLACE_ARENA) {
            printf("%llu}", (unsigned long long)arena_offset(v, y));
        } else {
            printf("null}");
        }
    }
    printf("]}\n");
}

/* ---- Graphviz ------------------------------------------------------------------------------ */

/* Inside quotes. */
static void dot_text(const char *text) {
    for (; *text != '\0'; text++) {
        printf(*text == '"' || *text == '\\' ? "\\%c" : "%c", *text);
    }
}

/* An edge from the last step that wrote into an operand's storage (or from an input). */
static kiln_status print_dot(const kiln_plan_view *v, kiln_error *error) {
    size_t *writer = calloc(v->storage_count + 1, sizeof *writer);
    if (writer == NULL) {
        return kiln_fail(error, KILN_ERROR_MEMORY, "out of memory");
    }
    printf("digraph plan {\n  node [shape=box, fontname=\"sans-serif\", fontsize=10];\n");
    for (size_t k = 0; k < v->step_count; k++) {
        const kiln_plan_step *s = &v->steps[k];
        const kiln_plan_tensor_record *y = step_output(v, s);
        char shape[96], name[400];
        printf("  s%zu [label=\"", k);
        dot_text(text_escape(v->strings + s->name, name, sizeof name));
        printf("\\n%s\\n%s\"];\n", kiln_kernel_describe(s->kernel)->name,
               shape_text(y->dims, y->rank, y->batched != 0, shape, sizeof shape));
        for (uint32_t i = 0; i < s->input_count; i++) {
            uint32_t id = v->operands[s->first_operand + i];
            bool arena = id != KILN_PLAN_NONE && v->tensors[id].place == KILN_PLACE_ARENA;
            if (arena && writer[v->tensors[id].storage] > 0) {
                printf("  s%zu -> s%zu;\n", writer[v->tensors[id].storage] - 1, k);
            }
        }
        for (uint32_t o = 0; o < s->output_count; o++) {
            uint32_t id = v->operands[s->first_operand + s->input_count + o];
            if (id != KILN_PLAN_NONE && v->tensors[id].place == KILN_PLACE_ARENA) {
                writer[v->tensors[id].storage] = k + 1;
            }
        }
    }
    printf("}\n");
    free(writer);
    return KILN_OK;
}

/* ---- Command ------------------------------------------------------------------------------- */

typedef struct inspect_call {
    bool json, dot;
    const char *html, *kernels;
} inspect_call;

#define AT(member) offsetof(inspect_call, member)

static const option_row rows[] = {
    {.kind = OPTION_SET, .name = "json", .place = AT(json), .help = "everything, as JSON"},
    {.kind = OPTION_SET,
     .name = "dot",
     .place = AT(dot),
     .help = "the graph for Graphviz: kiln inspect --dot net.plan | dot -Tsvg > net.svg"},
    {.kind = OPTION_TEXT,
     .name = "html",
     .value = "FILE",
     .place = AT(html),
     .help = "one page with the table and a picture of the arena over time"},
    {.kind = OPTION_TEXT,
     .name = "emit-kernels",
     .value = "FILE",
     .place = AT(kernels),
     .help = "add what the plan needs of the runtime to a list: see kiln compile"},
    OPTIONS_END,
};

static int run(const command *self, int argc, char **argv) {
    inspect_call c = {.json = false};
    kiln_plan *plan = NULL;
    kiln_error error;
    int read = options_read(self, &c, &argc, &argv);
    if (read != OPTIONS_READ || argc != 1) {
        return read != OPTIONS_READ ? read : usage(self, "expected one plan, got %d", argc);
    }
    const char *path = argv[0];
    const char *outputs[] = {c.html, c.kernels};
    kiln_status status = check_outputs(outputs, 2, &path, 1, &error);
    if (status == KILN_OK) {
        status = open_plan(path, PACKED_NOWHERE, &plan, &error);
    }
    if (status != KILN_OK) {
        return fail(&error);
    }
    kiln_plan_view view;
    kiln_plan_inspect(plan, &view);
    if (c.html != NULL) {
        status = inspect_html(plan, &view, path, c.html, &error);
    } else if (c.dot) {
        status = print_dot(&view, &error);
    } else if (c.json) {
        print_json(plan, &view);
    } else {
        print_table(plan, &view);
    }
    if (status == KILN_OK && c.kernels != NULL) {
        status = kernel_list_add(c.kernels, plan, false, &error);
    }
    kiln_plan_close(plan);
    return status == KILN_OK ? 0 : fail(&error);
}

const command command_inspect = {
    .name = "inspect",
    .summary = "show a plan's layers and memory",
    .order = 120,
    .synopsis = "PLAN [--json | --dot | --html FILE]",
    .about = "Shows what a plan holds: its layers with kernel, output shape, parameters, "
             "multiply-accumulates and place in the arena, like Keras's model.summary(); inputs, "
             "outputs, labels. \"Computed by\" says with which algorithm a session on this machine "
             "computes a layer, and whose kernel that is.",
    .options = rows,
    .opens_plan = true,
    .run = run};
