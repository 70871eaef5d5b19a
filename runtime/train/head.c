/* Heads from text. */
#include "runtime/train/network.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

static bool find_activation(const char *name, kiln_activation *out_activation) {
    for (kiln_activation k = 0; k < KILN_ACTIVATION_COUNT; k++) {
        if (strcmp(activation_of(k)->name, name) == 0) {
            *out_activation = k;
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

/* The constraint is that of the dense layer before it. */
static kiln_status read_constraint(head_reading *r, const char *word, const char *text,
                                   bool is_norm) {
    if (r->head->count == 0) {
        return kiln_fail(r->error, KILN_ERROR_ARGUMENT, "head: '%s' stands before any dense layer",
                         word);
    }
    kiln_head_layer *layer = &r->head->layers[r->head->count - 1];
    if (!is_norm && strcmp(text, "prior") == 0) {
        layer->l2 = KILN_L2_PRIOR;
        return KILN_OK;
    }
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
                         "maxnorm:LIMIT, or softmax, cosine, sigmoid, linear, tanh, relu; or mean, "
                         "lda, knn alone",
                         word);
    }
    if (!find_activation(name, &activation) || !activation_of(activation)->inner) {
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

static const char *const rules[] = {[KILN_RULE_DESCENT] = "descent",
                                    [KILN_RULE_MEAN] = "mean",
                                    [KILN_RULE_LDA] = "lda",
                                    [KILN_RULE_KNN] = "knn"};
static_assert(sizeof rules / sizeof *rules == KILN_RULE_COUNT, "a rule of train.h has no name");

const char *kiln_rule_name(kiln_rule which) {
    return (unsigned)which < KILN_RULE_COUNT ? rules[which] : NULL;
}

kiln_status kiln_head_parse(const char *text, kiln_head *out_head, kiln_error *error) {
    *out_head = (kiln_head){0};
    for (kiln_rule k = KILN_RULE_MEAN; k < KILN_RULE_COUNT; k++) {
        if (strcmp(text, rules[k]) == 0) {
            *out_head = (kiln_head){
                .count = 1, .rule = k, .layers = {{.activation = KILN_ACTIVATION_COSINE}}};
            return KILN_OK;
        }
    }
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
