/* The trainer: creating, feeding, asking. The loop is fit.c. */
#include "runtime/train/trainer.h"
#include "runtime/base/allocator.h"
#include "runtime/base/memory.h"
#include "runtime/base/options.h"
#include "runtime/plan/plan.h"
#include "runtime/plan/sub_plan.h"
#include "runtime/train/options.h"

#include <math.h>
#include <string.h>

#define EXTRACT_BATCH 16

/* ---- Creating ------------------------------------------------------------------------------ */

static kiln_status copy_options(kiln_trainer *t, const kiln_train_options *options,
                                kiln_error *error) {
    t->options = *options;
    t->options.allocator = &t->allocator;
    t->options.optimizer = optimizer_named(options->optimizer)->name;
    t->options.cut = NULL;
    t->options.class_names = NULL;
    t->options.preprocess = NULL;
    t->options.threads = options->threads == 0 ? 1 : options->threads;
    t->asked_epochs = options->epochs;
    if (options->class_names != NULL) {
        t->class_names = memory_zeros(&t->allocator, options->class_count, sizeof *t->class_names);
        for (uint32_t k = 0; t->class_names != NULL && k < options->class_count; k++) {
            t->class_names[k] = memory_text(&t->allocator, options->class_names[k]);
            if (t->class_names[k] == NULL) {
                return memory_fail(error);
            }
        }
    }
    return options->class_names == NULL || t->class_names != NULL ? KILN_OK : memory_fail(error);
}

static kiln_status check_input(const kiln_trainer *t, kiln_error *error) {
    const kiln_train_options *o = &t->options;
    uint64_t count = 1;
    if (o->fine_tune > 0) {
        return kiln_fail(error, KILN_ERROR_ARGUMENT, "there is no backbone to fine-tune");
    }
    bool sound = o->input_rank >= 1 && o->input_rank < KILN_MAX_RANK;
    for (uint32_t k = 0; sound && k < o->input_rank; k++) {
        sound = o->input_dims[k] > 0 && count * o->input_dims[k] < 1u << 28;
        count *= o->input_dims[k];
    }
    return sound ? KILN_OK
                 : kiln_fail(error, KILN_ERROR_ARGUMENT,
                             "training without a backbone needs the shape of a sample");
}

static kiln_status cut_backbone(kiln_trainer *t, const char *cut, kiln_error *error) {
    kiln_tensor_info features;
    kiln_status status = t->options.fine_tune > 0
                             ? fine_tune_head(t, error)
                             : plan_find_cut(t->backbone, cut, &t->cut_tensor, error);
    if (status == KILN_OK && t->backbone->view.input_count != 1) {
        status = kiln_fail(error, KILN_ERROR_UNSUPPORTED,
                           "the backbone has %zu inputs; training needs one",
                           t->backbone->view.input_count);
    }
    if (status == KILN_OK) {
        status = plan_cut_at(t->backbone, t->cut_tensor, &t->frozen, error);
    }
    if (status != KILN_OK) {
        return status;
    }
    (void)kiln_plan_output(t->frozen, 0, &features);
    t->feature_count = features.dims[1];
    const kiln_plan_view *v = &t->backbone->view;
    t->cut = memory_text(&t->allocator, v->strings + v->tensors[t->cut_tensor].name);
    return t->cut != NULL ? KILN_OK : memory_fail(error);
}

static kiln_status find_features(kiln_trainer *t, const kiln_train_options *options,
                                 kiln_error *error) {
    if (t->backbone != NULL) {
        kiln_plan_preprocess(t->backbone, &t->preprocess);
    }
    if (options->preprocess != NULL) {
        t->preprocess = *options->preprocess;
        t->preprocess.present = true;
    }
    if (t->backbone != NULL) {
        return cut_backbone(t, options->cut, error);
    }
    kiln_status status = check_input(t, error);
    t->feature_count = 1;
    for (uint32_t k = 0; status == KILN_OK && k < t->options.input_rank; k++) {
        t->feature_count *= t->options.input_dims[k];
    }
    t->cut = memory_text(&t->allocator, "");
    return status == KILN_OK && t->cut == NULL ? memory_fail(error) : status;
}

