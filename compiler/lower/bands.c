/* Bands: runs of steps that are worked some rows at a time, so that what lies between them is never
 * in memory whole. Found by lowering the peak: at the step where most bytes are live, every run of
 * steps around it is tried as a band, and the one kept after which the fewest bytes are live there;
 * until the peak cannot be lowered. A band costs time, since weights are read once a stripe: how
 * often they must be used for that is the user's choice between memory and speed. */
#include "compiler/lower/lowering.h"

#include <string.h>

#define BALANCED_ROOM ((uint64_t)2 << 20) /* bytes that nobody minds */
#define BALANCED_EXCESS 4                 /* a part of the peak, for fewer stripes */
#define BALANCED_GAIN 8                   /* likewise: less is not worth a band's time, */
#define MIN_GAIN 64                       /* or its trouble */
#define BAND_REACH 10 /* steps before and after the peak that a band may take in */

typedef struct live_bytes {
    uint64_t *at; /* by step */
    uint64_t peak;
    uint32_t peak_step;
} live_bytes;

/* ---- What a band costs -------------------------------------------------------------------- */

static uint32_t output_of(const program_step *step) {
    return step->operands[step->input_count];
}

/* How often a weight is used in a stripe: by each pixel, or each tile of a Winograd convolution. */
static double uses_of_weights(const program *p, uint32_t step, double stripes) {
    const program_step *s = &p->steps[step];
    const program_tensor *y = &p->tensors[output_of(s)];
    double pixels = (double)y->dims[2] * y->dims[3] / stripes;
    if (s->kernel != KILN_KERNEL_CONV_2D) {
        return 1e9;
    }
    const kiln_conv_params *c = s->params;
    double tile = c->algorithm >= KILN_CONV_WINOGRAD_2 && c->algorithm <= KILN_CONV_WINOGRAD_6
                      ? 4.0 * c->algorithm * c->algorithm
                      : 1.0;
    return c->groups > 1 ? 1e9 : pixels / tile;
}

/* Does a step read, under another name, what steps of the band write: a concatenation whose parts
 * they are, a part of what they write? How its rows follow from theirs is not known. */
static bool reads_parts(const lowering *l, const kiln_plan_band *b) {
    const program *p = l->p;
    for (uint32_t s = b->first_step; s <= b->last_step; s++) {
        for (uint32_t k = 0; k < p->steps[s].input_count; k++) {
            uint32_t id = p->steps[s].operands[k];
            for (uint32_t w = b->first_step; w <= b->last_step && id != KILN_PLAN_NONE; w++) {
                uint32_t written = output_of(&p->steps[w]);
                if (written != id && l->memories[written].root == l->memories[id].root) {
                    return true;
                }
            }
        }
    }
    return false;
}

/* The fewest rows a stripe with which weights are used often enough. False: there are none that
 * make several stripes of it. */
static bool choose_rows(const lowering *l, kiln_plan_band *b, double least_uses,
                        uint32_t *out_held) {
    const program *p = l->p;
    band_steps steps;
    uint32_t most[KILN_BAND_STEPS];
    if (!program_band_steps(p, b, &steps) || reads_parts(l, b)) {
        return false;
    }
    uint32_t count = steps.count, height = steps.each[count - 1].height;
    for (b->rows = 1; b->rows * 2 <= height; b->rows++) {
        uint32_t stripes = band_measure(steps.each, count, b->rows, most, out_held);
        bool enough = true;
        for (uint32_t k = 0; k < count && enough; k++) {
            enough = uses_of_weights(p, b->first_step + k, stripes) >= least_uses;
        }
        if (enough) {
            return true;
        }
    }
    return false;
}

/* ---- Bands in a program -------------------------------------------------------------------- */

/* Outputs of the band's steps that nobody outside it reads become rolling rows. */
static void set_rolling_rows(lowering *l, const use_table *table, const kiln_plan_band *b,
                             const uint32_t *held) {
    program *p = l->p;
    for (uint32_t s = b->first_step; s < b->last_step; s++) {
        uint32_t id = output_of(&p->steps[s]);
        size_t begin = table->first[id], end = table->first[id + 1];
        bool inside = use_table_is_alone(table, id) && table->uses[begin].is_output &&
                      table->uses[begin].step == s && end - begin > 1;
        for (size_t u = begin; u < end; u++) {
            inside = inside && table->uses[u].step <= b->last_step;
        }
        if (inside) {
            p->tensors[id].rolling_rows = held[s - b->first_step];
        }
    }
}

