/* Heads and options: defaults, text, checks. */
#include "runtime/train/head.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

void kiln_train_options_init(kiln_train_options *out_options) {
    *out_options = (kiln_train_options){
        .head = {.count = 1, .layers = {{.activation = KILN_ACTIVATION_SOFTMAX}}},
        .standardize = true,
        .arc_margin = 0.5f,
        .optimizer = KILN_OPTIMIZER_ADAM,
        .learning_rate = 0.001f,
        .rho = 0.9f,
        .beta1 = 0.9f,
        .beta2 = 0.999f,
        .epsilon = 1e-7f,
        .weight_decay = 0.01f,
        .schedule_epochs = 10,
        .schedule_factor = 0.1f,
        .epochs = 100,
        .batch_size = 32,
        .shuffle = true,
        .restore_best = true,
        .seed = 1,
        .threads = 1};
}

/* ---- Text ---------------------------------------------------------------------------------- */

static const struct {
    const char *name;
    kiln_activation activation;
} activations[] = {
    {"linear", KILN_ACTIVATION_LINEAR},   {"relu", KILN_ACTIVATION_RELU},
    {"tanh", KILN_ACTIVATION_TANH},       {"sigmoid", KILN_ACTIVATION_SIGMOID},
    {"softmax", KILN_ACTIVATION_SOFTMAX}, {"cosine", KILN_ACTIVATION_COSINE},
};
enum { ACTIVATIONS = sizeof activations / sizeof *activations };

static bool find_activation(const char *name, kiln_activation *out_activation) {
    for (size_t k = 0; k < ACTIVATIONS; k++) {
        if (strcmp(activations[k].name, name) == 0) {
            *out_activation = activations[k].activation;
            return true;
        }
    }
    return false;
}

/* Reading goes from left to right; a dropout waits for its dense layer. */
typedef struct head_reading {
    kiln_head *head;
    float dropout;
    kiln_error *error;
} head_reading;

static kiln_status add_layer(head_reading *r, uint32_t units, kiln_activation activation,
                             const char *word) {
    if (r->head->count == KILN_MAX_HEAD_LAYERS) {
        return kiln_fail(r->error, KILN_ERROR_ARGUMENT, "head: more than %d dense layers",
                         KILN_MAX_HEAD_LAYERS);
    }
    if (r->head->count > 0 && r->head->layers[r->head->count - 1].units == 0) {
        return kiln_fail(r->error, KILN_ERROR_ARGUMENT,
                         "head: '%s' follows the last layer (one without a number of units)", word);
    }
    r->head->layers[r->head->count++] =
        (kiln_head_layer){.units = units, .activation = activation, .dropout = r->dropout};
    r->dropout = 0;
    return KILN_OK;
}

static kiln_status read_value(head_reading *r, const char *word, const char *text, float least,
                              float limit, float *out_value) {
    char *end = NULL;
    float value = strtof(text, &end);
    if (end == text || *end != '\0' || !(value >= least && value < limit)) {
        return kiln_fail(r->error, KILN_ERROR_ARGUMENT,
                         "head: '%s': expected a number from %g to below %g", word, (double)least,
                         (double)limit);
    }
    *out_value = value;
    return KILN_OK;
}

/* Of the dense layer that stands before. */
static kiln_status read_constraint(head_reading *r, const char *word, const char *text,
                                   bool is_norm) {
    if (r->head->count == 0) {
        return kiln_fail(r->error, KILN_ERROR_ARGUMENT, "head: '%s' stands before any dense layer",
                         word);
    }
    kiln_head_layer *layer = &r->head->layers[r->head->count - 1];
    return read_value(r, word, text, 0, 1e6f, is_norm ? &layer->max_norm : &layer->l2);
}

static kiln_status read_dense(head_reading *r, const char *word, const char *units,
                              const char *name) {
    char *end = NULL;
    unsigned long count = strtoul(units, &end, 10);
    kiln_activation activation;
    if (units[0] < '1' || units[0] > '9' || *end != '\0' || count > 1u << 20) {
        return kiln_fail(r->error, KILN_ERROR_ARGUMENT,
                         "head: '%s': expected UNITS:ACTIVATION, dropout:RATE, l2:FACTOR, "
                         "maxnorm:LIMIT, or softmax, cosine, sigmoid, linear, tanh, relu",
                         word);
    }
    if (!find_activation(name, &activation) || activation >= KILN_ACTIVATION_SOFTMAX) {
        return kiln_fail(r->error, KILN_ERROR_ARGUMENT,
                         "head: '%s': expected relu, tanh, sigmoid or linear behind the colon",
                         word);
    }
    return add_layer(r, (uint32_t)count, activation, word);
}

static kiln_status read_word(head_reading *r, const char *word) {
    char left[64];
    kiln_activation activation;
    const char *colon = strchr(word, ':');
    if (colon == NULL && find_activation(word, &activation)) {
        return add_layer(r, 0, activation, word);
    }
    size_t length = colon != NULL ? (size_t)(colon - word) : strlen(word);
    if (length >= sizeof left) {
        length = sizeof left - 1;
    }
    memcpy(left, word, length);
    left[length] = '\0';
    const char *right = colon != NULL ? colon + 1 : "";
    if (strcmp(left, "dropout") == 0) {
        return r->dropout > 0
                   ? kiln_fail(r->error, KILN_ERROR_ARGUMENT, "head: '%s' follows a dropout", word)
                   : read_value(r, word, right, 0, 1, &r->dropout);
    }
    if (strcmp(left, "l2") == 0 || strcmp(left, "maxnorm") == 0) {
        return read_constraint(r, word, right, left[0] == 'm');
    }
    return read_dense(r, word, left, right);
}