static kiln_status allocate_buffers(kiln_trainer *t, kiln_error *error) {
    size_t batch = t->options.batch_size, features = t->feature_count;
    const kiln_head *head = &t->options.head;
    bool cosine = head->layers[head->count - 1].activation == KILN_ACTIVATION_COSINE;
    bool standardize = t->options.standardize && !cosine && t->options.fine_tune == 0;
    t->batch = memory_take(&t->allocator, batch * features * sizeof(real));
    t->batch_labels = memory_take(&t->allocator, batch * sizeof *t->batch_labels);
    t->best = memory_zeros(&t->allocator, weights_count(&t->net), sizeof(float));
    t->class_counts = memory_zeros(&t->allocator, t->options.class_count, sizeof *t->class_counts);
    if (standardize) {
        t->shift = memory_zeros(&t->allocator, features, sizeof(real));
        t->scale = memory_zeros(&t->allocator, features, sizeof(real));
        for (size_t k = 0; t->scale != NULL && k < features; k++) {
            t->scale[k] = 1;
        }
    }
    bool good = t->batch != NULL && t->batch_labels != NULL && t->best != NULL &&
                t->class_counts != NULL && (!standardize || (t->shift != NULL && t->scale != NULL));
    return good ? KILN_OK : memory_fail(error);
}

kiln_status kiln_trainer_create(const kiln_plan *backbone, const kiln_train_options *options,
                                kiln_trainer **out_trainer, kiln_error *error) {
    kiln_train_options used;
    *out_trainer = NULL;
    kiln_status status = OPTIONS_TAKE(kiln_train_options, options, &used, error);
    options = &used;
    if (status == KILN_OK) {
        status = options_check(options, error);
    }
    const kiln_allocator *allocator = options->allocator != NULL ? options->allocator
                                      : backbone != NULL         ? &backbone->allocator
                                                                 : default_allocator();
    kiln_trainer *t = status == KILN_OK ? memory_zeros(allocator, 1, sizeof *t) : NULL;
    if (t == NULL) {
        return status == KILN_OK ? memory_fail(error) : status;
    }
    t->allocator = *allocator;
    t->backbone = backbone;
    t->progress.rate_factor = 1;
    status = copy_options(t, options, error);
    if (status == KILN_OK) {
        status = find_features(t, options, error);
    }
    if (status == KILN_OK) {
        status = thread_pool_create(&t->allocator, t->options.threads, &t->pool, error);
    }
    if (status == KILN_OK) {
        status = network_create(&t->options, t->feature_count, t->pool, &t->net, error);
    }
    if (status == KILN_OK) {
        status = allocate_buffers(t, error);
    }
    if (status == KILN_OK && t->options.fine_tune > 0) {
        (void)fine_tune_weights(t);
    }
    if (status != KILN_OK) {
        kiln_trainer_destroy(t);
        return status;
    }
    *out_trainer = t;
    return KILN_OK;
}

void kiln_trainer_destroy(kiln_trainer *t) {
    if (t == NULL) {
        return;
    }
    kiln_session_destroy(t->session);
    kiln_plan_close(t->frozen);
    network_destroy(&t->net);
    thread_pool_destroy(t->pool);
    for (uint32_t k = 0; t->class_names != NULL && k < t->options.class_count; k++) {
        memory_free(t->class_names[k]);
    }
    descriptions_free(t);
    samples_free(&t->samples[0]);
    samples_free(&t->samples[1]);
    void *owned[] = {t->class_names,    t->cut,          t->shift,
                     t->scale,          t->batch,        t->batch_labels,
                     t->class_weights,  t->class_counts, t->train,
                     t->held,           t->order,        t->history,
                     t->best,           t->held_samples, t->held_scores,
                     t->shuffle.blocks, t->shuffle.rows, t};
    for (size_t k = 0; k < sizeof owned / sizeof *owned; k++) {
        memory_free(owned[k]);
    }
}

/* ---- Features ------------------------------------------------------------------------------ */

size_t kiln_trainer_feature_count(const kiln_trainer *t) {
    return t->feature_count;
}

const char *kiln_trainer_cut(const kiln_trainer *t) {
    return t->cut;
}

bool kiln_trainer_is_batchable(const kiln_trainer *t) {
    return t->backbone == NULL || kiln_plan_is_batchable(t->frozen);
}

