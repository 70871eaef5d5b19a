/* What kiln compile says of what it did. */
#include "compiler/cli/compile_report.h"
#include "compiler/cli/cli.h"

void compile_report_json(const char *model, const char *plan, const kiln_compile_report *r) {
    printf("{\"model\": ");
    json_string(stdout, model);
    printf(", \"plan\": ");
    json_string(stdout, plan);
    printf(", \"operators_imported\": %zu, \"operators_planned\": %zu, \"fused\": {",
           r->operators_imported, r->operators_planned);
    for (size_t k = 0; k < r->fusion_count; k++) {
        printf("%s\"%s\": %zu", k > 0 ? ", " : "", r->fusions[k].pass, r->fusions[k].rewrites);
    }
    printf("}, \"plan_bytes\": %llu, \"weights_bytes\": %llu, \"arena_bytes\": %llu, "
           "\"arena_lower_bound_bytes\": %llu, \"arena_unbanded_bytes\": %llu, "
           "\"arena_no_reuse_bytes\": %llu, "
           "\"scratch_bytes\": %llu, \"xnnpack_bytes\": %llu, \"memory_total_bytes\": %llu, "
           "\"bands\": %zu, \"banded_steps\": %zu, \"placement\": ",
           (unsigned long long)r->plan_bytes, (unsigned long long)r->weights_bytes,
           (unsigned long long)r->arena_bytes, (unsigned long long)r->arena_lower_bound_bytes,
           (unsigned long long)r->arena_unbanded_bytes, (unsigned long long)r->arena_no_reuse_bytes,
           (unsigned long long)r->scratch_bytes, (unsigned long long)r->heap_bytes,
           (unsigned long long)r->memory_total_bytes, r->bands, r->banded_steps);
    json_string(stdout, r->placement);
    printf(", \"copies\": %zu, \"boundary_copies\": %zu, \"batchable\": %s, \"note\": ", r->copies,
           r->boundary_copies, r->batchable ? "true" : "false");
    json_string(stdout, r->note);
    printf("}\n");
}

void compile_report_print(const char *model, const char *plan, const kiln_compile_report *r) {
    char a[32], b[32], d[32];
    text_print(stdout, "%s -> %s\n", model, plan);
    printf("  operators  %zu imported, %zu kernel calls planned\n", r->operators_imported,
           r->operators_planned);
    for (size_t k = 0; k < r->fusion_count; k++) {
        printf("    %-22s %5zu rewrites  %5zu -> %zu operators\n", r->fusions[k].pass,
               r->fusions[k].rewrites, r->fusions[k].before, r->fusions[k].after);
    }
    printf("  weights    %s in a plan of %s\n", human_bytes(r->weights_bytes, a, sizeof a),
           human_bytes(r->plan_bytes, b, sizeof b));
    printf("  arena      %s (lower bound %s, without reuse %s; %s)\n",
           human_bytes(r->arena_bytes, a, sizeof a),
           human_bytes(r->arena_lower_bound_bytes, b, sizeof b),
           human_bytes(r->arena_no_reuse_bytes, d, sizeof d), r->placement);
    printf("  memory     %s with one thread: arena, scratch %s, XNNPACK %s\n",
           human_bytes(r->memory_total_bytes, a, sizeof a),
           human_bytes(r->scratch_bytes, b, sizeof b), human_bytes(r->heap_bytes, d, sizeof d));
    if (r->bands > 0) {
        printf("  bands      %zu, of %zu kernel calls that work some rows at a time; layer by "
               "layer the "
               "arena's lower bound is %s\n",
               r->bands, r->banded_steps, human_bytes(r->arena_unbanded_bytes, a, sizeof a));
    }
    printf("  copies     %zu inside the network, %zu at its boundary\n", r->copies,
           r->boundary_copies);
    printf("  batch      %s\n", r->batchable ? "chosen at run time" : "fixed");
    if (r->note[0] != '\0' && !r->batch_lost) {
        text_print(stdout, "  note       %s\n", r->note);
    }
}
