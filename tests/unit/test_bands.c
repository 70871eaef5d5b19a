/* Bands from end to end: random small networks compiled to use as little memory as can be, and
 * without bands, must give the same. And each way in which a plan's bands can be damaged. */
#include "tests/unit/forms.h"
#include "tests/unit/suite.h"

#define XXH_INLINE_ALL
#include <stdio.h>
#include <unistd.h>
#include <xxhash.h>

static char paths[2][40] = {"/tmp/kiln-bands-XXXXXX", "/tmp/kiln-bands-XXXXXX"};

/* ---- Networks -------------------------------------------------------------------------------- */

static tensor *activate(network *n, tensor *x) {
    return random_below(&n->state, 2) == 0 ? network_apply(n, "Relu", 1, &x, NULL) : x;
}

/* Of the same size where `same`. */
static tensor *some_convolution(network *n, tensor *x, int64_t outputs, bool same) {
    static const int64_t kernels[] = {1, 3, 3, 3, 5};
    int64_t kernel = kernels[random_below(&n->state, 5)];
    int64_t stride = same || random_below(&n->state, 3) != 0 ? 1 : 2;
    network_conv c = {outputs, kernel, kernel, {stride, stride},
                      {1, 1},  {0},    1,      random_below(&n->state, 2) == 0};
    if (outputs == x->dims[1] && random_below(&n->state, 4) == 0) {
        c.groups = outputs;
    }
    for (int k = 0; k < 4; k++) {
        c.pads[k] = same ? kernel / 2 : random_below(&n->state, (uint32_t)kernel);
    }
    return network_convolve(n, x, &c);
}

/* A pooling, which may leave rows out. */
static tensor *some_pooling(network *n, tensor *x) {
    int64_t kernel = 2 + random_below(&n->state, 2), stride = 1 + random_below(&n->state, 2);
    int64_t pad = random_below(&n->state, 2);
    node *made;
    tensor *y =
        network_apply(n, random_below(&n->state, 2) == 0 ? "MaxPool" : "AveragePool", 1, &x, &made);
    network_window(n, made, kernel, kernel, (int64_t[]){stride, stride},
                   (int64_t[]){pad, pad, 0, pad});
    ck_assert_msg(graph_infer_node(n->g, made) == KILN_OK, "%s", network_error.message);
    return y;
}

/* x + f(x) with f of `depth` convolutions. */
static tensor *some_residual(network *n, tensor *x) {
    tensor *y = x;
    uint32_t depth = 1 + random_below(&n->state, 3);
    for (uint32_t k = 0; k < depth; k++) {
        bool last = k + 1 == depth;
        y = some_convolution(n, y, last ? x->dims[1] : 1 + random_below(&n->state, 24), true);
        y = last ? y : activate(n, y);
    }
    bool swapped = random_below(&n->state, 2) == 0;
    y = network_apply(n, "Add", 2, (tensor *[]){swapped ? x : y, swapped ? y : x}, NULL);
    return activate(n, y);
}

/* Two branches side by side, or the input beside a branch of it. */
static tensor *some_concatenation(network *n, tensor *x) {
    tensor *a = random_below(&n->state, 2) == 0 ? x : activate(n, some_convolution(n, x, 5, true));
    tensor *b = activate(n, some_convolution(n, x, 3 + random_below(&n->state, 9), true));
    node *made;
    tensor *y = network_apply(n, "Concat", 2, (tensor *[]){a, b}, &made);
    (void)node_set_int(n->g, made, "axis", 1);
    ck_assert_int_eq(graph_infer_node(n->g, made), KILN_OK);
    return y;
}

static tensor *some_block(network *n, tensor *x) {
    switch (random_below(&n->state, 8)) {
    case 0:
    case 1:
        return some_residual(n, x);
    case 2:
        return some_concatenation(n, x);
    case 3:
        return x->dims[2] > 6 && x->dims[3] > 6 ? some_pooling(n, x) : x;
    default:
        return activate(n, x->dims[2] > 8 && x->dims[3] > 8
                               ? some_convolution(n, x, 1 + random_below(&n->state, 40), false)
                               : some_residual(n, x));
    }
}

/* Ends in an average over each channel, so that the last image is no output itself; now and then
 * an image from the middle is an output, too. */
static void make_network(network *n, uint64_t seed) {
    network_begin(n, seed);
    int64_t height = 12 + random_below(&n->state, 40), width = 8 + random_below(&n->state, 10);
    tensor *y = network_input(n, 1 + random_below(&n->state, 6), height, width);
    uint32_t blocks = 2 + random_below(&n->state, 6);
    for (uint32_t k = 0; k < blocks; k++) {
        y = some_block(n, y);
        if (k > 0 && k + 1 < blocks && n->output_count == 0 && !y->is_input &&
            random_below(&n->state, 6) == 0) {
            network_output(n, y);
        }
    }
    if (y->is_input || y->is_output) {
        y = some_convolution(n, y, 4, true);
    }
    tensor *mean = network_apply(n, "GlobalAveragePool", 1, &y, NULL);
    network_output(
        n, random_below(&n->state, 2) == 0 ? mean : activate(n, some_convolution(n, y, 3, true)));
}

