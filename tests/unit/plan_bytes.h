/* A small plan as bytes that a test patches one by one, as schemas/plan.md has them: for suites
 * with the fixture make_plan, remove_plan. */
#ifndef KILN_TESTS_PLAN_BYTES_H
#define KILN_TESTS_PLAN_BYTES_H

#include "runtime/plan/builder.h"
#include "runtime/tune/tuning.h"
#include "tests/unit/network.h"
#include "tests/unit/suite.h"

#define XXH_INLINE_ALL
#include <unistd.h>
#include <xxhash.h>

enum { FILE_BYTES = 1 << 17, SIDE = 12 };

static kiln_error error;
static char path[] = "/tmp/kiln-format-XXXXXX";

#define GOOD(call) ck_assert_msg((call) == KILN_OK, "%s", error.message)

/* A plan file in memory: aligned to 8, or, with an offset of 4, between. */
typedef struct plan_bytes {
    _Alignas(64) uint8_t data[FILE_BYTES + 4];
    size_t size;
} plan_bytes;

static plan_bytes file;

static inline kiln_plan_header header_of(const plan_bytes *b) {
    kiln_plan_header h;
    memcpy(&h, b->data, sizeof h);
    return h;
}

static inline void set_header(plan_bytes *b, kiln_plan_header h) {
    h.checksum = XXH3_64bits(&h, offsetof(kiln_plan_header, checksum));
    memcpy(b->data, &h, sizeof h);
}

/* Convolution, pooling, dense layer: of no bands. */
static inline void make_plan(void) {
    network n;
    kiln_compile_options options;
    network_conv conv = {8, 3, 3, {1, 1}, {1, 1}, {1, 1, 1, 1}, 1, true};
    kiln_compile_options_init(&options);
    options.memory = KILN_MEMORY_SPEED;
    options.convolution = KILN_CONVOLUTION_DIRECT;
    network_begin(&n, 3);
    tensor *x = network_input(&n, 3, SIDE, SIDE);
    tensor *y = network_convolve(&n, network_convolve(&n, x, &conv), &conv);
    y = network_apply(&n, "GlobalAveragePool", 1, &y, NULL);
    y = network_apply(&n, "Flatten", 1, &y, NULL);
    network_output(&n, y);
    (void)close(mkstemp(path));
    GOOD(network_write(&n, &options, path));
    FILE *from = fopen(path, "rb");
    ck_assert_ptr_nonnull(from);
    file.size = fread(file.data, 1, FILE_BYTES, from);
    (void)fclose(from);
    ck_assert_uint_gt(file.size, sizeof(kiln_plan_header));
    ck_assert_uint_lt(file.size, FILE_BYTES);
}

static inline void remove_plan(void) {
    (void)unlink(path);
    memset(path + sizeof path - 7, 'X', 6);
}

static inline kiln_status open_bytes(const plan_bytes *b, kiln_plan **out_plan) {
    return kiln_plan_open_memory((kiln_span){b->data, b->size}, NULL, out_plan, &error);
}

/* Outputs of the plan for the same noise. */
static inline network_values outputs_of(const kiln_plan *plan) {
    network_values in = network_noise(plan, 2, 7);
    kiln_session *session = network_session(plan, 1, 2);
    network_values out = network_run(plan, session, 2, &in);
    kiln_session_destroy(session);
    network_free_values(&in);
    return out;
}

static inline void ck_same_outputs(const kiln_plan *a, const kiln_plan *b) {
    network_values x = outputs_of(a), y = outputs_of(b);
    ck_assert_uint_eq(x.count[0], y.count[0]);
    ck_assert_mem_eq(x.data[0], y.data[0], x.count[0] * sizeof(float));
    network_free_values(&x);
    network_free_values(&y);
}

/* The plan with another algorithm in each convolution, as kiln_tune writes it. */
static inline kiln_plan *tuned(const kiln_plan *plan) {
    uint8_t choice[64];
    kiln_plan *variant = NULL;
    size_t changed = 0;
    ck_assert_uint_le(plan->view.step_count, sizeof choice);
    choices_now(plan, choice);
    for (size_t k = 0; k < plan->view.step_count; k++) {
        bool changes = choice[k] == KILN_CONV_DIRECT || choice[k] == KILN_CONV_BY_XNNPACK;
        changed += changes;
        choice[k] = changes ? KILN_CONV_GEMM : choice[k];
    }
    ck_assert_uint_gt(changed, 0);
    GOOD(variant_write(plan, choice, path, &error));
    GOOD(kiln_plan_open(path, NULL, &variant, &error));
    return variant;
}

#endif
