/* What readers promise: plans of the version before are read as they were, later ones are refused
 * in words; optional sections that nobody knows are passed over, and are still there when a plan
 * has been cut, trained on or tuned. Files are patched here byte by byte, as schemas/plan.md has
 * them. */
#include "runtime/plan/builder.h"
#include "runtime/tune/tuning.h"
#include "tests/unit/network.h"
#include "tests/unit/suite.h"
#include <kiln/train.h>

#define XXH_INLINE_ALL
#include <unistd.h>
#include <xxhash.h>

enum { FILE_BYTES = 1 << 17, SIDE = 12, CLASSES = 3 };

static kiln_error error;
static char path[] = "/tmp/kiln-format-XXXXXX";

#define GOOD(call) ck_assert_msg((call) == KILN_OK, "%s", error.message)

/* A plan file in memory: aligned to 8, or, with an offset of 4, between. */
typedef struct plan_bytes {
    _Alignas(64) uint8_t data[FILE_BYTES + 4];
    size_t size;
} plan_bytes;

static plan_bytes file;

static kiln_plan_header header_of(const plan_bytes *b) {
    kiln_plan_header h;
    memcpy(&h, b->data, sizeof h);
    return h;
}

static void set_header(plan_bytes *b, kiln_plan_header h) {
    h.checksum = XXH3_64bits(&h, offsetof(kiln_plan_header, checksum));
    memcpy(b->data, &h, sizeof h);
}