enum { TOWER_SEED = 5 };

/* Convolutions of 3x3 one after the other, then an average. */
static void make_tower(network *n, int64_t height, int64_t width, int layers, int64_t channels) {
    network_begin(n, TOWER_SEED);
    tensor *y = network_input(n, 3, height, width);
    for (int k = 0; k < layers; k++) {
        network_conv c = {channels, 3, 3, {1, 1}, {1, 1}, {1, 1, 1, 1}, 1, true};
        y = network_convolve(n, y, &c);
    }
    network_output(n, network_apply(n, "GlobalAveragePool", 1, &y, NULL));
}

/* ---- Comparing ------------------------------------------------------------------------------- */

static kiln_plan *compile_network(network *n, uint64_t seed, kiln_memory memory,
                                  kiln_convolution convolution, const char *path) {
    kiln_plan *plan = NULL;
    kiln_compile_options options;
    kiln_compile_options_init(&options);
    options.memory = memory;
    options.convolution = convolution;
    ck_assert_msg(network_write(n, &options, path) == KILN_OK, "seed %llu: %s",
                  (unsigned long long)seed, network_error.message);
    ck_assert_msg(kiln_plan_open(path, NULL, &plan, &network_error) == KILN_OK, "%s",
                  network_error.message);
    return plan;
}

static kiln_plan *compile_as(uint64_t seed, kiln_memory memory, kiln_convolution convolution,
                             const char *path) {
    network n;
    make_network(&n, seed);
    return compile_network(&n, seed, memory, convolution, path);
}

/* At the batches from `most` down to `least`. */
static void compare(kiln_plan *const plans[2], uint64_t seed, uint32_t threads, uint32_t most,
                    uint32_t least) {
    network_values in = network_noise(plans[0], 3, seed);
    kiln_session *sessions[2];
    for (size_t k = 0; k < 2; k++) {
        sessions[k] = network_session(plans[k], threads, 3);
    }
    for (uint32_t batch = most; batch >= least; batch--) {
        network_values banded = network_run(plans[0], sessions[0], batch, &in);
        network_values whole = network_run(plans[1], sessions[1], batch, &in);
        for (size_t k = 0; k < kiln_plan_output_count(plans[0]); k++) {
            double d = network_difference(banded.data[k], whole.data[k], whole.count[k]);
            ck_assert_msg(d < 1e-5, "seed %llu, batch %u, %u threads: output %zu differs by %g",
                          (unsigned long long)seed, batch, threads, k, d);
        }
        network_free_values(&banded);
        network_free_values(&whole);
    }
    kiln_session_destroy(sessions[0]);
    kiln_session_destroy(sessions[1]);
    network_free_values(&in);
}

static size_t count_bands(const kiln_plan *plan) {
    kiln_plan_view view;
    kiln_plan_inspect(plan, &view);
    return view.band_count;
}

enum { NETWORKS = 8 };

START_TEST(bands_change_nothing) {
    static const kiln_convolution ways[] = {
        KILN_CONVOLUTION_AUTO, KILN_CONVOLUTION_EXACT, KILN_CONVOLUTION_WINOGRAD_2,
        KILN_CONVOLUTION_WINOGRAD_4, KILN_CONVOLUTION_WINOGRAD_6};
    size_t bands = 0;
    for (uint64_t k = 0; k < NETWORKS; k++) {
        uint64_t seed = (uint64_t)_i * NETWORKS + k;
        kiln_plan *plans[2] = {compile_as(seed, KILN_MEMORY_MIN, ways[_i % 5], paths[0]),
                               compile_as(seed, KILN_MEMORY_SPEED, ways[_i % 5], paths[1])};
        bands += count_bands(plans[0]);
        ck_assert_uint_eq(count_bands(plans[1]), 0);
        uint32_t batch = 1 + (uint32_t)k % 3;
        compare(plans, seed, 1, 3, 1);
        compare(plans, seed, 2, batch, batch);
        kiln_plan_close(plans[0]);
        kiln_plan_close(plans[1]);
    }
    ck_assert_uint_gt(bands, 0);
}
END_TEST

/* Winograd's tiles, so many in a row that the first stripe, the largest, has strips for each
 * thread, and later stripes have not; and products whose windows are read where they lie. */
