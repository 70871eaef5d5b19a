/* Running the passes in order. */
#include "compiler/passes/passes.h"
#include "compiler/ops/ops.h"
#include "runtime/base/text.h"

#include <string.h>

#define PASS(name, required) {#name, pass_##name, required},
static const struct {
    const char *name;
    kiln_status (*run)(graph *g, size_t *inout_rewrites);
    bool required;
} passes[] = {PASSES(PASS)};

static kiln_status finish_pass(graph *g, const kiln_compile_options *options, const char *name) {
    kiln_status status = graph_refresh(g);
#ifdef KILN_VALIDATE_GRAPH
    if (status == KILN_OK) {
        status = graph_validate(g);
    }
#endif
    if (status == KILN_OK && options->dump != NULL && options->dump_after != NULL &&
        strcmp(options->dump_after, name) == 0) {
        graph_dump(g, options->dump);
    }
    return status;
}

static kiln_status check_dump_name(const graph *g, const kiln_compile_options *options) {
    if (options->dump_after == NULL) {
        return KILN_OK;
    }
    char names[400] = "";
    for (size_t k = 0; k < sizeof passes / sizeof *passes; k++) {
        if (strcmp(options->dump_after, passes[k].name) == 0) {
            return KILN_OK;
        }
        text_list_add(names, sizeof names, passes[k].name);
    }
    return kiln_fail(g->error, KILN_ERROR_ARGUMENT, "no pass '%s'; passes: %s", options->dump_after,
                     names);
}

kiln_status passes_run(graph *g, const kiln_compile_options *options,
                       kiln_compile_report *inout_report) {
    kiln_status status = check_dump_name(g, options);
    if (status == KILN_OK) {
        status = graph_refresh(g);
    }
    inout_report->fusion_count = 0;
    for (size_t k = 0; k < sizeof passes / sizeof *passes && status == KILN_OK; k++) {
        if (options->no_fusion && !passes[k].required) {
            continue;
        }
        size_t before = g->node_count, rewrites = 0;
        status = graph_explain(g, passes[k].name, passes[k].run(g, &rewrites));
        if (status == KILN_OK) {
            status = finish_pass(g, options, passes[k].name);
        }
        if (rewrites > 0 && inout_report->fusion_count < KILN_MAX_FUSIONS) {
            size_t at = inout_report->fusion_count++;
            inout_report->fusions[at].pass = passes[k].name;
            inout_report->fusions[at].rewrites = rewrites;
            inout_report->fusions[at].before = before;
            inout_report->fusions[at].after = g->node_count;
        }
    }
    return status;
}
