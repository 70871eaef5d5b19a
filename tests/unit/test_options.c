/* Structs of options by their size: apps that were compiled with another version's headers. */
#include "tests/unit/network.h"
#include "tests/unit/suite.h"
#include <kiln/compile.h>
#include <kiln/namer.h>
#include <kiln/train.h>
#include <kiln/tune.h>

#include <stdalign.h>
#include <sys/mman.h>
#include <unistd.h>

enum { SIDE = 8 };

static char path[32];
static kiln_error error;
static kiln_plan *plan;
/* The end of what may be read: options that lie before it are not read past their size. */
static unsigned char *page, *page_end;

static void begin(void) {
    network n;
    network_begin(&n, 1);
    tensor *x = network_input(&n, 3, SIDE, SIDE);
    network_output(&n, network_apply(&n, "Flatten", 1, (tensor *[]){x}, NULL));
    close(mkstemp(strcpy(path, "/tmp/kiln-options-XXXXXX")));
    network_save(&n, NULL, path);
    ck_assert_int_eq(kiln_plan_open(path, NULL, &plan, &error), KILN_OK);
    size_t bytes = (size_t)sysconf(_SC_PAGESIZE);
    page = mmap(NULL, 2 * bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    ck_assert_ptr_ne(page, MAP_FAILED);
    page_end = page + bytes;
    ck_assert_int_eq(mprotect(page_end, bytes, PROT_NONE), 0);
}

static void end(void) {
    kiln_plan_close(plan);
    munmap(page, 2 * (size_t)(page_end - page));
    unlink(path);
}

/* ---- Every function that takes options ------------------------------------------------------- */

static kiln_status open_path(const void *options) {
    kiln_plan *opened = NULL;
    kiln_status status = kiln_plan_open(path, options, &opened, &error);
    kiln_plan_close(opened);
    return status;
}

static kiln_status open_memory(const void *options) {
    static alignas(64) unsigned char bytes[1 << 20];
    kiln_plan *opened = NULL;
    FILE *file = fopen(path, "rb");
    size_t size = fread(bytes, 1, sizeof bytes, file);
    fclose(file);
    kiln_status status = kiln_plan_open_memory((kiln_span){bytes, size}, options, &opened, &error);
    kiln_plan_close(opened);
    return status;
}

static kiln_status create_session(const void *options) {
    kiln_session *session = NULL;
    kiln_status status = kiln_session_create(plan, options, &session, &error);
    kiln_session_destroy(session);
    return status;
}

static kiln_status memory(const void *options) {
    kiln_memory_use use;
    return kiln_plan_memory(plan, options, &use, &error);
}

static kiln_status tune(const void *options) {
    return kiln_tune(path, NULL, options, NULL, &error);
}

static kiln_status create_trainer(const void *options) {
    kiln_trainer *trainer = NULL;
    kiln_status status = kiln_trainer_create(NULL, options, &trainer, &error);
    kiln_trainer_destroy(trainer);
    return status;
}

/* Those whose other arguments are no good: what they say of them shows that options were taken. */
static kiln_status other_error(kiln_status status, kiln_status expected) {
    return status == expected ? KILN_OK : status;
}

static kiln_status compile(const void *options) {
    return other_error(
        kiln_compile("/nowhere.onnx", "/tmp/kiln-nothing.plan", options, NULL, &error),
        KILN_ERROR_IO);
}

static kiln_status verify(const void *options) {
    return other_error(kiln_verify("/nowhere.onnx", options, NULL, &error), KILN_ERROR_IO);
}

static kiln_status verify_compiling(const void *options) {
    const kiln_verify_options outer = {.size = sizeof outer, .compile = options};
    return verify(&outer);
}

/* The plan is no detector; where the options are wrong, that is told, not this. */
static kiln_status create_detector(const void *options) {
    kiln_detector *detector;
    kiln_status status = kiln_detector_create(plan, options, &detector, &error);
    return strstr(error.message, "kiln_detector_options") == NULL
               ? other_error(status, KILN_ERROR_UNSUPPORTED)
               : status;
}

static kiln_status create_recogniser(const void *options) {
    kiln_recogniser *recogniser = NULL;
    kiln_status status = kiln_recogniser_create(NULL, plan, options, &recogniser, &error);
    kiln_recogniser_destroy(recogniser);
    return status;
}

static kiln_status open_namer(const void *options) {
    kiln_namer *namer;
    kiln_status status = kiln_namer_open(plan, options, &namer, &error);
    return strstr(error.message, "no face detector") != NULL
               ? other_error(status, KILN_ERROR_ARGUMENT)
               : status;
}

static const struct {
    const char *type;
    size_t size;
    size_t first; /* bytes of the size and the next member */
    kiln_status (*take)(const void *options);
} takers[] = {
#define TAKER(type, member, take)                                                                  \
    { #type, sizeof(type), offsetof(type, member), take }
    TAKER(kiln_plan_options, skip_weight_checksums, open_path),
    TAKER(kiln_plan_options, skip_weight_checksums, open_memory),
    TAKER(kiln_session_options, max_batch, create_session),
    TAKER(kiln_session_options, max_batch, memory),
    TAKER(kiln_tune_options, batch, tune),
    TAKER(kiln_train_options, preprocess, create_trainer),
    TAKER(kiln_compile_options, input_count, compile),
    TAKER(kiln_compile_options, input_count, verify_compiling),
    TAKER(kiln_verify_options, plan_path, verify),
    TAKER(kiln_detector_options, score, create_detector),
    TAKER(kiln_recogniser_options, preprocess, create_recogniser),
    TAKER(kiln_namer_options, faces, open_namer),
};

/* Options of `size` bytes that end where nothing may be read; zeros, but of a trainer. */
static void *options_of(int k, size_t size) {
    size_t room = (size + 7) / 8 * 8; /* aligned as structs are */
    unsigned char *options = page_end - room;
    memset(options, 0, room);
    memcpy(options, &size, sizeof size);
    if (strcmp(takers[k].type, "kiln_train_options") == 0) {
        kiln_train_options *o = (void *)options;
        kiln_train_defaults(o);
        o->class_count = 2;
        o->input_rank = 1;
        o->input_dims[0] = 3 * SIDE * SIDE;
    }
    return options;
}

START_TEST(an_earlier_versions_options_are_shorter) {
    ck_assert_msg(takers[_i].take(options_of(_i, takers[_i].first)) == KILN_OK, "%s: %s",
                  takers[_i].type, error.message);
    ck_assert_int_eq(takers[_i].take(options_of(_i, takers[_i].size)), KILN_OK);
}
END_TEST

START_TEST(a_later_versions_options_are_longer) {
    size_t size = takers[_i].size + 16;
    unsigned char *options = options_of(_i, size);
    ck_assert_msg(takers[_i].take(options) == KILN_OK, "%s: %s", takers[_i].type, error.message);
    options[size - 1] = 1;
    ck_assert_int_eq(takers[_i].take(options), KILN_ERROR_UNSUPPORTED);
    ck_assert_ptr_nonnull(strstr(error.message, takers[_i].type));
    ck_assert_ptr_nonnull(strstr(error.message, "does not know"));
}
END_TEST

START_TEST(a_size_that_nobody_has_set_is_refused) {
    static const size_t sizes[] = {0, 1, sizeof(size_t) - 1, 4097, SIZE_MAX};
    for (size_t k = 0; k < sizeof sizes / sizeof *sizes; k++) {
        unsigned char *options = options_of(_i, takers[_i].size);
        memcpy(options, &sizes[k], sizeof sizes[k]);
        ck_assert_int_eq(takers[_i].take(options), KILN_ERROR_ARGUMENT);
        ck_assert_ptr_nonnull(strstr(error.message, takers[_i].type));
        ck_assert_ptr_nonnull(strstr(error.message, "_init"));
    }
}
END_TEST

/* ---- What is in them ------------------------------------------------------------------------- */

START_TEST(members_that_are_there_count) {
    kiln_memory_use one, four;
    kiln_session_options *options = options_of(2, offsetof(kiln_session_options, memory_limit));
    ck_assert_int_eq(kiln_plan_memory(plan, options, &one, &error), KILN_OK);
    options->max_batch = 4;
    ck_assert_int_eq(kiln_plan_memory(plan, options, &four, &error), KILN_OK);
    ck_assert_uint_eq(four.arena_bytes, 4 * one.arena_bytes);
    kiln_session_options limited = {.size = sizeof limited, .memory_limit = 1};
    ck_assert_int_eq(create_session(&limited), KILN_ERROR_MEMORY);
    limited.size = offsetof(kiln_session_options, memory_limit);
    ck_assert_int_eq(create_session(&limited), KILN_OK);
}
END_TEST

START_TEST(unknown_choices_of_compiling_are_refused) {
    kiln_compile_options options;
    kiln_compile_options_init(&options);
    options.convolution = KILN_CONVOLUTION_COUNT;
    ck_assert_int_eq(kiln_compile("no.onnx", "/tmp/kiln-none.plan", &options, NULL, &error),
                     KILN_ERROR_ARGUMENT);
    ck_assert_ptr_nonnull(strstr(error.message, "no such kind"));
    options.convolution = KILN_CONVOLUTION_AUTO;
    options.memory = KILN_MEMORY_COUNT;
    ck_assert_int_eq(kiln_compile("no.onnx", "/tmp/kiln-none.plan", &options, NULL, &error),
                     KILN_ERROR_ARGUMENT);
    ck_assert_ptr_nonnull(strstr(error.message, "no such kind"));
}
END_TEST

START_TEST(defaults_of_training_stay_within_the_size) {
    size_t size = offsetof(kiln_train_options, optimizer);
    kiln_train_options o, whole;
    memset(&o, 0xAB, sizeof o);
    o.size = size;
    kiln_train_defaults(&o);
    kiln_train_options_init(&whole);
    ck_assert_uint_eq(whole.size, sizeof whole);
    ck_assert_uint_eq(o.size, size);
    ck_assert_uint_eq(o.head.count, 1);
    for (size_t k = size; k < sizeof o; k++) {
        ck_assert_uint_eq(((unsigned char *)&o)[k], 0xAB);
    }
}
END_TEST

START_TEST(callbacks_have_a_size_too) {
    kiln_trainer *trainer = NULL;
    kiln_train_options *options = options_of(5, sizeof(kiln_train_options));
    ck_assert_int_eq(kiln_trainer_create(NULL, options, &trainer, &error), KILN_OK);
    float features[3 * SIDE * SIDE] = {1};
    for (uint32_t label = 0; label < 2; label++) {
        features[0] = (float)label;
        ck_assert_int_eq(kiln_trainer_add_features(trainer, KILN_TRAINING, features, label, &error),
                         KILN_OK);
    }
    kiln_train_callbacks callbacks = {0};
    ck_assert_int_eq(kiln_trainer_fit(trainer, &callbacks, &error), KILN_ERROR_ARGUMENT);
    ck_assert_ptr_nonnull(strstr(error.message, "kiln_train_callbacks"));
    kiln_train_callbacks_init(&callbacks);
    ck_assert_int_eq(kiln_trainer_fit(trainer, &callbacks, &error), KILN_OK);
    kiln_trainer_destroy(trainer);
}
END_TEST

int main(void) {
    const suite_test tests[] = {
        EACH("sizes", an_earlier_versions_options_are_shorter, takers),
        EACH("sizes", a_later_versions_options_are_longer, takers),
        EACH("sizes", a_size_that_nobody_has_set_is_refused, takers),
        TEST("members", members_that_are_there_count),
        TEST("members", unknown_choices_of_compiling_are_refused),
        TEST("members", defaults_of_training_stay_within_the_size),
        TEST("members", callbacks_have_a_size_too),
    };
    return SUITE("options", tests, .begin = begin, .end = end);
}