/* All bands, with the rolling rows that follow from them. */
static void apply(lowering *l, const use_table *table) {
    program *p = l->p;
    for (size_t t = 0; t < p->tensor_count; t++) {
        p->tensors[t].rolling_rows = 0;
    }
    for (size_t k = 0; k < p->band_count; k++) {
        band_steps steps;
        uint32_t most[KILN_BAND_STEPS], held[KILN_BAND_STEPS];
        const kiln_plan_band *b = &p->bands[k];
        (void)program_band_steps(p, b, &steps);
        band_measure(steps.each, steps.count, b->rows, most, held);
        set_rolling_rows(l, table, b, held);
    }
}

/* Live bytes at each step, if the bands stay as they are. */
static kiln_status measure(lowering *l, const use_table *table, memory *saved, live_bytes *out) {
    program *p = l->p;
    memcpy(saved, l->memories, p->tensor_count * sizeof *saved);
    apply(l, table);
    kiln_status status = lowering_share_in_place(l);
    if (status == KILN_OK) {
        status = lowering_make_storages(l);
    }
    memcpy(l->memories, saved, p->tensor_count * sizeof *saved);
    memset(out->at, 0, (p->step_count + 1) * sizeof *out->at);
    for (size_t k = 0; k < p->storage_count; k++) { /* differences; they may wrap, sums do not */
        out->at[p->storages[k].first_step] += p->storages[k].bytes;
        out->at[p->storages[k].last_step + 1] -= p->storages[k].bytes;
    }
    out->peak = 0;
    for (uint32_t s = 0; s < p->step_count; s++) {
        out->at[s] += s > 0 ? out->at[s - 1] : 0;
        if (out->at[s] > out->peak) {
            out->peak = out->at[s];
            out->peak_step = s;
        }
    }
    return status;
}

/* Puts a band in the place of those that it covers. False: it covers one in part. */
static bool insert(program *p, const kiln_plan_band *b) {
    size_t kept = 0;
    for (size_t k = 0; k < p->band_count; k++) {
        const kiln_plan_band *old = &p->bands[k];
        bool apart = old->last_step < b->first_step || b->last_step < old->first_step;
        if (!apart && (old->first_step < b->first_step || b->last_step < old->last_step)) {
            return false;
        }
    }
    for (size_t k = 0; k < p->band_count; k++) {
        const kiln_plan_band *old = &p->bands[k];
        if (old->last_step < b->first_step || b->last_step < old->first_step) {
            p->bands[kept++] = *old;
        }
    }
    size_t at = kept;
    while (at > 0 && p->bands[at - 1].first_step > b->first_step) {
        p->bands[at] = p->bands[at - 1];
        at--;
    }
    p->bands[at] = *b;
    p->band_count = kept + 1;
    return true;
}

/* ---- Search -------------------------------------------------------------------------------- */

typedef struct band_search {
    lowering *l;
    use_table table;
    memory *saved;
    kiln_plan_band *bands, *best; /* the kept ones; with the best candidate */
    size_t band_count, best_count;
    live_bytes live, trial;
    double least_uses;
    uint64_t least_gain; /* a part of the peak */
} band_search;

/* One candidate: the most bytes live during it, UINT64_MAX where it is none. */
static kiln_status try_band(band_search *search, kiln_plan_band b, uint64_t *out_bytes) {
    program *p = search->l->p;
    uint32_t held[KILN_BAND_STEPS];
    *out_bytes = UINT64_MAX;
    memcpy(p->bands, search->bands, search->band_count * sizeof *p->bands);
    p->band_count = search->band_count;
    if (!choose_rows(search->l, &b, search->least_uses, held) || !insert(p, &b)) {
        return KILN_OK;
    }
    kiln_status status = measure(search->l, &search->table, search->saved, &search->trial);
    *out_bytes = 0;
    for (uint32_t s = b.first_step; s <= b.last_step; s++) {
        *out_bytes = search->trial.at[s] > *out_bytes ? search->trial.at[s] : *out_bytes;
    }
    return status;
}

