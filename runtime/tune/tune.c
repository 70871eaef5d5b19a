/* kiln_tune: what can be tried, what each algorithm takes, what is chosen, whether that pays. */
#include "runtime/base/files.h"
#include "runtime/base/memory.h"
#include "runtime/base/options.h"
#include "runtime/kernels/conv_choice.h"
#include "runtime/plan/bands.h"
#include "runtime/tune/tuning.h"
#include <kiln/machine.h>

#include <math.h>
#include <string.h>

#define GAIN 0.97 /* a new algorithm takes at most this part of the old one's time */
#define DEFAULT_RUNS 15u
#define MAX_RUNS 65536u

#define BIT(algorithm) (1u << (algorithm))
#define EXACT_CHOICES                                                                              \
    (BIT(KILN_CONV_DIRECT) | BIT(KILN_CONV_GEMM) | BIT(KILN_CONV_DEPTHWISE) |                      \
     BIT(KILN_CONV_BY_XNNPACK))
#define ALL_CHOICES (BIT(KILN_CONV_CHOICES) - 1)

/* What sessions choose now; what measuring starts from and a layer must beat (others only where
 * exact ones were asked for); those chosen. */
enum {
    ORIGINAL,
    START,
    CHOSEN,
    FIRST_VARIANT, /* both of the first again, then one for each algorithm */
    CHOICES = FIRST_VARIANT + 2 + KILN_CONV_CHOICES
};

typedef struct tuning_choices {
    uint8_t *bytes;
    uint8_t *of[CHOICES];
    size_t measured; /* variants, from FIRST_VARIANT on */
} choices;

/* ---- What can be tried --------------------------------------------------------------------- */

static bool is_exact(uint8_t algorithm) {
    return algorithm == NO_CHOICE || (EXACT_CHOICES >> algorithm & 1) != 0;
}

static bool all_exact(const uint8_t *choice, size_t steps) {
    for (size_t step = 0; step < steps; step++) {
        if (!is_exact(choice[step])) {
            return false;
        }
    }
    return true;
}

static bool stays_exact(const tuning *t, const uint8_t *original) {
    const char *compiled = kiln_plan_metadata(t->plan, "convolution");
    bool meant =
        compiled == NULL || strcmp(compiled, "exact") == 0 || strcmp(compiled, "direct") == 0;
    return t->options.precision == KILN_TUNE_EXACT ||
           (t->options.precision == KILN_TUNE_AS_COMPILED && meant &&
            all_exact(original, t->steps));
}

/* The algorithms whose own check the step passes, and XNNPACK. Ours for groups of any size is for
 * layers that no other takes: it is far slower there. */
static uint8_t candidates_of(const tuning *t, size_t step, unsigned allowed) {
    operand operands[KERNEL_MAX_OPERANDS];
    const kernel_host host = {.threads = 1, .allocator = &t->plan->allocator};
    kernel_call call;
    kiln_conv_params params;
    unsigned found = 0;
    const kiln_plan_view *v = &t->plan->view;
    call_describe(v, step, &host, operands, &call);
    call.in_band = band_of_step(v->bands, v->band_count, step) != NULL;
    memcpy(&params, call.params, sizeof params);
    call.params = &params;
    conv_class class = conv_class_of(&call);
    bool only_direct = class != CONV_PRODUCT && class != CONV_DEPTHWISE;
    for (uint32_t a = 0; a < KILN_CONV_ALGORITHM_COUNT; a++) {
        params.algorithm = a;
        if ((a != KILN_CONV_DIRECT || only_direct) && kernel_check(&call, NULL) == KILN_OK) {
            found |= BIT(a);
        }
    }
    found |= conv_can_be_by_xnnpack(&call) ? BIT(KILN_CONV_BY_XNNPACK) : 0;
    return (uint8_t)(found & allowed);
}

