/* kiln_tune: a plan with nothing to choose, one with a choice, and one whose tuning is stopped;
 * whose choices are used on which processor. */
#include "runtime/base/files.h"
#include "runtime/plan/builder.h"
#include "runtime/plan/choices.h"
#include "tests/unit/ledger.h"
#include "tests/unit/network.h"
#include "tests/unit/suite.h"
#include <kiln/machine.h>
#include <kiln/tune.h>

#include <check.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CHANNELS 16
#define SIDE 20
#define VALUES ((size_t)CHANNELS * SIDE * SIDE)

static char folder[] = "/tmp/kiln-tune-XXXXXX", path[64], copy[64];
static kiln_error error;

/* ---- The network --------------------------------------------------------------------------- */

static float noise(size_t k) {
    return (float)((k * 2654435761u >> 8) % 2001) / 1000 - 1;
}

static void write_plan_of(bool convolution, kiln_convolution how) {
    const network_conv c = {CHANNELS, 3, 3, {1, 1}, {1, 1}, {0}, 1, false};
    network n;
    kiln_compile_options options;
    kiln_compile_options_init(&options);
    options.convolution = how;
    network_begin_at(&n, 1, 1);
    tensor *y = network_input(&n, CHANNELS, SIDE, SIDE);
    y = network_apply(&n, "Relu", 1, &y, NULL);
    network_output(&n, convolution ? network_convolve(&n, y, &c) : y);
    network_save(&n, &options, path);
}

/* A file's bytes, from malloc. */
static uint8_t *read_all(const char *name, size_t *out_size) {
    FILE *file = fopen(name, "rb");
    ck_assert_ptr_nonnull(file);
    ck_assert_int_eq(fseek(file, 0, SEEK_END), 0);
    *out_size = (size_t)ftell(file);
    rewind(file);
    uint8_t *bytes = malloc(*out_size);
    ck_assert_ptr_nonnull(bytes);
    ck_assert_uint_eq(fread(bytes, 1, *out_size, file), *out_size);
    (void)fclose(file);
    return bytes;
}

static float *run_plan(const char *name) {
    kiln_plan *plan = NULL;
    kiln_session *session = NULL;
    float *x = malloc(VALUES * sizeof *x), *y = calloc(VALUES, sizeof *y);
    size_t outputs = (size_t)CHANNELS * (SIDE - 2) * (SIDE - 2);
    for (size_t k = 0; k < VALUES; k++) {
        x[k] = noise(k * 7 + 3);
    }
    kiln_buffer in = {x, VALUES * sizeof *x}, out = {y, outputs * sizeof *y};
    ck_assert_msg(kiln_plan_open(name, NULL, &plan, &error) == KILN_OK, "%s", error.message);
    ck_assert_int_eq(kiln_session_create(plan, NULL, &session, &error), KILN_OK);
    ck_assert_int_eq(kiln_session_run(session, 1, &in, 1, &out, 1, &error), KILN_OK);
    kiln_session_destroy(session);
    kiln_plan_close(plan);
    free(x);
    return y;
}

static void expect_same_bytes(const uint8_t *bytes, size_t size, const char *name) {
    size_t now_size;
    uint8_t *now = read_all(name, &now_size);
    ck_assert_uint_eq(now_size, size);
    ck_assert_mem_eq(now, bytes, size);
    free(now);
}

/* ---- Tests --------------------------------------------------------------------------------- */

typedef struct seen {
    size_t layers, runs, stop_at;
    kiln_tune_layer layer;
} seen;

static void see_layer(void *context, const kiln_tune_layer *layer) {
    seen *s = context;
    s->layers++;
    s->layer = *layer;
}

static bool see_progress(void *context, size_t done, size_t total) {
    seen *s = context;
    ck_assert_uint_eq(done, s->runs);
    ck_assert_uint_lt(done, total);
    return s->runs++ != s->stop_at;
}

static kiln_tune_options watching(seen *s) {
    kiln_tune_options options;
    kiln_tune_options_init(&options);
    options.runs = 4;
    options.on_progress = see_progress;
    options.on_layer = see_layer;
    options.context = s;
    return options;
}

