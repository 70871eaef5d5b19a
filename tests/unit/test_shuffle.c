/* The order of an epoch's samples, in windows where they are many. */
#include "runtime/train/trainer.h"
#include "tests/unit/suite.h"
#include "tests/unit/trainer_samples.h"

#define ROW (FEATURES * sizeof(float))
enum { TRAINING = 300 };

static kiln_trainer *trainer;

static kiln_trainer *make_of(uint64_t shuffle_bytes, uint32_t threads) {
    kiln_train_options o = raw_options("softmax");
    o.shuffle_bytes = shuffle_bytes;
    o.threads = threads;
    return make_trainer(NULL, &o, TRAINING);
}

static void make(uint64_t shuffle_bytes) {
    trainer = make_of(shuffle_bytes, 1);
    GOOD(samples_reserve(trainer, &error));
    samples_take_split(trainer);
}

static void leave(void) {
    kiln_trainer_destroy(trainer);
    trainer = NULL;
}

static void expect_all_once(const uint32_t *order, size_t count) {
    bool seen[SAMPLES] = {false};
    for (size_t k = 0; k < count; k++) {
        ck_assert_uint_lt(order[k], count);
        ck_assert(!seen[order[k]]);
        seen[order[k]] = true;
    }
}

/* All that fit are shuffled together, as where there is no limit. */
START_TEST(what_fits_is_shuffled_together) {
    static const uint64_t limits[] = {0, TRAINING * ROW, UINT64_MAX};
    uint32_t expected[TRAINING];
    make(limits[_i]);
    random_order(11, 77, expected, TRAINING);
    GOOD(shuffle_samples(trainer, 77, &error));
    ck_assert_mem_eq(trainer->order, expected, sizeof expected);
    ck_assert_uint_eq(trainer->shuffle.window_count, 0);
}
END_TEST

static bool is_sample(const float *row, uint32_t sample) {
    size_t same = 0;
    while (same < FEATURES && row[same] == samples[sample][same]) {
        same++;
    }
    return same == FEATURES;
}

/* In the order in which an epoch sees them. */
static void see_all(uint64_t stream, uint32_t seen[TRAINING]) {
    GOOD(shuffle_samples(trainer, stream, &error));
    for (size_t first = 0; first < TRAINING; first += BATCH) {
        size_t count = TRAINING - first < BATCH ? TRAINING - first : BATCH;
        shuffle_gather(trainer, first, count);
        for (size_t n = 0; n < count; n++) { /* which one it is, its features tell */
            const float *row = trainer->batch + n * FEATURES;
            uint32_t sample = 0;
            while (!is_sample(row, sample)) {
                sample++;
                ck_assert_uint_lt(sample, TRAINING);
            }
            ck_assert_uint_eq(trainer->batch_labels[n], labels[sample]);
            seen[first + n] = sample;
        }
    }
}

/* Windows that fill the memory, made of blocks of consecutive samples, in no order. */
START_TEST(windows_are_made_of_blocks) {
    static const uint64_t limits[] = {TRAINING * ROW - 1, 64 * ROW, 200 * ROW, 10 * ROW, 1};
    uint32_t seen[TRAINING];
    make(limits[_i]);
    see_all(77, seen);
    const shuffle *s = &trainer->shuffle;
    expect_all_once(seen, TRAINING);
    ck_assert_uint_ge(s->window_count, 2);
    ck_assert_uint_eq(s->filled, s->window_count);
    size_t in_order = 0;
    for (size_t w = 0; w < s->window_count; w++) {
        size_t begin = s->begins[w], end = s->begins[w + 1], most = (size_t)(limits[_i] / ROW);
        ck_assert_uint_le(end - begin, most > s->block_samples ? most : s->block_samples);
        for (size_t k = begin; k < end; k++) { /* a sample's block is there wholly */
            size_t block = seen[k] / s->block_samples, there = 0;
            for (size_t j = begin; j < end; j++) {
                there += seen[j] / s->block_samples == block;
            }
            size_t left = TRAINING - block * s->block_samples;
            ck_assert_uint_eq(there, left < s->block_samples ? left : s->block_samples);
            in_order += k > begin && seen[k] == seen[k - 1] + 1;
        }
    }
    ck_assert_uint_lt(in_order, TRAINING / 10);
}
END_TEST

START_TEST(orders_follow_from_the_seed) {
    uint32_t first[TRAINING], seen[TRAINING];
    make(64 * ROW);
    see_all(77, first);
    see_all(78, seen);
    ck_assert(memcmp(first, seen, sizeof first) != 0);
    see_all(77, seen);
    ck_assert_mem_eq(first, seen, sizeof first);
}
END_TEST

static float final_loss(uint64_t shuffle_bytes, uint32_t threads) {
    const kiln_epoch *history;
    trainer = make_of(shuffle_bytes, threads);
    GOOD(kiln_trainer_fit(trainer, NULL, &error));
    size_t count = kiln_trainer_history(trainer, &history);
    float loss = history[count - 1].validation_loss;
    leave();
    return loss;
}

START_TEST(training_is_the_same_each_time) {
    float together = final_loss(0, 1), windows = final_loss(64 * ROW, 1);
    ck_assert_float_eq(final_loss(TRAINING * ROW, 1), together);
    ck_assert_float_eq(final_loss(64 * ROW, 1), windows);
    ck_assert_float_eq(final_loss(64 * ROW, 2), windows);
    ck_assert_float_ne(windows, together);
    ck_assert_float_eq_tol(windows, together, 0.05f);
}
END_TEST

int main(void) {
    const suite_test tests[] = {
        LOOP("order", what_fits_is_shuffled_together, 0, 3),
        LOOP("order", windows_are_made_of_blocks, 0, 5),
        TEST("order", orders_follow_from_the_seed),
        TEST("training", training_is_the_same_each_time),
    };
    return SUITE("shuffle", tests, .once = make_samples, .end = leave);
}
