/* Fuzz target: what detectors compute, from scores and boxes to aligned faces. A file is a head,
 * then the numbers of the outputs, one after the other; what is missing is 0. */
#include "runtime/faces/detector.h"
#include "tests/fuzz/fuzz.h"

#include <math.h>

typedef struct head {
    uint8_t kind, flags;     /* of the network; what it has done itself */
    uint8_t format, turned;  /* of the image */
    uint16_t width, height;  /* likewise */
    float threshold, factor; /* of the detector */
} head;

/* Small networks of each family: the size of the input, then the outputs' dims. */
typedef struct kind {
    const detector_family *family;
    uint32_t side, count, dims[12][4]; /* rank 3, or 4 where the last is not 0 */
} kind;
static const kind kinds[] = {
    {&detector_scrfd,
     64,
     9,
     {{1, 2, 8, 8},
      {1, 2, 4, 4},
      {1, 2, 2, 2},
      {1, 8, 8, 8},
      {1, 8, 4, 4},
      {1, 8, 2, 2},
      {1, 20, 8, 8},
      {1, 20, 4, 4},
      {1, 20, 2, 2}}},
    {&detector_scrfd, 32, 6, {{1, 32, 1}, {1, 8, 1}, {1, 2, 1}, {1, 32, 4}, {1, 8, 4}, {1, 2, 4}}},
    {&detector_retinaface, 64, 3, {{1, 168, 4}, {1, 168, 2}, {1, 168, 10}}},
    {&detector_yunet,
     32,
     12,
     {{1, 16, 1},
      {1, 4, 1},
      {1, 1, 1},
      {1, 16, 1},
      {1, 4, 1},
      {1, 1, 1},
      {1, 16, 4},
      {1, 4, 4},
      {1, 1, 4},
      {1, 16, 10},
      {1, 4, 10},
      {1, 1, 10}}},
    {&detector_ultraface, 64, 2, {{1, 235, 2}, {1, 235, 4}}},
    {&detector_blazeface, 128, 2, {{1, 896, 16}, {1, 896, 1}}},
};
enum { KINDS = sizeof kinds / sizeof *kinds, MOST_NUMBERS = 896 * 17, IMAGE_SIDE = 96, CROP = 20 };

static float numbers[MOST_NUMBERS];
static uint8_t pixels[IMAGE_SIDE * IMAGE_SIDE * 4];

static void point_field(detector_field *field, const size_t *starts) {
    field->data = numbers + starts[field->output] + field->offset;
}

/* The layout of a kind, its fields over `numbers`; returns how many there are. */
static size_t make_layout(const kind *k, detector_layout *out) {
    size_t starts[DETECTOR_OUTPUTS] = {0}, end = 0;
    *out = (detector_layout){.width = k->side, .height = k->side, .output_count = k->count};
    for (uint32_t o = 0; o < k->count; o++) {
        kiln_tensor_info *t = &out->outputs[o];
        size_t elements = 1;
        t->rank = k->dims[o][3] != 0 ? 4 : 3;
        for (uint32_t d = 0; d < t->rank; d++) {
            t->dims[d] = k->dims[o][d];
            elements *= t->dims[d];
        }
        starts[o] = end;
        end += elements;
    }
    if (!k->family->recognise(out)) {
        abort();
    }
    for (uint32_t l = 0; l < out->level_count; l++) {
        point_field(&out->levels[l].scores, starts);
        point_field(&out->levels[l].objects, starts);
        point_field(&out->levels[l].boxes, starts);
        point_field(&out->levels[l].points, starts);
    }
    return end;
}

static void expect(bool holds, const char *what) {
    if (!holds) {
        fprintf(stderr, "a face %s\n", what);
        abort();
    }
}

static void check(const kiln_face *faces, size_t count) {
    for (size_t k = 0; k < count; k++) {
        const kiln_face *f = &faces[k];
        bool finite =
            isfinite(f->left) && isfinite(f->top) && isfinite(f->right) && isfinite(f->bottom);
        for (uint32_t p = 0; p < f->point_count; p++) {
            finite = finite && isfinite(f->points[p][0]) && isfinite(f->points[p][1]);
        }
        expect(finite, "is no numbers");
        expect(f->right > f->left && f->bottom > f->top, "has no extent");
        expect(f->score >= 0 && f->score <= 1, "has a score beyond 1");
        expect(k == 0 || f->score <= faces[k - 1].score, "is better than the one before");
    }
}

