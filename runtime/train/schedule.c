/* Learning rates, and when to stop. */
#include "runtime/train/trainer.h"

#include <math.h>

real schedule_rate(const kiln_trainer *t, uint32_t epoch, size_t batch, size_t batches) {
    const kiln_train_options *o = &t->options;
    double rate = (double)o->learning_rate;
    double done = (double)epoch + (double)batch / (double)batches;
    double warmup = (double)o->warmup_epochs;
    if (done < warmup) {
        return (real)(rate * (done + 1 / (double)batches) / warmup);
    }
    switch (o->schedule) {
    case KILN_SCHEDULE_STEP:
        rate *= pow((double)o->schedule_factor, floor((double)epoch / o->schedule_epochs));
        break;
    case KILN_SCHEDULE_COSINE:
        rate *= 0.5 * (1 + cos(M_PI * (done - warmup) / ((double)o->epochs - warmup)));
        break;
    case KILN_SCHEDULE_PLATEAU:
        rate *= (double)t->progress.rate_factor;
        break;
    default:
        break;
    }
    return (real)rate;
}

bool schedule_epoch(kiln_trainer *t, float loss) {
    const kiln_train_options *o = &t->options;
    progress *p = &t->progress;
    bool best = p->best_epoch == 0 || loss < p->best_loss;
    p->without_gain = best ? 0 : p->without_gain + 1;
    if (best) {
        p->best_epoch = p->epochs;
        p->best_loss = loss;
    }
    bool gain = p->epochs == 1 || loss < p->plateau_loss;
    p->plateau_loss = gain ? loss : p->plateau_loss;
    p->on_plateau = gain ? 0 : p->on_plateau + 1;
    if (o->schedule == KILN_SCHEDULE_PLATEAU && p->on_plateau >= o->schedule_epochs) {
        p->rate_factor *= o->schedule_factor;
        p->on_plateau = 0;
    }
    p->stopped = o->patience != 0 && p->without_gain >= o->patience;
    return best;
}