/* Steps with no algorithm but their own have no candidates. Returns the number of the others. */
static size_t find_candidates(tuning *t, const uint8_t *original, unsigned allowed) {
    size_t count = 0;
    for (size_t step = 0; step < t->steps; step++) {
        bool exact = (t->plan->view.steps[step].flags & KILN_STEP_EXACT) != 0;
        unsigned these = exact ? allowed & EXACT_CHOICES : allowed;
        uint8_t found = original[step] == NO_CHOICE ? 0 : candidates_of(t, step, these);
        t->candidates[step] = (found & ~BIT(original[step] & 31)) != 0 ? found : 0;
        count += t->candidates[step] != 0;
        for (size_t a = 0; a < KILN_CONV_CHOICES; a++) {
            t->seconds[step][a] = INFINITY;
        }
    }
    return count;
}

/* ---- Choosing ------------------------------------------------------------------------------ */

static kiln_status make_start(const tuning *t, choices *c, bool exact, kiln_error *error) {
    memcpy(c->of[START], c->of[ORIGINAL], t->steps);
    if (!exact || all_exact(c->of[ORIGINAL], t->steps)) {
        return KILN_OK;
    }
    memcpy(c->of[CHOSEN], c->of[ORIGINAL], t->steps);
    for (size_t step = 0; step < t->steps; step++) {
        if (!is_exact(c->of[ORIGINAL][step])) {
            c->of[CHOSEN][step] = KILN_CONV_GEMM;
        }
    }
    kiln_status status = variant_adopt(t->plan, c->of[CHOSEN], c->of[START], error);
    if (status != KILN_OK) {
        return status;
    }
    return all_exact(c->of[START], t->steps)
               ? KILN_OK
               : kiln_fail(error, KILN_ERROR_UNSUPPORTED,
                           "layers that run together, some rows at a time, have no room for exact "
                           "convolutions; compile the network as exact instead");
}

/* Everything that can take an algorithm takes it, for each algorithm; what comes out as before
 * need not be measured again. */
static kiln_status make_variants(const tuning *t, choices *c, kiln_error *error) {
    kiln_status status = KILN_OK;
    uint8_t **next = &c->of[FIRST_VARIANT], *wanted = c->of[CHOSEN];
    memcpy(*next++, c->of[ORIGINAL], t->steps);
    if (memcmp(c->of[START], c->of[ORIGINAL], t->steps) != 0) {
        memcpy(*next++, c->of[START], t->steps);
    }
    for (uint32_t a = 0; a < KILN_CONV_CHOICES && status == KILN_OK; a++) {
        for (size_t step = 0; step < t->steps; step++) {
            bool takes = (t->candidates[step] >> a & 1) != 0;
            wanted[step] = takes ? (uint8_t)a : c->of[START][step];
        }
        memcpy(*next, c->of[START], t->steps);
        status = variant_adopt(t->plan, wanted, *next, error);
        next += memcmp(*next, c->of[START], t->steps) != 0;
    }
    c->measured = (size_t)(next - &c->of[FIRST_VARIANT]);
    return status;
}

static uint8_t fastest(const tuning *t, size_t step, uint8_t now) {
    const double *seconds = t->seconds[step];
    uint32_t best = now;
    for (uint32_t a = 0; a < KILN_CONV_CHOICES; a++) {
        bool allowed = (t->candidates[step] >> a & 1) != 0;
        bool gains = seconds[a] <= GAIN * seconds[now];
        best = allowed && gains && seconds[a] < seconds[best] ? a : best;
    }
    return (uint8_t)best;
}

static kiln_status choose(const tuning *t, choices *c, kiln_error *error) {
    uint8_t *wanted = c->of[FIRST_VARIANT]; /* measured: not needed any more */
    memcpy(wanted, c->of[START], t->steps);
    memcpy(c->of[CHOSEN], c->of[START], t->steps);
    for (size_t step = 0; step < t->steps; step++) {
        if (t->candidates[step] != 0) {
            wanted[step] = fastest(t, step, c->of[START][step]);
        }
    }
    return variant_adopt(t->plan, wanted, c->of[CHOSEN], error);
}