START_TEST(nothing_to_choose) {
    size_t size;
    kiln_tune_report report;
    write_plan_of(false, KILN_CONVOLUTION_AUTO);
    uint8_t *bytes = read_all(path, &size);
    ck_assert_int_eq(kiln_tune(path, NULL, NULL, &report, &error), KILN_OK);
    ck_assert_int_eq(report.outcome, KILN_TUNE_NO_CHOICE);
    expect_same_bytes(bytes, size, path);
    ck_assert_int_eq(kiln_tune(path, copy, NULL, &report, &error), KILN_OK);
    expect_same_bytes(bytes, size, copy);
    free(bytes);
}
END_TEST

START_TEST(stopped) {
    size_t size;
    kiln_tune_report report;
    write_plan_of(true, KILN_CONVOLUTION_WINOGRAD_6);
    uint8_t *bytes = read_all(path, &size);
    (void)unlink(copy);
    for (size_t at = 0; at < 30; at += 7) {
        seen s = {.stop_at = at};
        kiln_tune_options options = watching(&s);
        ck_assert_int_eq(kiln_tune(path, at % 2 == 0 ? NULL : copy, &options, &report, &error),
                         KILN_OK);
        ck_assert_int_eq(report.outcome, KILN_TUNE_STOPPED);
        ck_assert_uint_eq(s.runs, at + 1);
        expect_same_bytes(bytes, size, path);
        ck_assert_int_ne(access(copy, F_OK), 0);
    }
    free(bytes);
}
END_TEST

/* An exact plan has to come out, whatever is fastest: a change that does not depend on timing. */
START_TEST(made_exact) {
    size_t size;
    kiln_tune_report report;
    seen s = {.stop_at = SIZE_MAX};
    kiln_tune_options options = watching(&s);
    options.precision = KILN_TUNE_EXACT;
    write_plan_of(true, KILN_CONVOLUTION_WINOGRAD_6);
    uint8_t *bytes = read_all(path, &size);
    ck_assert_msg(kiln_tune(path, copy, &options, &report, &error) == KILN_OK, "%s", error.message);
    expect_same_bytes(bytes, size, path);
    ck_assert_int_eq(report.outcome, KILN_TUNE_CHANGED);
    ck_assert(report.exact && report.changed == 1 && report.convolutions == 1);
    ck_assert(report.seconds_before > 0 && report.seconds_after > 0);
    ck_assert_uint_gt(report.memory_after.total_bytes, 0);
    ck_assert_uint_eq(s.layers, 1);
    ck_assert_int_eq(s.layer.before, KILN_CONV_WINOGRAD_6);
    ck_assert(s.layer.after == KILN_CONV_GEMM || s.layer.after == KILN_CONV_BY_XNNPACK);
    ck_assert(isfinite(s.layer.seconds[s.layer.before]));
    ck_assert(isinf(s.layer.seconds[KILN_CONV_WINOGRAD_2]));
    float *before = run_plan(path), *after = run_plan(copy), largest = 0, worst = 0;
    for (size_t k = 0; k < VALUES; k++) {
        largest = fmaxf(largest, fabsf(before[k]));
        worst = fmaxf(worst, fabsf(before[k] - after[k]));
    }
    ck_assert(largest > 0 && worst > 0 && worst <= 1e-3f * largest);
    free(before);
    free(after);
    free(bytes);
}
END_TEST

START_TEST(stays_exact) {
    kiln_tune_report report;
    seen s = {.stop_at = SIZE_MAX};
    kiln_tune_options options = watching(&s);
    write_plan_of(true, KILN_CONVOLUTION_EXACT);
    ck_assert_int_eq(kiln_tune(path, copy, &options, &report, &error), KILN_OK);
    /* Without XNNPACK there is one exact choice, and no layer is told. */
    ck_assert(report.exact && (s.layers == 0 || isinf(s.layer.seconds[KILN_CONV_WINOGRAD_4])));
    s = (seen){.stop_at = SIZE_MAX};
    options.precision = KILN_TUNE_ANY;
    ck_assert_int_eq(kiln_tune(path, copy, &options, &report, &error), KILN_OK);
    ck_assert(!report.exact && isfinite(s.layer.seconds[KILN_CONV_WINOGRAD_4]));
    s = (seen){.stop_at = SIZE_MAX};
    options.precision = KILN_TUNE_AS_COMPILED;
    write_plan_of(true, KILN_CONVOLUTION_AUTO);
    ck_assert_int_eq(kiln_tune(path, copy, &options, &report, &error), KILN_OK);
    ck_assert(!report.exact && isfinite(s.layer.seconds[KILN_CONV_WINOGRAD_4]));
}
END_TEST

