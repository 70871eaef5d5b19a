/* Learning rates, and when to stop. One row of the table a schedule. */
#include "runtime/train/trainer.h"

#include <assert.h>
#include <math.h>

static double constant(const kiln_trainer *t, uint32_t epoch, double done) {
    (void)t;
    (void)epoch;
    (void)done;
    return 1;
}

static double step(const kiln_trainer *t, uint32_t epoch, double done) {
    const kiln_train_options *o = &t->options;
    (void)done;
    return pow((double)o->schedule_factor, floor((double)epoch / o->schedule_epochs));
}

static double cosine(const kiln_trainer *t, uint32_t epoch, double done) {
    double warmup = (double)t->options.warmup_epochs, end = (double)t->options.epochs;
    (void)epoch;
    return 0.5 * (1 + cos(M_PI * (done - warmup) / (end - warmup)));
}

static double plateau(const kiln_trainer *t, uint32_t epoch, double done) {
    (void)epoch;
    (void)done;
    return (double)t->progress.rate_factor;
}

#define FACTOR RANGE("schedule factor", schedule_factor, 1e-6f, 1.0001f)

static const schedule schedules[] = {
    [KILN_SCHEDULE_CONSTANT] = {.name = "constant", .factor = constant},
    [KILN_SCHEDULE_STEP] = {.name = "step", .factor = step, .ranges = RANGES(FACTOR)},
    [KILN_SCHEDULE_COSINE] = {.name = "cosine", .factor = cosine, .knows_end = true},
    [KILN_SCHEDULE_PLATEAU] = {.name = "plateau",
                               .factor = plateau,
                               .waits = true,
                               .ranges = RANGES(FACTOR)},
};
static_assert(sizeof schedules / sizeof *schedules == KILN_SCHEDULE_COUNT,
              "a schedule of train.h has no row here");

const schedule *schedule_of(kiln_schedule which) {
    return (unsigned)which < KILN_SCHEDULE_COUNT ? &schedules[which] : NULL;
}

const char *kiln_schedule_name(kiln_schedule which) {
    const schedule *s = schedule_of(which);
    return s != NULL ? s->name : NULL;
}

real schedule_rate(const kiln_trainer *t, uint32_t epoch, size_t batch, size_t batches) {
    const kiln_train_options *o = &t->options;
    double rate = (double)o->learning_rate;
    double done = (double)epoch + (double)batch / (double)batches;
    double warmup = (double)o->warmup_epochs;
    if (done < warmup) {
        return (real)(rate * (done + 1 / (double)batches) / warmup);
    }
    return (real)(rate * schedule_of(o->schedule)->factor(t, epoch, done));
}

bool schedule_epoch(kiln_trainer *t, float loss) {
    const kiln_train_options *o = &t->options;
    progress *p = &t->progress;
    bool best = p->recorded == 0 || loss < p->best_loss;
    p->without_gain = best ? 0 : p->without_gain + 1;
    if (best) {
        p->best_epoch = p->epochs;
        p->best_loss = loss;
    }
    bool gain = p->recorded == 0 || loss < p->plateau_loss;
    p->plateau_loss = gain ? loss : p->plateau_loss;
    p->on_plateau = gain ? 0 : p->on_plateau + 1;
    if (schedule_of(o->schedule)->waits && p->on_plateau >= o->schedule_epochs) {
        p->rate_factor *= o->schedule_factor;
        p->on_plateau = 0;
    }
    p->stopped = o->patience != 0 && p->without_gain >= o->patience;
    return best;
}