/* Layers one by one may promise what the network does not hold: they share caches. A plan that has
 * to become exact becomes so whatever it takes. */
static kiln_status decide(tuning *t, choices *c, kiln_tune_report *r, kiln_error *error) {
    kiln_plan *plans[2] = {t->plan, NULL};
    double seconds[2] = {0, 0};
    if (memcmp(c->of[CHOSEN], c->of[ORIGINAL], t->steps) == 0) {
        r->outcome = KILN_TUNE_UNCHANGED;
        return KILN_OK;
    }
    kiln_status status = plan_open_chosen(t->plan, c->of[CHOSEN], &plans[1], error);
    if (status == KILN_OK) {
        status = measure_whole(t, plans, seconds, error);
    }
    r->seconds_before = seconds[0];
    r->seconds_after = seconds[1];
    bool must = memcmp(c->of[START], c->of[ORIGINAL], t->steps) != 0;
    if (status == KILN_OK && seconds[1] > seconds[0] && !must) {
        r->outcome = KILN_TUNE_SLOWER;
        memcpy(c->of[CHOSEN], c->of[ORIGINAL], t->steps);
    }
    kiln_plan_close(plans[1]);
    return status;
}

/* ---- Reporting ----------------------------------------------------------------------------- */

static kiln_status memory_of(const tuning *t, const uint8_t *choice, kiln_memory_use *out_use,
                             kiln_error *error) {
    kiln_session_options options;
    kiln_plan *variant = NULL;
    kiln_session_options_init(&options);
    options.threads = t->options.threads;
    options.max_batch = t->options.batch;
    kiln_status status = plan_open_chosen(t->plan, choice, &variant, error);
    if (status == KILN_OK) {
        status = kiln_plan_memory(variant, &options, out_use, error);
    }
    kiln_plan_close(variant);
    return status;
}

static void report_layers(const tuning *t, const choices *c, kiln_tune_report *r) {
    const kiln_plan_view *v = &t->plan->view;
    for (size_t step = 0; step < t->steps; step++) {
        if (t->candidates[step] == 0) {
            continue;
        }
        kiln_tune_layer layer = {.name = v->strings + v->steps[step].name,
                                 .step = step,
                                 .before = c->of[ORIGINAL][step],
                                 .after = c->of[CHOSEN][step]};
        memcpy(layer.seconds, t->seconds[step], sizeof layer.seconds);
        r->changed += layer.before != layer.after;
        if (t->options.on_layer != NULL) {
            t->options.on_layer(t->options.context, &layer);
        }
    }
}

/* ---- All of it ----------------------------------------------------------------------------- */

static kiln_status tune_plan(tuning *t, choices *c, kiln_tune_report *r, kiln_error *error) {
    choices_now(t->plan, c->of[ORIGINAL]);
    memcpy(c->of[CHOSEN], c->of[ORIGINAL], t->steps);
    r->exact = stays_exact(t, c->of[ORIGINAL]);
    r->convolutions = find_candidates(t, c->of[ORIGINAL], r->exact ? EXACT_CHOICES : ALL_CHOICES);
    if (r->convolutions == 0) {
        r->outcome = KILN_TUNE_NO_CHOICE;
        return KILN_OK;
    }
    kiln_status status = make_start(t, c, r->exact, error);
    if (status == KILN_OK) {
        status = make_variants(t, c, error);
    }
    if (status == KILN_OK) {
        measure_expect(t, c->measured);
        status = measure_begin(t, error);
    }
    if (status == KILN_OK) {
        status = measure_steps(t, c->measured, &c->of[FIRST_VARIANT], error);
    }
    if (status == KILN_OK && !t->stopped) {
        status = choose(t, c, error);
    }
    if (status == KILN_OK && !t->stopped) {
        status = decide(t, c, r, error);
    }
    if (status == KILN_OK && t->stopped) {
        r->outcome = KILN_TUNE_STOPPED;
        return KILN_OK;
    }
    if (status == KILN_OK) {
        status = memory_of(t, c->of[ORIGINAL], &r->memory_before, error);
    }
    return status == KILN_OK ? memory_of(t, c->of[CHOSEN], &r->memory_after, error) : status;
}