static kiln_plan *wide_plan(kiln_memory memory, kiln_convolution way, const char *path) {
    network n;
    make_tower(&n, 48, 64, 4, 40);
    return compile_network(&n, TOWER_SEED, memory, way, path);
}

static const kiln_convolution wide_ways[] = {KILN_CONVOLUTION_WINOGRAD_2, KILN_CONVOLUTION_EXACT};

START_TEST(small_stripes_are_shared) {
    kiln_plan *plans[2] = {wide_plan(KILN_MEMORY_MIN, wide_ways[_i], paths[0]),
                           wide_plan(KILN_MEMORY_SPEED, wide_ways[_i], paths[1])};
    ck_assert_uint_gt(count_bands(plans[0]), 0);
    for (uint32_t threads = 1; threads <= 4; threads++) {
        compare(plans, TOWER_SEED, threads, threads > 2 ? 1 : 3, 1);
    }
    kiln_plan_close(plans[0]);
    kiln_plan_close(plans[1]);
}
END_TEST

/* Linear layers on a map, channels last, with a function in between, and the sum with what goes by
 * them: what the second one reads is a view of what the first one writes. */
static kiln_plan *linear_plan(kiln_memory memory, const char *path) {
    network n;
    network_begin(&n, TOWER_SEED);
    tensor *x = form_pointwise(&n, network_input(&n, 4, 48, 20), 16);
    tensor *y = form_linear(&n, MOVED(&n, x, 0, 2, 3, 1), 64);
    y = form_linear(&n, APPLY(&n, "Tanh", y), 16);
    y = APPLY(&n, "Add", x, MOVED(&n, y, 0, 3, 1, 2));
    network_output(&n, APPLY(&n, "GlobalAveragePool", y));
    return compile_network(&n, TOWER_SEED, memory, KILN_CONVOLUTION_AUTO, path);
}

START_TEST(views_do_not_hide_who_writes) {
    kiln_plan *plans[2] = {linear_plan(KILN_MEMORY_MIN, paths[0]),
                           linear_plan(KILN_MEMORY_SPEED, paths[1])};
    ck_assert_uint_gt(count_bands(plans[0]), 0);
    compare(plans, TOWER_SEED, 1, 3, 1);
    compare(plans, TOWER_SEED, 2, 3, 1);
    kiln_plan_close(plans[0]);
    kiln_plan_close(plans[1]);
}
END_TEST

/* ---- Damage ---------------------------------------------------------------------------------- */

#define LAYERS 40

/* A plan's bytes, to be changed, and records in them. */
typedef struct bytes {
    uint8_t *data;
    size_t size;
    kiln_plan_header *header;
    kiln_plan_band *bands;
    kiln_plan_step *steps;
    size_t band_count, step_count;
} bytes;

static void *section(const bytes *b, kiln_plan_section_kind kind) {
    return b->data + b->header->sections[kind].offset;
}

static bytes copy_of(const void *data, size_t size) {
    bytes b = {.data = aligned_alloc(64, (size + 63) / 64 * 64), .size = size};
    ck_assert_ptr_nonnull(b.data);
    memcpy(b.data, data, size);
    b.header = (void *)b.data;
    b.bands = section(&b, KILN_SECTION_BANDS);
    b.steps = section(&b, KILN_SECTION_STEPS);
    b.band_count = (size_t)b.header->sections[KILN_SECTION_BANDS].bytes / sizeof *b.bands;
    b.step_count = (size_t)b.header->sections[KILN_SECTION_STEPS].bytes / sizeof *b.steps;
    return b;
}

/* A band or more, which end before the average. */
static bytes banded_plan(void) {
    network n;
    kiln_plan_view view;
    make_tower(&n, 64, 16, LAYERS, 8);
    kiln_plan *plan =
        compile_network(&n, TOWER_SEED, KILN_MEMORY_MIN, KILN_CONVOLUTION_AUTO, paths[0]);
    kiln_plan_inspect(plan, &view);
    bytes b = copy_of(view.header, (size_t)view.header->file_bytes);
    kiln_plan_close(plan);
    return b;
}

static kiln_plan_tensor_record *output_of(const bytes *b, size_t step) {
    const uint32_t *operands = section(b, KILN_SECTION_OPERANDS);
    kiln_plan_tensor_record *tensors = section(b, KILN_SECTION_TENSORS);
    return &tensors[operands[b->steps[step].first_operand + b->steps[step].input_count]];
}

/* What the first step of the first band writes, with rolling rows. */
static kiln_plan_tensor_record *first_rolling(const bytes *b) {
    kiln_plan_tensor_record *y = output_of(b, b->bands[0].first_step);
    ck_assert_uint_gt(y->rolling_rows, 1);
    return y;
}

static void without_rows(bytes *b) {
    b->bands[0].rows = 0;
}

