/* The plan that was written, read again: it must open, and its sessions must fit the memory limit.
 */
#include "compiler/write/writing.h"
#include "runtime/base/text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NAMED_LAYERS 3

/* Live bytes at each step; from malloc. */
static uint64_t *live_bytes(const program *p) {
    uint64_t *live = calloc(p->step_count + 1, sizeof *live);
    for (size_t k = 0; live != NULL && k < p->storage_count; k++) { /* differences */
        live[p->storages[k].first_step] += p->storages[k].bytes;
        live[p->storages[k].last_step + 1] -= p->storages[k].bytes;
    }
    for (size_t s = 1; live != NULL && s < p->step_count; s++) {
        live[s] += live[s - 1];
    }
    return live;
}

static double mebibytes(uint64_t bytes) {
    return (double)bytes / (1 << 20);
}

/* The layers during which most is live. */
static kiln_status fail_limit(const program *p, const kiln_memory_use *use, uint64_t limit,
                              kiln_error *error) {
    char layers[300] = "";
    uint64_t below = UINT64_MAX, *live = live_bytes(p);
    for (int named = 0; live != NULL && named < NAMED_LAYERS; named++) {
        uint64_t most = 0;
        uint32_t at = 0;
        for (uint32_t s = 0; s < p->step_count; s++) {
            if (live[s] < below && live[s] > most) {
                most = live[s];
                at = s;
            }
        }
        if (most > 0) {
            char layer[80];
            snprintf(layer, sizeof layer, "'%.60s' (%.2f)", p->steps[at].name, mebibytes(most));
            text_list_add(layers, sizeof layers, layer);
        }
        below = most;
    }
    free(live);
    return kiln_fail(
        error, KILN_ERROR_MEMORY,
        "needs %.2f MiB of memory (arena %.2f, scratch %.2f, XNNPACK %.2f); the limit is "
        "%.2f. Most is live at layers %s",
        mebibytes(use->total_bytes), mebibytes(use->arena_bytes), mebibytes(use->scratch_bytes),
        mebibytes(use->heap_bytes), mebibytes(limit), layers);
}

kiln_status check_written(const program *p, int descriptor, uint64_t bytes,
                          const kiln_compile_options *options, kiln_compile_report *inout_report,
                          kiln_error *error) {
    static const kiln_plan_options structure = {.size = sizeof structure,
                                                .skip_weight_checksums = true};
    kiln_plan *plan = NULL;
    kiln_memory_use use = {0};
    kiln_status status = kiln_plan_open_fd(descriptor, 0, bytes, &structure, &plan, error);
    if (status == KILN_OK) {
        status = kiln_plan_memory(plan, NULL, &use, error);
    }
    if (status == KILN_OK && options->memory_limit != 0 &&
        use.total_bytes > options->memory_limit) {
        status = fail_limit(p, &use, options->memory_limit, error);
    }
    kiln_plan_close(plan);
    inout_report->scratch_bytes = use.scratch_bytes;
    inout_report->heap_bytes = use.heap_bytes;
    inout_report->memory_total_bytes = use.total_bytes;
    return status;
}
