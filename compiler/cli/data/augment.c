/* Variants of a picture: moved, rotated, mirrored, lit otherwise, noisy. */
#include "compiler/cli/data/augment.h"

#include <math.h>
#include <string.h>

static const struct {
    const char *name;
    unsigned kind;
} kinds_by_name[] = {{"mirror", AUGMENT_MIRROR}, {"flip", AUGMENT_FLIP},
                     {"shift", AUGMENT_SHIFT},   {"rotate", AUGMENT_ROTATE},
                     {"light", AUGMENT_LIGHT},   {"noise", AUGMENT_NOISE},
                     {"all", AUGMENT_ALL},       {"none", 0}};
enum { KINDS = sizeof kinds_by_name / sizeof *kinds_by_name };

kiln_status augment_parse(const char *text, unsigned *out_kinds, kiln_error *error) {
    *out_kinds = 0;
    for (const char *at = text; *at != '\0';) {
        size_t length = strcspn(at, ","), k = 0;
        while (k < KINDS && (strlen(kinds_by_name[k].name) != length ||
                             strncmp(kinds_by_name[k].name, at, length) != 0)) {
            k++;
        }
        if (k == KINDS) {
            return kiln_fail(error, KILN_ERROR_ARGUMENT,
                             "--augment '%s': expected mirror, flip, shift, rotate, light, noise "
                             "(with commas between), all or none",
                             text);
        }
        *out_kinds |= kinds_by_name[k].kind;
        at += length + (at[length] == ',');
    }
    return KILN_OK;
}

/* ---- Chance -------------------------------------------------------------------------------- */

static uint64_t next_bits(uint64_t *inout_state) {
    uint64_t z = (*inout_state += 0x9e3779b97f4a7c15u); /* splitmix64 */
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

/* Uniform in -1 .. 1. */
static float chance(uint64_t *inout_state) {
    return (float)(next_bits(inout_state) >> 40) * 0x1p-23f - 1;
}

/* ---- Geometry ------------------------------------------------------------------------------ */

/* Where a pixel of the variant lies in the picture: rotated about the centre, scaled, shifted. */
typedef struct placement {
    float a, b, c, d, x, y;
} placement;

static placement choose_placement(const rgb_picture *p, unsigned kinds, uint64_t *inout_state) {
    float range = (kinds & AUGMENT_FACES) != 0 ? 0.25f : 1;
    float angle = chance(inout_state) * 15 * range * (float)M_PI / 180, scale = 1, flip = 1;
    float across = chance(inout_state) * 0.1f * range, down = chance(inout_state) * 0.1f * range;
    float larger = chance(inout_state) * range;
    bool mirrored = (next_bits(inout_state) & 1) != 0;
    angle = (kinds & AUGMENT_ROTATE) != 0 ? angle : 0;
    mirrored = (mirrored && (kinds & AUGMENT_FLIP) != 0) || (kinds & AUGMENT_MIRROR) != 0;
    flip = mirrored ? -1 : 1;
    if ((kinds & AUGMENT_SHIFT) == 0) {
        across = down = larger = 0;
    }
    scale = 1 + 0.1f * larger;
    float w = (float)p->width, h = (float)p->height;
    placement m = {flip * cosf(angle) * scale,
                   -sinf(angle) * scale,
                   flip * sinf(angle) * scale,
                   cosf(angle) * scale,
                   0,
                   0};
    m.x = w / 2 + across * w - m.a * w / 2 - m.b * h / 2;
    m.y = h / 2 + down * h - m.c * w / 2 - m.d * h / 2;
    return m;
}

static uint32_t clamp_index(float position, uint32_t size) {
    return position <= 0 ? 0 : position >= (float)(size - 1) ? size - 1 : (uint32_t)position;
}

/* Bilinear; outside, the edge goes on. */
static void sample(const rgb_picture *p, float x, float y, float out[3]) {
    x = x < 0 ? 0 : x > (float)(p->width - 1) ? (float)(p->width - 1) : x;
    y = y < 0 ? 0 : y > (float)(p->height - 1) ? (float)(p->height - 1) : y;
    uint32_t left = clamp_index(x, p->width), top = clamp_index(y, p->height);
    uint32_t right = left + 1 < p->width ? left + 1 : left;
    uint32_t bottom = top + 1 < p->height ? top + 1 : top;
    float u = x - (float)left, v = y - (float)top;
    const uint8_t *rows[2] = {p->rgb + (size_t)top * p->width * 3,
                              p->rgb + (size_t)bottom * p->width * 3};
    for (uint32_t c = 0; c < 3; c++) {
        float upper = (1 - u) * rows[0][left * 3 + c] + u * rows[0][right * 3 + c];
        float lower = (1 - u) * rows[1][left * 3 + c] + u * rows[1][right * 3 + c];
        out[c] = (1 - v) * upper + v * lower;
    }
}

/* ---- Variants ------------------------------------------------------------------------------ */

typedef struct light {
    float gain, offset, noise;
} light;

static light choose_light(unsigned kinds, uint64_t *inout_state) {
    float contrast = chance(inout_state), brightness = chance(inout_state);
    float noise = (chance(inout_state) + 1) * 4;
    light l = {1, 0, 0};
    if ((kinds & AUGMENT_LIGHT) != 0) {
        l.gain = 1 + 0.25f * contrast;
        l.offset = 128 * (1 - l.gain) + 64 * 0.5f * brightness;
    }
    l.noise = (kinds & AUGMENT_NOISE) != 0 ? noise : 0;
    return l;
}

/* The sum of four uniform numbers is nearly normal; its variance is 4/3. */
static float normal(uint64_t *inout_state) {
    float sum = 0;
    for (int k = 0; k < 4; k++) {
        sum += chance(inout_state);
    }
    return sum * 0.8660254f;
}

kiln_status augment_picture(const rgb_picture *picture, unsigned kinds, uint64_t seed,
                            rgb_picture *out_picture, kiln_error *error) {
    uint64_t state = seed;
    kiln_status status = picture_allocate(out_picture, picture->width, picture->height, error);
    if (status != KILN_OK) {
        return status;
    }
    placement m = choose_placement(picture, kinds, &state);
    light l = choose_light(kinds, &state);
    uint8_t *out = out_picture->rgb;
    for (uint32_t y = 0; y < picture->height; y++) {
        for (uint32_t x = 0; x < picture->width; x++) {
            float pixel[3], fx = (float)x + 0.5f, fy = (float)y + 0.5f;
            sample(picture, m.a * fx + m.b * fy + m.x - 0.5f, m.c * fx + m.d * fy + m.y - 0.5f,
                   pixel);
            float noise = l.noise > 0 ? l.noise * normal(&state) : 0;
            for (int c = 0; c < 3; c++) {
                float value = pixel[c] * l.gain + l.offset + noise + 0.5f;
                *out++ = (uint8_t)(value < 0 ? 0 : value > 255 ? 255 : value);
            }
        }
    }
    return KILN_OK;
}