/* Convolution, pooling, dense layer: of no bands. */
static void make_plan(void) {
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

static void remove_plan(void) {
    (void)unlink(path);
    memset(path + sizeof path - 7, 'X', 6);
}

static kiln_status open_bytes(const plan_bytes *b, kiln_plan **out_plan) {
    return kiln_plan_open_memory((kiln_span){b->data, b->size}, NULL, out_plan, &error);
}

/* Outputs of the plan for the same noise. */
static network_values outputs_of(const kiln_plan *plan) {
    network_values in = network_noise(plan, 2, 7);
    kiln_session *session = network_session(plan, 1, 2);
    network_values out = network_run(plan, session, 2, &in);
    kiln_session_destroy(session);
    network_free_values(&in);
    return out;
}

static void ck_same_outputs(const kiln_plan *a, const kiln_plan *b) {
    network_values x = outputs_of(a), y = outputs_of(b);
    ck_assert_uint_eq(x.count[0], y.count[0]);
    ck_assert_mem_eq(x.data[0], y.data[0], x.count[0] * sizeof(float));
    network_free_values(&x);
    network_free_values(&y);
}

/* ---- The version before -------------------------------------------------------------------- */

enum { SECTIONS_BEFORE = 12, HEADER_BEFORE = 56 + 24 * SECTIONS_BEFORE + 8 };

static void seal_before(plan_bytes *b) {
    uint64_t checksum = XXH3_64bits(b->data, HEADER_BEFORE - sizeof checksum);
    memcpy(b->data + HEADER_BEFORE - sizeof checksum, &checksum, sizeof checksum);
}

/* Version 1 had no BANDS, and so a shorter header; what follows it is as it is now. */
static void make_version_1(plan_bytes *b) {
    kiln_plan_header h = header_of(b);
    ck_assert_uint_eq(h.version, 2);
    ck_assert_uint_eq(h.sections[KILN_SECTION_BANDS].bytes, 0);
    h.version = 1;
    h.header_bytes = HEADER_BEFORE;
    h.sections[KILN_SECTION_BANDS] = h.sections[KILN_SECTION_WEIGHTS];
    memset(b->data, 0, sizeof h);
    memcpy(b->data, &h, HEADER_BEFORE - sizeof h.checksum);
    seal_before(b);
}

START_TEST(reads_the_version_before) {
    kiln_plan *now = NULL, *before = NULL, *cut = NULL;
    static plan_bytes old;
    old = file;
    make_version_1(&old);
    GOOD(open_bytes(&file, &now));
    GOOD(open_bytes(&old, &before));
    ck_same_outputs(now, before);
    ck_assert_str_eq(kiln_plan_metadata(before, "producer"), "test");
    kiln_plan_close(before);
    /* Between two multiples of 8, where records are copied. */
    memmove(old.data + 4, old.data, old.size);
    GOOD(kiln_plan_open_memory((kiln_span){old.data + 4, old.size}, NULL, &before, &error));
    ck_same_outputs(now, before);
    GOOD(kiln_plan_cut(before, NULL, &cut, &error));
    ck_same_outputs(now, cut);
    kiln_plan_close(cut);
    kiln_plan_close(before);
    kiln_plan_close(now);
}
END_TEST

/* The plan with another algorithm in each convolution, as kiln_tune writes it. */
static kiln_plan *tuned(const kiln_plan *plan) {
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

/* What is written is of the current version. */
START_TEST(tuning_brings_up_to_date) {
    kiln_plan *now = NULL, *before = NULL;
    static plan_bytes old;
    old = file;
    make_version_1(&old);
    GOOD(open_bytes(&file, &now));
    GOOD(open_bytes(&old, &before));
    ck_assert_uint_eq(before->view.header->version, 1);
    kiln_plan *after = tuned(before);
    ck_assert_uint_eq(after->view.header->version, KILN_PLAN_VERSION);
    network_values a = outputs_of(now), b = outputs_of(after);
    ck_assert_double_lt(network_difference(b.data[0], a.data[0], a.count[0]), 1e-5);
    network_free_values(&a);
    network_free_values(&b);
    kiln_plan_close(now);
    kiln_plan_close(before);
    kiln_plan_close(after);
}
END_TEST

static const struct {
    uint32_t version;
    const char *message;
} other_versions[] = {{0, "compile again"}, {3, "needs a newer one"}, {1000, "needs a newer one"}};

START_TEST(refuses_other_versions_in_words) {
    kiln_plan *plan = NULL;
    kiln_plan_header h = header_of(&file);
    h.version = other_versions[_i].version;
    set_header(&file, h);
    ck_assert_int_eq(open_bytes(&file, &plan), KILN_ERROR_FORMAT);
    ck_assert_msg(strstr(error.message, other_versions[_i].message) != NULL, "%s", error.message);
}
END_TEST

/* Each byte of the older header counts; and a header that ends where the file does. */
START_TEST(damage_to_an_older_header_shows) {
    kiln_plan *plan = NULL;
    make_version_1(&file);
    for (size_t at = 0; at < HEADER_BEFORE; at++) {
        file.data[at] ^= 1;
        ck_assert_int_eq(open_bytes(&file, &plan), KILN_ERROR_FORMAT);
        file.data[at] ^= 1;
    }
    for (size_t size = 0; size <= sizeof(kiln_plan_header); size++) {
        ck_assert_int_eq(kiln_plan_open_memory((kiln_span){file.data, size}, NULL, &plan, &error),
                         KILN_ERROR_FORMAT);
    }
    /* A sealed header of the wrong length. */
    uint32_t bytes = sizeof(kiln_plan_header);
    memcpy(file.data + offsetof(kiln_plan_header, header_bytes), &bytes, sizeof bytes);
    seal_before(&file);
    ck_assert_int_eq(open_bytes(&file, &plan), KILN_ERROR_FORMAT);
}
END_TEST

/* A kernel that only later runtimes have is told as that. */
START_TEST(unknown_kernels_are_named) {
    kiln_plan *plan = NULL;
    kiln_plan_header h = header_of(&file);
    kiln_plan_section *steps = &h.sections[KILN_SECTION_STEPS];
    uint16_t kernel = 999;
    memcpy(file.data + steps->offset + offsetof(kiln_plan_step, kernel), &kernel, sizeof kernel);
    steps->checksum = XXH3_64bits(file.data + steps->offset, (size_t)steps->bytes);
    set_header(&file, h);
    ck_assert_int_eq(open_bytes(&file, &plan), KILN_ERROR_FORMAT);
    ck_assert_msg(strstr(error.message, "newer runtime: step 0 calls kernel 999") != NULL, "%s",
                  error.message);
}
END_TEST

/* Results go through functions that the kernel may have, and flags have meanings. */
START_TEST(unknown_flags_are_refused) {
    static const struct {
        size_t step; /* 0: a copy, 1: a convolution */
        uint32_t flags;
    } wrong[] = {{1, 4},
                 {1, 1u << 16},
                 {1, KILN_STEP_WITH_FUNCTION(KILN_UNARY_COUNT)},
                 {1, KILN_STEP_WITH_FUNCTION(KILN_UNARY_IS_NAN)},
                 {0, KILN_STEP_WITH_FUNCTION(KILN_UNARY_TANH)},
                 {1, KILN_STEP_WITH_FUNCTION(KILN_UNARY_TANH)}}; /* it has bounds */
    kiln_plan_header h = header_of(&file);
    kiln_plan_section *steps = &h.sections[KILN_SECTION_STEPS];
    size_t first = (size_t)steps->offset + offsetof(kiln_plan_step, flags);
    for (size_t k = 0; k < sizeof wrong / sizeof *wrong; k++) {
        kiln_plan *plan = NULL;
        size_t at = first + wrong[k].step * sizeof(kiln_plan_step);
        memcpy(file.data + at, &wrong[k].flags, sizeof wrong->flags);
        steps->checksum = XXH3_64bits(file.data + steps->offset, (size_t)steps->bytes);
        set_header(&file, h);
        ck_assert_int_eq(open_bytes(&file, &plan), KILN_ERROR_FORMAT);
        memset(file.data + at, 0, sizeof wrong->flags);
    }
}
END_TEST

/* A plan may lack what cutting looks at first. */
START_TEST(cutting_wants_an_output) {
    kiln_plan *plan = NULL, *cut = NULL;
    kiln_plan_header h = header_of(&file);
    h.sections[KILN_SECTION_OUTPUTS].bytes = 0;
    h.sections[KILN_SECTION_OUTPUTS].checksum = XXH3_64bits("", 0);
    set_header(&file, h);
    GOOD(open_bytes(&file, &plan));
    ck_assert_int_eq(kiln_plan_cut(plan, NULL, &cut, &error), KILN_ERROR_UNSUPPORTED);
    ck_assert_ptr_null(cut);
    kiln_plan_close(plan);
}
END_TEST

/* ---- Optional sections --------------------------------------------------------------------- */

static const char answers[] = "what nobody knows", more[] = "and a second one, of another length";

static size_t align64(size_t offset) {
    return (offset + 63) / 64 * 64;
}

static size_t put_optional(uint8_t *to, const char *tag, const void *content, size_t bytes) {
    kiln_plan_optional record = {.bytes = bytes, .checksum = XXH3_64bits(content, bytes)};
    memcpy(record.tag, tag, strlen(tag));
    record.record_checksum = XXH3_64bits(&record, offsetof(kiln_plan_optional, record_checksum));
    memcpy(to, &record, sizeof record);
    memcpy(to + sizeof record, content, bytes);
    return sizeof record + bytes;
}

/* Two unknown sections in the gap before the weights. Returns where the first lies. */
static size_t add_optional(plan_bytes *b) {
    kiln_plan_header h = header_of(b);
    const kiln_plan_section *bands = &h.sections[KILN_SECTION_BANDS];
    size_t first = align64((size_t)(bands->offset + bands->bytes)), at = first;
    at = align64(at + put_optional(b->data + at, "answers", answers, sizeof answers));
    at += put_optional(b->data + at, "12345678", more, sizeof more);
    ck_assert_uint_le(at, h.sections[KILN_SECTION_WEIGHTS].offset);
    h.optional_count = 2;
    set_header(b, h);
    return first;
}

static void ck_has_optional(const kiln_plan *plan) {
    kiln_span found;
    ck_assert(kiln_plan_find_section(plan, "answers", &found));
    ck_assert_uint_eq(found.size, sizeof answers);
    ck_assert_uint_eq((uintptr_t)found.data % 8, 0);
    ck_assert_mem_eq(found.data, answers, sizeof answers);
    ck_assert(kiln_plan_find_section(plan, "12345678", &found));
    ck_assert_uint_eq(found.size, sizeof more);
    ck_assert_mem_eq(found.data, more, sizeof more);
    ck_assert(!kiln_plan_find_section(plan, "answer", &found));
    ck_assert(!kiln_plan_find_section(plan, "answers?", &found));
    ck_assert(!kiln_plan_find_section(plan, "123456789", &found));
}

START_TEST(unknown_sections_are_passed_over) {
    kiln_plan *with = NULL, *without = NULL;
    static plan_bytes b;
    kiln_span found;
    b = file;
    add_optional(&b);
    GOOD(open_bytes(&file, &without));
    GOOD(open_bytes(&b, &with));
    ck_assert(!kiln_plan_find_section(without, "answers", &found));
    ck_has_optional(with);
    ck_same_outputs(with, without);
    kiln_plan_close(with);
    memmove(b.data + 4, b.data, b.size);
    GOOD(kiln_plan_open_memory((kiln_span){b.data + 4, b.size}, NULL, &with, &error));
    ck_has_optional(with);
    ck_same_outputs(with, without);
    kiln_plan_close(with);
    kiln_plan_close(without);
}
END_TEST

/* The builder lays them out as the specification has it, that is, as they are put here. */
START_TEST(the_builder_writes_optional_sections) {
    kiln_plan *plan = NULL;
    plan_builder b = {0};
    byte_buffer bytes = {0};
    GOOD(open_bytes(&file, &plan));
    builder_copy(&b, plan);
    builder_optional(&b, "answers", (kiln_span){answers, sizeof answers});
    builder_optional(&b, "12345678", (kiln_span){more, sizeof more});
    builder_lay_out(&b);
    GOOD(builder_write(&b, plan->view.weight_bytes, buffer_write, &bytes, &error));
    buffer_append(&bytes, plan->view.weights, plan->view.weight_bytes);
    add_optional(&file);
    ck_assert_uint_eq(bytes.size, file.size);
    ck_assert_mem_eq(bytes.data, file.data, file.size);
    buffer_free(&bytes);
    builder_free(&b);
    kiln_plan_close(plan);
}
END_TEST

/* One that is given again takes the other's place, one without bytes goes; the rest stay. */
START_TEST(the_builder_replaces_optional_sections) {
    kiln_plan *plan = NULL, *changed = NULL;
    plan_builder b = {0};
    byte_buffer bytes = {0};
    kiln_span found;
    add_optional(&file);
    GOOD(open_bytes(&file, &plan));
    builder_copy(&b, plan);
    builder_optional(&b, "answers", (kiln_span){"anew", 5});
    builder_optional(&b, "nothing", (kiln_span){NULL, 0});
    builder_lay_out(&b);
    GOOD(builder_write(&b, plan->view.weight_bytes, buffer_write, &bytes, &error));
    buffer_append(&bytes, plan->view.weights, plan->view.weight_bytes);
    GOOD(kiln_plan_open_memory((kiln_span){bytes.data, bytes.size}, NULL, &changed, &error));
    ck_assert_uint_eq(changed->header.optional_count, 2);
    ck_assert(kiln_plan_find_section(changed, "answers", &found));
    ck_assert_uint_eq(found.size, 5);
    ck_assert_str_eq(found.data, "anew");
    ck_assert(kiln_plan_find_section(changed, "12345678", &found));
    ck_assert_mem_eq(found.data, more, sizeof more);
    kiln_plan_close(changed);
    builder_optional(&b, "12345678", (kiln_span){NULL, 0});
    bytes.size = 0;
    builder_lay_out(&b);
    GOOD(builder_write(&b, plan->view.weight_bytes, buffer_write, &bytes, &error));
    buffer_append(&bytes, plan->view.weights, plan->view.weight_bytes);
    GOOD(kiln_plan_open_memory((kiln_span){bytes.data, bytes.size}, NULL, &changed, &error));
    ck_assert(kiln_plan_find_section(changed, "answers", &found));
    ck_assert(!kiln_plan_find_section(changed, "12345678", &found));
    kiln_plan_close(changed);
    buffer_free(&bytes);
    builder_free(&b);
    kiln_plan_close(plan);
}
END_TEST

START_TEST(unknown_sections_survive_cutting) {
    kiln_plan *plan = NULL, *cut = NULL, *again = NULL;
    add_optional(&file);
    GOOD(open_bytes(&file, &plan));
    GOOD(kiln_plan_cut(plan, NULL, &cut, &error));
    ck_has_optional(cut);
    GOOD(kiln_plan_cut(cut, NULL, &again, &error));
    ck_has_optional(again);
    kiln_plan_close(again);
    kiln_plan_close(cut);
    kiln_plan_close(plan);
}
END_TEST

/* In memory and in a file; and when the trained plan is trained on. */
START_TEST(unknown_sections_survive_training) {
    kiln_plan *plan = NULL, *trained = NULL;
    kiln_train_options options;
    add_optional(&file);
    GOOD(open_bytes(&file, &plan));
    for (int round = 0; round < 2; round++) {
        static const char *const names[CLASSES] = {"ann", "bob", "cem"};
        static float sample[3 * SIDE * SIDE];
        kiln_trainer *trainer = NULL;
        kiln_train_options_init(&options);
        options.class_count = CLASSES;
        options.class_names = names;
        options.epochs = 1;
        GOOD(kiln_trainer_create(plan, &options, &trainer, &error));
        for (uint32_t k = 0; k < 3 * CLASSES; k++) {
            sample[k] = 1;
            GOOD(kiln_trainer_add_sample(trainer, KILN_TRAINING, (kiln_span){sample, sizeof sample},
                                         k % CLASSES, &error));
        }
        GOOD(kiln_trainer_fit(trainer, NULL, &error));
        GOOD(kiln_trainer_attach(trainer, "attached", (kiln_span){"an old one", 11}, &error));
        GOOD(kiln_trainer_attach(trainer, "attached", (kiln_span){"new", 4}, &error));
        ck_assert_int_eq(kiln_trainer_attach(trainer, "123456789", (kiln_span){"", 1}, &error),
                         KILN_ERROR_ARGUMENT);
        GOOD(kiln_trainer_save(trainer, path, &error));
        GOOD(kiln_plan_open(path, NULL, &trained, &error));
        ck_has_optional(trained);
        kiln_span found;
        ck_assert(kiln_plan_find_section(trained, "attached", &found));
        ck_assert_uint_eq(found.size, 4);
        ck_assert_str_eq(found.data, "new");
        kiln_trainer_destroy(trainer);
        kiln_plan_close(plan);
        plan = trained;
    }
    kiln_plan_close(plan);
}
END_TEST

START_TEST(unknown_sections_survive_tuning) {
    kiln_plan *plan = NULL;
    add_optional(&file);
    GOOD(open_bytes(&file, &plan));
    kiln_plan *variant = tuned(plan);
    ck_has_optional(variant);
    kiln_plan_close(variant);
    kiln_plan_close(plan);
}
END_TEST

/* Every byte of the records and contents counts; and there are as many as the header says. */
START_TEST(damaged_optional_sections_are_refused) {
    kiln_plan *plan = NULL;
    size_t first = add_optional(&file), end = first + sizeof(kiln_plan_optional) + sizeof answers;
    for (size_t at = first; at < end; at++) {
        file.data[at] ^= 1;
        ck_assert_int_eq(open_bytes(&file, &plan), KILN_ERROR_FORMAT);
        ck_assert_msg(strstr(error.message, "optional section 0") != NULL, "%s", error.message);
        file.data[at] ^= 1;
    }
    kiln_plan_header h = header_of(&file);
    h.optional_count = 3;
    set_header(&file, h);
    ck_assert_int_eq(open_bytes(&file, &plan), KILN_ERROR_FORMAT);
    h.optional_count = UINT32_MAX;
    set_header(&file, h);
    ck_assert_int_eq(open_bytes(&file, &plan), KILN_ERROR_FORMAT);
    h.optional_count = 1;
    set_header(&file, h);
    GOOD(open_bytes(&file, &plan));
    kiln_plan_close(plan);
}
END_TEST

/* Sealed, but longer than the file, or so long that it lies over the weights. */
START_TEST(oversized_optional_sections_are_refused) {
    static const uint64_t sizes[] = {UINT64_MAX, UINT64_MAX - 31, UINT64_MAX - 64, 1 << 20, 20000};
    kiln_plan *plan = NULL;
    size_t first = add_optional(&file);
    for (size_t k = 0; k < sizeof sizes / sizeof *sizes; k++) {
        kiln_plan_optional record;
        uint64_t room = file.size - first - sizeof record;
        memcpy(&record, file.data + first, sizeof record);
        record.bytes = sizes[k];
        record.checksum = XXH3_64bits(file.data + first + sizeof record,
                                      (size_t)(sizes[k] < room ? sizes[k] : room));
        record.record_checksum =
            XXH3_64bits(&record, offsetof(kiln_plan_optional, record_checksum));
        memcpy(file.data + first, &record, sizeof record);
        kiln_plan_header h = header_of(&file);
        h.optional_count = 1;
        set_header(&file, h);
        ck_assert_int_eq(open_bytes(&file, &plan), KILN_ERROR_FORMAT);
    }
}
END_TEST

int main(void) {
    const suite_test tests[] = {
        TEST("version", reads_the_version_before),
        TEST("version", tuning_brings_up_to_date),
        EACH("version", refuses_other_versions_in_words, other_versions),
        TEST("version", damage_to_an_older_header_shows),
        TEST("version", unknown_kernels_are_named),
        TEST("version", unknown_flags_are_refused),
        TEST("version", cutting_wants_an_output),
        TEST("optional", unknown_sections_are_passed_over),
        TEST("optional", the_builder_writes_optional_sections),
        TEST("optional", the_builder_replaces_optional_sections),
        TEST("optional", unknown_sections_survive_cutting),
        TEST("optional", unknown_sections_survive_training),
        TEST("optional", unknown_sections_survive_tuning),
        TEST("optional", damaged_optional_sections_are_refused),
        TEST("optional", oversized_optional_sections_are_refused),
    };
    return SUITE("plan_format", tests, .begin = make_plan, .end = remove_plan);
}