kiln_status kiln_head_parse(const char *text, kiln_head *out_head, kiln_error *error) {
    *out_head = (kiln_head){0};
    head_reading r = {.head = out_head, .error = error};
    kiln_status status = KILN_OK;
    char word[128];
    for (const char *at = text; status == KILN_OK;) {
        size_t length = strcspn(at, ",");
        if (length >= sizeof word) {
            return kiln_fail(error, KILN_ERROR_ARGUMENT, "head: '%.40s...' is too long", at);
        }
        memcpy(word, at, length);
        word[length] = '\0';
        status = read_word(&r, word);
        if (at[length] == '\0') {
            break;
        }
        at += length + 1;
    }
    if (status != KILN_OK) {
        return status;
    }
    if (r.dropout > 0 || out_head->count == 0 || out_head->layers[out_head->count - 1].units != 0) {
        return kiln_fail(error, KILN_ERROR_ARGUMENT,
                         "head: '%s' does not end in a layer for the classes (softmax, cosine, "
                         "sigmoid, linear)",
                         text);
    }
    return KILN_OK;
}

/* ---- Checks -------------------------------------------------------------------------------- */

static kiln_status check_head(const kiln_train_options *o, kiln_error *error) {
    const kiln_head *head = &o->head;
    if (head->count < 1 || head->count > KILN_MAX_HEAD_LAYERS) {
        return kiln_fail(error, KILN_ERROR_ARGUMENT, "a head has 1 to %d layers; found %u",
                         KILN_MAX_HEAD_LAYERS, head->count);
    }
    for (uint32_t k = 0; k < head->count; k++) {
        const kiln_head_layer *l = &head->layers[k];
        bool last = k + 1 == head->count;
        bool sound = (unsigned)l->activation <= KILN_ACTIVATION_COSINE && l->dropout >= 0 &&
                     l->dropout < 1 && l->l2 >= 0 && isfinite(l->l2) && l->max_norm >= 0;
        bool placed = last ? l->units == 0 || l->units == o->class_count
                           : l->units > 0 && l->activation < KILN_ACTIVATION_SOFTMAX;
        if (!sound || !placed) {
            return kiln_fail(error, KILN_ERROR_ARGUMENT, "layer %u of the head: %s", k + 1,
                             sound ? "units or activation do not fit its place"
                                   : "activation, dropout, l2 or max_norm out of range");
        }
    }
    kiln_activation last = head->layers[head->count - 1].activation;
    bool softmax = last == KILN_ACTIVATION_SOFTMAX || last == KILN_ACTIVATION_COSINE;
    if (o->loss == KILN_LOSS_CROSS_ENTROPY && !softmax) {
        return kiln_fail(error, KILN_ERROR_ARGUMENT,
                         "cross-entropy needs a head that ends in softmax or cosine");
    }
    if (o->loss == KILN_LOSS_ARCFACE && last != KILN_ACTIVATION_COSINE) {
        return kiln_fail(error, KILN_ERROR_ARGUMENT, "ArcFace needs a head that ends in cosine");
    }
    return KILN_OK;
}

static bool in_range(float value, float least, float limit) {
    return value >= least && value < limit; /* NaN is not */
}

kiln_status options_check(const kiln_train_options *o, kiln_error *error) {
    const struct {
        const char *name;
        float value, least, limit;
    } numbers[] = {
        {"learning rate", o->learning_rate, 1e-12f, 1e6f},
        {"momentum", o->momentum, 0, 1},
        {"rho", o->rho, 0, 1},
        {"beta1", o->beta1, 0, 1},
        {"beta2", o->beta2, 0, 1},
        {"epsilon", o->epsilon, 1e-30f, 1},
        {"weight decay", o->weight_decay, 0, 1e3f},
        {"label smoothing", o->label_smoothing, 0, 1},
        {"margin", o->arc_margin, 0, 1.6f},
        {"cosine scale", o->cosine_scale, 0, 1e4f},
        {"schedule factor", o->schedule_factor, 1e-6f, 1.0001f},
    };
    for (size_t k = 0; k < sizeof numbers / sizeof *numbers; k++) {
        if (!in_range(numbers[k].value, numbers[k].least, numbers[k].limit)) {
            return kiln_fail(error, KILN_ERROR_ARGUMENT, "%s %g: expected %g to below %g",
                             numbers[k].name, (double)numbers[k].value, (double)numbers[k].least,
                             (double)numbers[k].limit);
        }
    }
    if (o->class_count < 2 || o->class_count > 1u << 20) {
        return kiln_fail(error, KILN_ERROR_ARGUMENT, "%u classes; a classifier needs 2 or more",
                         o->class_count);
    }
    if (o->batch_size < 1 || o->batch_size > 1u << 16 || o->epochs < 1 || o->epochs > 1u << 20 ||
        o->threads > 256 || (unsigned)o->schedule >= KILN_SCHEDULE_COUNT ||
        o->schedule_epochs < 1 || (unsigned)o->loss > KILN_LOSS_ARCFACE ||
        (unsigned)o->optimizer > KILN_OPTIMIZER_ADAMW || o->warmup_epochs > o->epochs) {
        return kiln_fail(error, KILN_ERROR_ARGUMENT,
                         "epochs, batch size, threads, warm-up, schedule, loss or optimizer out of "
                         "range");
    }
    return o->fine_tune > 0 ? KILN_OK : check_head(o, error);
}
