/* Optional sections that nobody knows are passed over, and are still there when a plan has been
 * cut, trained on or tuned. */
#include "tests/unit/plan_bytes.h"
#include <kiln/train.h>

enum { CLASSES = 3 };

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
        TEST("optional", unknown_sections_are_passed_over),
        TEST("optional", the_builder_writes_optional_sections),
        TEST("optional", the_builder_replaces_optional_sections),
        TEST("optional", unknown_sections_survive_cutting),
        TEST("optional", unknown_sections_survive_training),
        TEST("optional", unknown_sections_survive_tuning),
        TEST("optional", damaged_optional_sections_are_refused),
        TEST("optional", oversized_optional_sections_are_refused),
    };
    return SUITE("optional_sections", tests, .begin = make_plan, .end = remove_plan);
}