/* Lowers the bytes at the peak by one band more. */
static kiln_status lower_peak(band_search *search, bool *out_lowered) {
    program *p = search->l->p;
    uint32_t peak = search->live.peak_step, steps = (uint32_t)p->step_count;
    uint64_t best = search->live.peak - search->live.peak / search->least_gain;
    kiln_status status = KILN_OK;
    *out_lowered = false;
    uint32_t first = peak > BAND_REACH ? peak - BAND_REACH : 0;
    uint32_t end = peak + BAND_REACH + 1 < steps ? peak + BAND_REACH + 1 : steps;
    for (uint32_t a = peak + 1; a-- > first && status == KILN_OK;) {
        for (uint32_t b = peak; b < end && status == KILN_OK; b++) {
            uint64_t bytes = UINT64_MAX;
            if (a < b) {
                status = try_band(search, (kiln_plan_band){a, b, 1, 0}, &bytes);
            }
            if (bytes < best) {
                best = bytes;
                search->best_count = p->band_count;
                memcpy(search->best, p->bands, p->band_count * sizeof *p->bands);
                *out_lowered = true;
            }
        }
    }
    if (*out_lowered) {
        search->band_count = search->best_count;
        memcpy(search->bands, search->best, search->best_count * sizeof *search->best);
    }
    memcpy(p->bands, search->bands, search->band_count * sizeof *p->bands);
    p->band_count = search->band_count;
    return status;
}

/* More rows a stripe, where there is room below the peak: fewer stripes take less time. */
static kiln_status use_room(band_search *search, uint64_t room) {
    program *p = search->l->p;
    kiln_status status = KILN_OK;
    for (size_t k = 0; k < p->band_count && status == KILN_OK; k++) {
        kiln_plan_band *b = &p->bands[k];
        uint32_t height = p->tensors[output_of(&p->steps[b->last_step])].dims[2];
        bool fits = true;
        while (fits && b->rows * 2 <= height && status == KILN_OK) {
            b->rows *= 2;
            status = measure(search->l, &search->table, search->saved, &search->trial);
            fits = search->trial.peak <= room;
        }
        b->rows /= fits ? 1 : 2;
    }
    return status == KILN_OK ? measure(search->l, &search->table, search->saved, &search->live)
                             : status;
}

/* Uses of a weight in a stripe that each choice asks for. */
static double least_uses(kiln_memory memory) {
    return memory == KILN_MEMORY_MIN ? 12 : 48;
}

kiln_status lowering_choose_bands(lowering *l) {
    program *p = l->p;
    size_t steps = p->step_count + 1;
    graph *g = l->g;
    band_search search = {.l = l,
                          .saved = graph_allocate(g, p->tensor_count * sizeof *search.saved + 1),
                          .bands = graph_allocate(g, steps * sizeof *search.bands),
                          .best = graph_allocate(g, steps * sizeof *search.best),
                          .live.at = graph_allocate(g, steps * sizeof *search.live.at),
                          .trial.at = graph_allocate(g, steps * sizeof *search.trial.at),
                          .least_uses = least_uses(l->options->memory),
                          .least_gain =
                              l->options->memory == KILN_MEMORY_MIN ? MIN_GAIN : BALANCED_GAIN};
    p->bands = graph_allocate(g, steps * sizeof *p->bands);
    if (search.saved == NULL || search.bands == NULL || search.best == NULL ||
        search.live.at == NULL || search.trial.at == NULL || p->bands == NULL ||
        use_table_build(l, &search.table) != KILN_OK) {
        return KILN_ERROR_MEMORY;
    }
    bool lowered = l->options->memory != KILN_MEMORY_SPEED;
    uint64_t enough = l->options->memory == KILN_MEMORY_MIN ? 0 : BALANCED_ROOM;
    kiln_status status = measure(l, &search.table, search.saved, &search.live);
    p->unbanded_bytes = search.live.peak;
    while (status == KILN_OK && lowered && search.live.peak > enough) {
        status = lower_peak(&search, &lowered);
        if (status == KILN_OK) {
            status = measure(l, &search.table, search.saved, &search.live);
        }
    }
    uint64_t most = p->unbanded_bytes - p->unbanded_bytes / BALANCED_GAIN;
    uint64_t peak = search.live.peak, room = peak + peak / BALANCED_EXCESS;
    room = room < most ? room : most;
    room = room > peak ? room : peak;
    room = room > BALANCED_ROOM ? room : BALANCED_ROOM;
    bool grow = status == KILN_OK && l->options->memory == KILN_MEMORY_BALANCED;
    return grow ? use_room(&search, room) : status;
}
