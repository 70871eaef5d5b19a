/* Fuzz target: checkpoints of training; then training goes on. */
#include "tests/fuzz/fuzz.h"

#include <kiln/train.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

enum { NUMBERS = 5, EPOCHS = 3, SAMPLES = 8 };

static int stop(void *context, const kiln_epoch *epoch) {
    (void)context;
    (void)epoch;
    return 1;
}

/* After an epoch: what a resumed one does is bounded. */
static kiln_status fit(kiln_trainer *trainer, kiln_error *error) {
    const kiln_train_callbacks callbacks = {.size = sizeof callbacks, .epoch = stop};
    return kiln_trainer_fit(trainer, &callbacks, error);
}

static kiln_trainer *make_trainer(void) {
    kiln_train_options options;
    kiln_trainer *trainer = NULL;
    kiln_train_options_init(&options);
    options.class_count = 2;
    options.input_rank = 1;
    options.input_dims[0] = NUMBERS;
    options.epochs = EPOCHS;
    if (kiln_head_parse("3:relu,softmax", &options.head, NULL) != KILN_OK ||
        kiln_trainer_create(NULL, &options, &trainer, NULL) != KILN_OK) {
        exit(2);
    }
    for (uint32_t k = 0; k < SAMPLES; k++) {
        float sample[NUMBERS] = {(float)k, 1, -(float)k, 0.5f, 2};
        (void)kiln_trainer_add_sample(trainer, k < 6 ? KILN_TRAINING : KILN_VALIDATION,
                                      (kiln_span){sample, sizeof sample}, k % 2, NULL);
    }
    return trainer;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    kiln_trainer *trainer = make_trainer();
    kiln_error error = {0};
    if (kiln_trainer_resume(trainer, fuzz_file(data, size), &error) != KILN_OK) {
        fuzz_expect_message(&error);
    } else if (fit(trainer, &error) != KILN_OK) {
        fuzz_expect_message(&error);
    }
    kiln_trainer_destroy(trainer);
    return 0;
}

size_t fuzz_seed(size_t k, uint8_t *out, size_t room) {
    char path[64];
    snprintf(path, sizeof path, "%s/checkpoint", fuzz_folder());
    size_t size = fuzz_read(path, out, room);
    if (k > 0 || size > 0) {
        return k > 0 ? 0 : size;
    }
    kiln_trainer *trainer = make_trainer();
    bool good =
        fit(trainer, NULL) == KILN_OK && kiln_trainer_checkpoint(trainer, path, NULL) == KILN_OK;
    kiln_trainer_destroy(trainer);
    return good ? fuzz_read(path, out, room) : 0;
}

size_t fuzz_change(uint64_t *state, uint8_t *bytes, size_t size, size_t room) {
    (void)room;
    if (size < 32) {
        return size;
    }
    if (state == NULL) {
        uint64_t sum = XXH3_64bits(bytes, size - 8);
        memcpy(bytes + size - 8, &sum, sizeof sum);
        return size;
    }
    uint32_t word = fuzz_word(state); /* behind magic and fingerprint */
    memcpy(bytes + 16 + fuzz_random(state) % (size - 16 - 8 - 3), &word, sizeof word);
    return size;
}