static kiln_status allocate(tuning *t, choices *c, kiln_error *error) {
    t->steps = t->plan->view.step_count;
    t->candidates = memory_zeros(&t->plan->allocator, t->steps + 1, sizeof *t->candidates);
    t->seconds = memory_zeros(&t->plan->allocator, t->steps + 1, sizeof *t->seconds);
    c->bytes = memory_zeros(&t->plan->allocator, t->steps + 1, CHOICES);
    for (size_t k = 0; k < CHOICES && c->bytes != NULL; k++) {
        c->of[k] = c->bytes + k * t->steps;
    }
    return t->candidates != NULL && t->seconds != NULL && c->bytes != NULL ? KILN_OK
                                                                           : memory_fail(error);
}

static kiln_status take_options(tuning *t, const kiln_tune_options *options, kiln_error *error) {
    kiln_tune_options *o = &t->options;
    kiln_status status = OPTIONS_TAKE(kiln_tune_options, options, o, error);
    if (status != KILN_OK) {
        return status;
    }
    o->threads = o->threads == 0 ? 1 : o->threads;
    o->batch = o->batch == 0 ? 1 : o->batch;
    o->runs = o->runs == 0 ? DEFAULT_RUNS : o->runs;
    return o->runs <= MAX_RUNS && (unsigned)o->precision <= KILN_TUNE_ANY
               ? KILN_OK
               : kiln_fail(error, KILN_ERROR_ARGUMENT, "%u runs: at most %u", o->runs, MAX_RUNS);
}

kiln_status kiln_tune(const char *plan_path, const char *out_path, const kiln_tune_options *options,
                      kiln_tune_report *out_report, kiln_error *error) {
    tuning t = {0};
    choices c = {0};
    kiln_tune_report r = {.outcome = KILN_TUNE_CHANGED};
    if (plan_path == NULL) {
        return kiln_fail(error, KILN_ERROR_ARGUMENT, "kiln_tune: no path");
    }
    if (kiln_machine_processor()[0] == '\0') {
        return kiln_fail(error, KILN_ERROR_UNSUPPORTED,
                         "the system does not tell which processor this is (on Linux in "
                         "/proc/cpuinfo), for which choices are kept");
    }
    const char *target = out_path != NULL ? out_path : plan_path;
    kiln_status status = take_options(&t, options, error);
    kiln_plan_options opening = {.size = sizeof opening,
                                 .allocator = t.options.allocator,
                                 .read_into_memory = t.options.read_into_memory};
    if (status == KILN_OK) {
        status = kiln_plan_open(plan_path, &opening, &t.plan, error);
    }
    if (status != KILN_OK) {
        return status;
    }
    status = file_try(target, error);
    if (status == KILN_OK) {
        status = allocate(&t, &c, error);
    }
    if (status == KILN_OK) {
        status = tune_plan(&t, &c, &r, error);
    }
    bool changes = r.outcome == KILN_TUNE_CHANGED;
    bool copies = r.outcome != KILN_TUNE_STOPPED && strcmp(target, plan_path) != 0;
    if (status == KILN_OK && (changes || copies)) {
        status = variant_write(t.plan, changes ? c.of[CHOSEN] : NULL, target, error);
    }
    if (status == KILN_OK) {
        r.processor = kiln_machine_processor();
        report_layers(&t, &c, &r);
        if (out_report != NULL) {
            *out_report = r;
        }
    }
    measure_end(&t);
    memory_free(t.candidates);
    memory_free(t.seconds);
    memory_free(c.bytes);
    kiln_plan_close(t.plan);
    return status;
}
