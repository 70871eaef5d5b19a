/* An image through a session: classes and features. */
#include "runtime/image/view.h"
#include "runtime/session/session.h"
#include <kiln/answer.h>

#include <math.h>

/* ---- Running ------------------------------------------------------------------------------- */

static size_t rounded(size_t bytes) {
    return (bytes + 63) / 64 * 64;
}

static kiln_status check(const kiln_plan *plan, kiln_tensor_info *out_input,
                         kiln_tensor_info *out_last, kiln_error *error) {
    kiln_image_layout layout;
    size_t outputs = kiln_plan_output_count(plan);
    if (kiln_plan_input_count(plan) != 1 || outputs == 0 ||
        kiln_plan_input(plan, 0, out_input) != KILN_OK ||
        kiln_plan_output(plan, outputs - 1, out_last) != KILN_OK || out_last->dtype != KILN_F32 ||
        kiln_image_layout_of(out_input, &layout, NULL) != KILN_OK || layout.count != 1) {
        return kiln_fail(error, KILN_ERROR_UNSUPPORTED,
                         "the network has to take one image and to end in an f32 output");
    }
    return KILN_OK;
}

/* In one block: the outputs' buffers, the input, the outputs. */
static kiln_status make_buffers(kiln_session *s, size_t input_bytes, kiln_error *error) {
    size_t outputs = kiln_plan_output_count(s->plan), table = outputs * sizeof(kiln_buffer);
    size_t bytes = rounded(table) + rounded(input_bytes);
    kiln_tensor_info info;
    for (size_t k = 0; k < outputs; k++) {
        (void)kiln_plan_output(s->plan, k, &info);
        bytes += rounded(info.bytes);
    }
    s->answer = memory_aligned(&s->allocator, bytes);
    if (s->answer == NULL) {
        return kiln_fail(error, KILN_ERROR_MEMORY, "no memory for %zu bytes of buffers", bytes);
    }
    uint8_t *at = (uint8_t *)s->answer + rounded(table) + rounded(input_bytes);
    for (size_t k = 0; k < outputs; k++) {
        (void)kiln_plan_output(s->plan, k, &info);
        s->answer[k] = (kiln_buffer){at, info.bytes};
        at += rounded(info.bytes);
    }
    return KILN_OK;
}

/* The last output's numbers, which are the session's until it is run again. */
static kiln_status run(kiln_session *s, const kiln_image *image, const float **out_numbers,
                       size_t *out_count, kiln_error *error) {
    kiln_tensor_info input, last;
    kiln_preprocess preprocess;
    kiln_status status = check(s->plan, &input, &last, error);
    if (status == KILN_OK && s->answer == NULL) {
        status = make_buffers(s, input.bytes, error);
    }
    if (status != KILN_OK) {
        return status;
    }
    size_t outputs = kiln_plan_output_count(s->plan);
    uint8_t *pixels = (uint8_t *)s->answer + rounded(outputs * sizeof(kiln_buffer));
    kiln_buffer buffer = {pixels, input.bytes};
    kiln_plan_preprocess(s->plan, &preprocess);
    status = image_to_input(&s->allocator, image, &input, &preprocess, 0, buffer, error);
    *out_numbers = s->answer[outputs - 1].data;
    *out_count = last.bytes / sizeof(float);
    return status == KILN_OK ? kiln_session_run(s, 1, &buffer, 1, s->answer, outputs, error)
                             : status;
}

/* ---- Answers ------------------------------------------------------------------------------- */

static bool before(const float *scores, size_t a, size_t b) {
    return scores[a] > scores[b] || (scores[a] == scores[b] && a < b);
}

/* The best class behind `last` (count: of all), or count. */
static size_t next_best(const float *scores, size_t count, size_t last) {
    size_t best = count;
    for (size_t k = 0; k < count; k++) {
        bool left = !isnan(scores[k]) && (last == count || before(scores, last, k));
        best = left && (best == count || before(scores, k, best)) ? k : best;
    }
    return best;
}

kiln_status kiln_classify(kiln_session *session, const kiln_image *image, kiln_answer *out_answers,
                          size_t capacity, size_t *out_count, kiln_error *error) {
    const float *scores;
    size_t count;
    *out_count = 0;
    kiln_status status = run(session, image, &scores, &count, error);
    if (status != KILN_OK) {
        return status;
    }
    size_t best = next_best(scores, count, count);
    while (*out_count < capacity && best < count) {
        const char *label = kiln_plan_label(session->plan, best);
        out_answers[(*out_count)++] = (kiln_answer){best, label != NULL ? label : "", scores[best]};
        best = next_best(scores, count, best);
    }
    return KILN_OK;
}

static double product(const float *a, const float *b, size_t count) {
    double sum = 0;
    for (size_t k = 0; k < count; k++) {
        sum += (double)a[k] * (double)b[k];
    }
    return sum;
}

kiln_status kiln_embed(kiln_session *session, const kiln_image *image, float *out_features,
                       size_t count, kiln_error *error) {
    const float *numbers;
    size_t made;
    kiln_status status = run(session, image, &numbers, &made, error);
    if (status != KILN_OK) {
        return status;
    }
    if (made != count) {
        return kiln_fail(error, KILN_ERROR_ARGUMENT, "room for %zu features; the network has %zu",
                         count, made);
    }
    double length = sqrt(product(numbers, numbers, count));
    if (!(length > 0 && isfinite(length))) {
        return kiln_fail(error, KILN_ERROR_ARGUMENT,
                         "the image's features are all zeros or not finite");
    }
    for (size_t k = 0; k < count; k++) {
        out_features[k] = (float)((double)numbers[k] / length);
    }
    return KILN_OK;
}

float kiln_similarity(const float *a, const float *b, size_t count) {
    double lengths = sqrt(product(a, a, count)) * sqrt(product(b, b, count));
    return lengths > 0 && isfinite(lengths)
               ? (float)fmax(-1, fmin(1, product(a, b, count) / lengths))
               : 0;
}