/* Each call of the caller's allocator in turn is refused: that is told, or was none. */
START_TEST(the_end_of_memory_is_told) {
    write_plan_of(true, KILN_CONVOLUTION_AUTO);
    for (size_t refused = 1, reached = 1; reached; refused++) {
        ledger l = {.refused = refused};
        const kiln_allocator allocator = ledger_allocator(&l);
        const kiln_tune_options options = {
            .size = sizeof options, .runs = 1, .allocator = &allocator};
        kiln_status status = kiln_tune(path, copy, &options, NULL, &error);
        reached = l.calls >= refused;
        ck_assert_msg(status == (reached ? KILN_ERROR_MEMORY : KILN_OK), "call %zu of %zu: %s: %s",
                      refused, (size_t)l.calls, kiln_status_name(status), error.message);
        ck_assert_msg(ledger_is_even(&l), "call %zu: %zu blocks left", refused, (size_t)l.blocks);
    }
}
END_TEST

/* ---- By processor -------------------------------------------------------------------------- */

static kiln_plan *opened(const char *name) {
    kiln_plan *plan = NULL;
    ck_assert_msg(kiln_plan_open(name, NULL, &plan, &error) == KILN_OK, "%s", error.message);
    return plan;
}

/* The plan of a file with another section, as a file. */
static void save_with_section(const char *from, kiln_span content, const char *to) {
    kiln_plan *plan = opened(from);
    const kiln_plan_view *v = &plan->view;
    plan_builder b;
    file_writer out;
    builder_copy(&b, plan);
    builder_optional(&b, KILN_PLAN_TUNED, content);
    builder_lay_out(&b);
    ck_assert_int_eq(file_begin(&out, to, &error), KILN_OK);
    ck_assert_int_eq(builder_write(&b, v->weight_bytes, builder_to_file, &out, &error), KILN_OK);
    ck_assert_int_eq(file_write(&out, v->weights, v->weight_bytes, &error), KILN_OK);
    ck_assert_int_eq(file_end(&out, KILN_OK, &error), KILN_OK);
    builder_free(&b);
    kiln_plan_close(plan);
}

static size_t the_convolution(const kiln_plan *plan) {
    size_t step = 0;
    while (plan->view.steps[step].kernel != KILN_KERNEL_CONV_2D) {
        step++;
    }
    return step;
}

static const char *algorithm_of(const char *name) {
    kiln_plan *plan = opened(name);
    const char *text = kiln_plan_step_computation(plan, the_convolution(plan)).algorithm;
    kiln_plan_close(plan);
    return text;
}

/* A section with gemm for the convolution on one processor, behind what the plan has. */
static void tune_by_hand(const char *from, const char *processor, uint8_t how, const char *to) {
    kiln_plan *plan = opened(from);
    byte_buffer content = {.allocator = NULL};
    uint8_t choice[16];
    ck_assert_uint_le(plan->view.step_count, sizeof choice);
    memset(choice, NO_CHOICE, sizeof choice);
    choice[the_convolution(plan)] = how;
    choices_write(plan, processor, choice, &content);
    save_with_section(from, (kiln_span){content.data, content.size}, to);
    buffer_free(&content);
    kiln_plan_close(plan);
}

