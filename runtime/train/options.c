/* Options: defaults and checks. The range of an option stands in the row that it belongs to. */
#include "runtime/train/options.h"
#include "runtime/base/options.h"
#include "runtime/train/trainer.h"

#include <math.h>
#include <string.h>

void kiln_train_defaults(kiln_train_options *inout_options) {
    kiln_train_options defaults = {
        .head = {.count = 1, .layers = {{.activation = KILN_ACTIVATION_SOFTMAX}}},
        .standardize = true,
        .arc_margin = 0.5f,
        .rho = 0.9f,
        .beta1 = 0.9f,
        .epsilon = 1e-7f,
        .weight_decay = 0.01f,
        .schedule_epochs = 10,
        .schedule_factor = 0.1f,
        .batch_size = 32,
        .shuffle = true,
        .restore_best = true,
        .refit = true,
        .seed = 1,
        .threads = 1};
    (void)kiln_optimizer_defaults("adam", &defaults);
    options_give(&defaults, sizeof defaults, inout_options);
}

static kiln_status check_loss(const kiln_train_options *o, kiln_activation last,
                              kiln_error *error) {
    const loss_function *loss = loss_of(o->loss);
    return loss->fits(last) ? KILN_OK : kiln_fail(error, KILN_ERROR_ARGUMENT, "%s", loss->needs);
}

/* A rule that is computed at once makes directions, and no loss is asked. */
static kiln_status check_rule(const kiln_train_options *o, kiln_error *error) {
    const kiln_head *head = &o->head;
    const char *rule = kiln_rule_name(head->rule);
    bool directions = head->count == 1 && head->layers[0].activation == KILN_ACTIVATION_COSINE;
    if (rule == NULL) {
        return kiln_fail(error, KILN_ERROR_ARGUMENT, "the head has rule %u, which there is not",
                         (unsigned)head->rule);
    }
    if (head->rule != KILN_RULE_DESCENT && !directions) {
        return kiln_fail(error, KILN_ERROR_ARGUMENT, "the head %s has one layer, a cosine one",
                         rule);
    }
    if (head->rule != KILN_RULE_DESCENT && o->loss != KILN_LOSS_CROSS_ENTROPY) {
        return kiln_fail(
            error, KILN_ERROR_ARGUMENT,
            "the head %s is computed at once and has no loss; cosine heads are trained", rule);
    }
    return KILN_OK;
}

static kiln_status check_head(const kiln_train_options *o, kiln_error *error) {
    const kiln_head *head = &o->head;
    if (head->count < 1 || head->count > KILN_MAX_HEAD_LAYERS) {
        return kiln_fail(error, KILN_ERROR_ARGUMENT, "a head has 1 to %d layers; found %u",
                         KILN_MAX_HEAD_LAYERS, head->count);
    }
    for (uint32_t k = 0; k < head->count; k++) {
        const kiln_head_layer *l = &head->layers[k];
        bool last = k + 1 == head->count;
        const activation *a = activation_of(l->activation);
        bool sound = a != NULL && l->dropout >= 0 && l->dropout < 1 &&
                     (l->l2 >= 0 || l->l2 == KILN_L2_PRIOR) && isfinite(l->l2) && l->max_norm >= 0;
        bool placed = last ? l->units == 0 || l->units == o->class_count
                           : l->units > 0 && (a == NULL || a->inner);
        if (!sound || !placed) {
            return kiln_fail(error, KILN_ERROR_ARGUMENT, "layer %u of the head: %s", k + 1,
                             sound ? "units or activation do not fit its place"
                                   : "activation, dropout, l2 or max_norm out of range");
        }
    }
    kiln_status status = check_rule(o, error);
    return status == KILN_OK ? check_loss(o, head->layers[head->count - 1].activation, error)
                             : status;
}

static kiln_status check_ranges(const kiln_train_options *o, const range *ranges,
                                kiln_error *error) {
    for (const range *r = ranges; r != NULL && r->name != NULL; r++) {
        float value;
        memcpy(&value, (const char *)o + r->place, sizeof value);
        if (!(value >= r->least && value < r->limit)) { /* NaN, too */
            return kiln_fail(error, KILN_ERROR_ARGUMENT, "%s %g: expected %g to below %g", r->name,
                             (double)value, (double)r->least, (double)r->limit);
        }
    }
    return KILN_OK;
}

/* The options of all rows, also of those that are not chosen. */
static kiln_status check_numbers(const kiln_train_options *o, kiln_error *error) {
    kiln_status status =
        check_ranges(o, RANGES(RANGE("learning rate", learning_rate, 1e-12f, 1e6f)), error);
    for (size_t k = 0; optimizer_at(k) != NULL && status == KILN_OK; k++) {
        status = check_ranges(o, optimizer_at(k)->ranges, error);
    }
    for (kiln_loss k = 0; k < KILN_LOSS_COUNT && status == KILN_OK; k++) {
        status = check_ranges(o, loss_of(k)->ranges, error);
    }
    for (kiln_activation k = 0; k < KILN_ACTIVATION_COUNT && status == KILN_OK; k++) {
        status = check_ranges(o, activation_of(k)->ranges, error);
    }
    for (kiln_schedule k = 0; k < KILN_SCHEDULE_COUNT && status == KILN_OK; k++) {
        status = check_ranges(o, schedule_of(k)->ranges, error);
    }
    return status;
}

kiln_status options_check(const kiln_train_options *o, kiln_error *error) {
    kiln_status status = check_numbers(o, error);
    if (status != KILN_OK) {
        return status;
    }
    if (o->class_count < 2 || o->class_count > 1u << 20) {
        return kiln_fail(error, KILN_ERROR_ARGUMENT, "%u classes; a classifier needs 2 or more",
                         o->class_count);
    }
    if (o->batch_size < 1 || o->batch_size > 1u << 16 || o->epochs > 1u << 20 || o->threads > 256 ||
        schedule_of(o->schedule) == NULL || o->schedule_epochs < 1 || loss_of(o->loss) == NULL ||
        kiln_start_name(o->start) == NULL || optimizer_named(o->optimizer) == NULL ||
        (o->epochs > 0 && o->warmup_epochs > o->epochs)) {
        return kiln_fail(error, KILN_ERROR_ARGUMENT,
                         "epochs, batch size, threads, warm-up, schedule, loss, start or optimizer "
                         "out of range");
    }
    return o->fine_tune > 0 ? check_loss(o, KILN_ACTIVATION_SOFTMAX, error) /* fine_tune_head's */
                            : check_head(o, error);
}