static void of_one_step(bytes *b) {
    b->bands[0].last_step = b->bands[0].first_step;
}

static void of_too_many_steps(bytes *b) {
    b->bands[0].last_step = b->bands[0].first_step + KILN_BAND_STEPS;
    ck_assert_uint_lt(b->bands[0].last_step, b->step_count);
}

static void past_the_last_step(bytes *b) {
    kiln_plan_band *last = &b->bands[b->band_count - 1];
    last->first_step = (uint32_t)b->step_count - 1;
    last->last_step = (uint32_t)b->step_count;
}

/* One more record, where there are unused bytes before the weights. */
static void into_the_next(bytes *b) {
    kiln_plan_section *sections = b->header->sections;
    sections[KILN_SECTION_BANDS].bytes += sizeof *b->bands;
    ck_assert_uint_le(sections[KILN_SECTION_BANDS].offset + sections[KILN_SECTION_BANDS].bytes,
                      sections[KILN_SECTION_WEIGHTS].offset);
    uint32_t last = b->bands[b->band_count - 1].last_step;
    b->bands[b->band_count] = (kiln_plan_band){last, last + 1, 1, 0};
}

static void with_too_few_rolling_rows(bytes *b) {
    first_rolling(b)->rolling_rows--;
}

static void without_a_step_that_writes(bytes *b) {
    b->bands[0].first_step++;
}

static void without_a_step_that_reads(bytes *b) {
    b->bands[0].last_step--;
}

static void with_a_step_of_whole_images(bytes *b) {
    kiln_plan_step *step = &b->steps[b->bands[0].last_step];
    ck_assert_int_eq(step->kernel, KILN_KERNEL_CONV_2D);
    uint8_t *params = section(b, KILN_SECTION_PARAMS);
    ((kiln_conv_params *)(void *)(params + step->params_offset))->algorithm = KILN_CONV_DIRECT;
}

static void with_memory_that_ends_early(bytes *b) {
    kiln_plan_storage *storages = section(b, KILN_SECTION_STORAGES);
    ck_assert_uint_gt(b->bands[0].last_step, b->bands[0].first_step + 1);
    storages[first_rolling(b)->storage].last_step = b->bands[0].first_step + 1;
}

static const struct {
    void (*harm)(bytes *b);
    const char *message;
} damages[] = {
    {without_rows, "damaged plan: band 0"},
    {of_one_step, "damaged plan: band 0"},
    {of_too_many_steps, "damaged plan: band 0"},
    {past_the_last_step, "damaged plan: band "},
    {into_the_next, "damaged plan: band "},
    {with_too_few_rolling_rows, "its rolling rows are too few"},
    {without_a_step_that_writes, "rolling rows are used outside their band"},
    {without_a_step_that_reads, "rolling rows are used outside their band"},
    {with_a_step_of_whole_images, "a step that cannot be run in stripes"},
    {with_memory_that_ends_early, "a storage is in use for a part of it"},
};

/* As someone would who means harm. */
static void make_checksums_right(bytes *b) {
    for (int k = 0; k < KILN_SECTION_WEIGHTS; k++) {
        kiln_plan_section *s = &b->header->sections[k];
        s->checksum = XXH3_64bits(b->data + s->offset, (size_t)s->bytes);
    }
    b->header->checksum = XXH3_64bits(b->header, offsetof(kiln_plan_header, checksum));
}

START_TEST(damaged_bands_are_refused) {
    bytes sound = banded_plan(), b = copy_of(sound.data, sound.size);
    kiln_plan *plan = NULL;
    make_checksums_right(&b);
    ck_assert_int_eq(
        kiln_plan_open_memory((kiln_span){b.data, b.size}, NULL, &plan, &network_error), KILN_OK);
    kiln_plan_close(plan);
    damages[_i].harm(&b);
    make_checksums_right(&b);
    ck_assert_int_eq(
        kiln_plan_open_memory((kiln_span){b.data, b.size}, NULL, &plan, &network_error),
        KILN_ERROR_FORMAT);
    ck_assert_msg(strstr(network_error.message, damages[_i].message) != NULL, "%s",
                  network_error.message);
    free(sound.data);
    free(b.data);
}
END_TEST

int main(void) {
    for (size_t k = 0; k < 2; k++) {
        int file = mkstemp(paths[k]);
        if (file < 0 || close(file) != 0) {
            return EXIT_FAILURE;
        }
    }
    const suite_test tests[] = {
        LOOP("results", bands_change_nothing, 0, 5),
        EACH("results", small_stripes_are_shared, wide_ways),
        TEST("results", views_do_not_hide_who_writes),
        EACH("damage", damaged_bands_are_refused, damages),
    };
    int failed = SUITE("bands", tests);
    (void)unlink(paths[0]);
    (void)unlink(paths[1]);
    return failed;
}