START_TEST(another_processors_choices_are_not_used) {
    const char *here = kiln_machine_processor();
    write_plan_of(true, KILN_CONVOLUTION_WINOGRAD_6);
    tune_by_hand(path, "another processor", KILN_CONV_GEMM, copy);
    ck_assert_str_eq(algorithm_of(copy), "winograd6");
    tune_by_hand(copy, here, KILN_CONV_WINOGRAD_2, path);
    ck_assert_str_eq(algorithm_of(path), "winograd2");
    kiln_plan *plan = opened(path);
    uint8_t choice[16];
    ck_assert_str_eq(kiln_plan_tuned_for(plan, 0), "another processor");
    ck_assert_str_eq(kiln_plan_tuned_for(plan, 1), here);
    ck_assert_ptr_null(kiln_plan_tuned_for(plan, 2));
    ck_assert(choices_find(plan, "another processor", choice));
    ck_assert_uint_eq(choice[the_convolution(plan)], KILN_CONV_GEMM);
    ck_assert(!choices_find(plan, "a third one", choice));
    kiln_plan_close(plan);
    /* What is measured again replaces its own. */
    tune_by_hand(path, here, KILN_CONV_GEMM, copy);
    plan = opened(copy);
    ck_assert_str_eq(kiln_plan_tuned_for(plan, 1), here);
    ck_assert_ptr_null(kiln_plan_tuned_for(plan, 2));
    kiln_plan_close(plan);
    free(run_plan(copy));
}
END_TEST

/* Gemm is chosen where the table would take XNNPACK, and the other way round. */
START_TEST(both_libraries_can_be_chosen) {
    write_plan_of(true, KILN_CONVOLUTION_EXACT);
    for (int how = 0; how < KILN_CONV_CHOICES; how++) {
        if (how == KILN_CONV_GEMM || how == KILN_CONV_BY_XNNPACK) {
            tune_by_hand(path, kiln_machine_processor(), (uint8_t)how, copy);
            kiln_plan *plan = opened(copy);
            const char *library = kiln_plan_step_computation(plan, the_convolution(plan)).library;
            bool has = strstr(kiln_machine_processor(), "XNNPACK") != NULL;
            bool by_xnnpack = has && how == KILN_CONV_BY_XNNPACK;
            ck_assert_int_eq(strncmp(library, "XNNPACK", 7) == 0, by_xnnpack);
            kiln_plan_close(plan);
            free(run_plan(copy));
        }
    }
}
END_TEST

/* Whatever the section holds, the plan opens and runs. */
START_TEST(any_section_is_survived) {
    write_plan_of(true, KILN_CONVOLUTION_WINOGRAD_6);
    tune_by_hand(path, kiln_machine_processor(), KILN_CONV_GEMM, copy);
    kiln_plan *plan = opened(copy);
    kiln_span content;
    uint8_t bytes[256];
    ck_assert(kiln_plan_find_section(plan, KILN_PLAN_TUNED, &content));
    ck_assert_uint_le(content.size, sizeof bytes);
    memcpy(bytes, content.data, content.size);
    kiln_plan_close(plan);
    for (size_t at = 0; at < content.size; at += 3) {
        uint8_t was = bytes[at];
        bytes[at] ^= (uint8_t)(1u << at % 8);
        save_with_section(path, (kiln_span){bytes, content.size - at % 2}, copy);
        bytes[at] = was;
        free(run_plan(copy));
    }
    /* A choice that does not fit the layer, and one that there is not. */
    for (uint32_t how = 0; how < 9; how++) {
        memcpy(bytes + sizeof(kiln_plan_tuned) + 8, &how, sizeof how);
        save_with_section(path, (kiln_span){bytes, content.size}, copy);
        free(run_plan(copy));
    }
    uint32_t depthwise = KILN_CONV_DEPTHWISE;
    memcpy(bytes + sizeof(kiln_plan_tuned) + 8, &depthwise, sizeof depthwise);
    save_with_section(path, (kiln_span){bytes, content.size}, copy);
    ck_assert_str_eq(algorithm_of(copy), "winograd6");
}
END_TEST

int main(void) {
    if (mkdtemp(folder) == NULL) {
        return 1;
    }
    snprintf(path, sizeof path, "%s/net.plan", folder);
    snprintf(copy, sizeof copy, "%s/copy.plan", folder);
    const suite_test tests[] = {
        TEST("choice", nothing_to_choose),
        TEST("choice", stopped),
        TEST("choice", the_end_of_memory_is_told),
        TEST("exact", made_exact),
        TEST("exact", stays_exact),
        TEST("processor", another_processors_choices_are_not_used),
        TEST("processor", both_libraries_can_be_chosen),
        TEST("processor", any_section_is_survived),
    };
    int failed = SUITE("tune", tests);
    (void)unlink(path);
    (void)unlink(copy);
    (void)rmdir(folder);
    return failed;
}