static void align(const head *h, const kiln_face *face) {
    static uint8_t crop[CROP * CROP * 3];
    kiln_error error = {0};
    uint32_t width = h->width % IMAGE_SIDE + 1, height = h->height % IMAGE_SIDE + 1;
    kiln_image image = {.format = (kiln_image_format)(h->format % KILN_IMAGE_GRAY + 1),
                        .width = width,
                        .height = height,
                        .pixels = pixels,
                        .stride = (size_t)width * 4,
                        .rotation = h->turned % 4 * 90,
                        .mirror = h->turned >= 128};
    if (kiln_face_crop(&image, face, CROP, CROP - 4, crop, &error) != KILN_OK) {
        fuzz_expect_message(&error);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static kiln_detector d;
    kiln_face faces[16];
    head h;
    if (size < sizeof h) {
        return 0;
    }
    memcpy(&h, data, sizeof h);
    const kind *k = &kinds[h.kind % KINDS];
    size_t bytes = make_layout(k, &d.layout) * sizeof *numbers, given = size - sizeof h;
    memset(numbers, 0, sizeof numbers);
    memcpy(numbers, data + sizeof h, given < bytes ? given : bytes);
    d.family = k->family;
    d.layout.sigmoid = h.flags & 1;
    d.layout.softmax = h.flags & 2;
    d.layout.exponential = h.flags & 4;
    d.info.score = h.threshold >= 0 && h.threshold <= 1 ? h.threshold : k->family->score;
    d.candidates.count = 0;
    d.candidates.seen = 0;
    double factor = h.factor > 1e-3F && h.factor < 1e3F ? (double)h.factor : 1;
    detector_collect(&d, &(detector_glance){{3, 5}, {factor, factor}});
    size_t count = candidates_suppress(&d.candidates, k->family->overlap, k->family->weighted,
                                       faces, sizeof faces / sizeof *faces);
    check(faces, count);
    for (size_t f = 0; f < count; f++) {
        align(&h, &faces[f]);
    }
    return 0;
}

/* ---- Seeds --------------------------------------------------------------------------------- */

/* Small offsets everywhere, and scores of which some are high. */
size_t fuzz_seed(size_t k, uint8_t *out, size_t room) {
    detector_layout layout;
    head h = {
        .kind = (uint8_t)k, .flags = 3, .width = 80, .height = 60, .threshold = -1, .factor = 1};
    if (k >= KINDS) {
        return 0;
    }
    size_t count = make_layout(&kinds[k], &layout), size = sizeof h + count * sizeof *numbers;
    uint64_t state = k + 1;
    for (size_t n = 0; n < count; n++) {
        numbers[n] = (float)(fuzz_random(&state) % 1000) / 1000;
    }
    if (size > room) {
        return 0;
    }
    memcpy(out, &h, sizeof h);
    memcpy(out + sizeof h, numbers, count * sizeof *numbers);
    return size;
}

/* Numbers at which things go wrong; a head stays one. */
size_t fuzz_change(uint64_t *state, uint8_t *bytes, size_t size, size_t room) {
    static const float bad[] = {NAN,   INFINITY, -INFINITY, 1e38F, -1e38F, 1e-38F, 0,
                                -0.0F, 88,       1e7F,      -1e7F, 709,    1,      0.6F};
    (void)room;
    if (state == NULL || size < sizeof(head) + sizeof(float)) {
        return size;
    }
    size_t places = (size - sizeof(head)) / sizeof(float);
    size_t at = sizeof(head) + (size_t)(fuzz_random(state) % places) * sizeof(float);
    size_t run = fuzz_random(state) % 4 == 0 ? 64 : 1;
    float value = bad[fuzz_random(state) % (sizeof bad / sizeof *bad)];
    for (; run > 0 && at + sizeof value <= size; run--, at += sizeof value) {
        memcpy(bytes + at, &value, sizeof value);
    }
    return size;
}