kiln_status kiln_trainer_open_session(const kiln_trainer *t, const kiln_session_options *options,
                                      kiln_session **out_session, kiln_error *error) {
    *out_session = NULL;
    return t->backbone != NULL
               ? kiln_session_create(t->frozen, options, out_session, error)
               : kiln_fail(error, KILN_ERROR_ARGUMENT, "there is no backbone to run");
}

static kiln_status open_own_session(kiln_trainer *t, kiln_error *error) {
    kiln_session_options options;
    kiln_session_options_init(&options);
    options.threads = t->options.threads;
    options.max_batch = kiln_trainer_is_batchable(t) ? EXTRACT_BATCH : 1;
    t->session_batch = options.max_batch;
    return kiln_trainer_open_session(t, &options, &t->session, error);
}

kiln_status kiln_trainer_extract(kiln_trainer *t, size_t count, kiln_span input,
                                 float *out_features, kiln_error *error) {
    size_t wanted;
    if (t->backbone == NULL) {
        if (__builtin_mul_overflow(count, t->feature_count * sizeof(float), &wanted) ||
            input.size != wanted) {
            return kiln_fail(error, KILN_ERROR_ARGUMENT, "a sample is %zu numbers of f32",
                             t->feature_count);
        }
        memcpy(out_features, input.data, input.size);
        return KILN_OK;
    }
    kiln_tensor_info info;
    (void)kiln_plan_input(t->frozen, 0, &info);
    if (__builtin_mul_overflow(count, info.bytes, &wanted) || input.size != wanted) {
        return kiln_fail(error, KILN_ERROR_ARGUMENT, "%zu bytes for %zu samples of %zu", input.size,
                         count, info.bytes);
    }
    kiln_status status = t->session == NULL ? open_own_session(t, error) : KILN_OK;
    for (size_t at = 0; at < count && status == KILN_OK; at += t->session_batch) {
        size_t batch = count - at < t->session_batch ? count - at : t->session_batch;
        const uint8_t *from = (const uint8_t *)input.data + at * info.bytes;
        kiln_buffer in = {(void *)(uintptr_t)from, batch * info.bytes};
        kiln_buffer out = {out_features + at * t->feature_count,
                           batch * t->feature_count * sizeof(float)};
        status = kiln_session_run(t->session, (uint32_t)batch, &in, 1, &out, 1, error);
    }
    return status;
}

kiln_status kiln_trainer_add_sample(kiln_trainer *t, kiln_split split, kiln_span input,
                                    uint32_t label, kiln_error *error) {
    float *features = memory_take(&t->allocator, t->feature_count * sizeof *features);
    if (features == NULL) {
        return memory_fail(error);
    }
    kiln_status status = kiln_trainer_extract(t, 1, input, features, error);
    if (status == KILN_OK) {
        status = kiln_trainer_add_features(t, split, features, label, error);
    }
    memory_free(features);
    return status;
}

/* ---- Scores -------------------------------------------------------------------------------- */

kiln_status kiln_trainer_predict(kiln_trainer *t, const float *features, size_t count,
                                 float *out_scores, kiln_error *error) {
    const dense *last = &t->net.layers[t->net.count - 1];
    size_t classes = network_classes(&t->net);
    for (size_t at = 0; at < count; at += t->net.batch) {
        size_t batch = count - at < t->net.batch ? count - at : t->net.batch;
        samples_gather_rows(t, features + at * t->feature_count, batch);
        kiln_status status = network_forward(&t->net, t->batch, batch, false, 0, error);
        if (status != KILN_OK) {
            return status;
        }
        network_scores(&t->net, batch);
        for (size_t n = 0; n < batch; n++) {
            for (size_t c = 0; c < classes; c++) {
                out_scores[(at + n) * classes + c] = (float)last->output[c * batch + n];
            }
        }
    }
    return KILN_OK;
}

/* ---- Layers ---------------------------------------------------------------------------------- */

size_t kiln_trainer_layer_count(const kiln_trainer *t) {
    return t->net.count;
}

kiln_status kiln_trainer_layer(const kiln_trainer *t, size_t layer, kiln_dense_info *out_info) {
    if (layer >= t->net.count) {
        return KILN_ERROR_ARGUMENT;
    }
    const dense *d = &t->net.layers[layer];
    *out_info = (kiln_dense_info){d->inputs,         d->units,   d->activation,
                                  (float)d->dropout, d->weights, d->biases};
    return KILN_OK;
}
