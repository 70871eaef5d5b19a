/* Backgrounds, what stands in the way, and the camera. */
#include "models/faces/scene.h"

#include <math.h>
#include <stdlib.h>

static colour random_colour(chance *c) {
    float gray = chance_between(c, 0.03f, 0.97f), share = chance_between(c, 0, 1);
    colour vivid = {chance_between(c, 0.02f, 0.98f), chance_between(c, 0.02f, 0.98f),
                    chance_between(c, 0.02f, 0.98f)};
    return mix_colours((colour){gray, gray, gray}, vivid, share * share);
}

/* ---- Background ----------------------------------------------------------------------------- */

static void paint_ground(canvas *c, chance *luck) {
    colour from = random_colour(luck), to = mix_colours(from, random_colour(luck), 0.5f);
    colour vein = random_colour(luck);
    float slope = chance_between(luck, -1, 1), coarse = chance_between(luck, 1.5f, 6);
    float stretch = chance_between(luck, 0.3f, 3), rough = chance_between(luck, 0, 0.5f);
    float turbulence = chance_of(luck, 0.6f) ? chance_between(luck, 0, 0.6f) : 0;
    uint32_t seed = (uint32_t)chance_bits(luck);
    for (int y = 0; y < c->height; y++) {
        for (int x = 0; x < c->width; x++) {
            float u = (float)x / (float)c->width, v = (float)y / (float)c->width;
            float share = 0.5f + slope * (u - 0.5f) + (1 - fabsf(slope)) * (v - 0.4f);
            float wave = smooth_noise(u * coarse, v * coarse * stretch, seed);
            if (rough > 0.1f) {
                wave += 0.5f * smooth_noise(u * coarse * 3, v * coarse * 3 * stretch, seed + 1) +
                        rough * smooth_noise(u * coarse * 9, v * coarse * 9 * stretch, seed + 2);
            }
            colour at = mix_colours(from, to, share < 0 ? 0 : share > 1 ? 1 : share);
            at = mix_colours(at, vein, fminf(fabsf(wave) * turbulence, 1));
            float *p = c->rgb + ((long)y * c->width + x) * 3;
            p[0] = at.r;
            p[1] = at.g;
            p[2] = at.b;
        }
    }
}

static void paint_shape(canvas *c, chance *luck, colour fill, float opacity) {
    float w = (float)c->width, h = (float)c->height;
    point at = {chance_between(luck, 0, w), chance_between(luck, 0, h)};
    float big = powf(chance_between(luck, 0.1f, 0.7f), 2) * w, thin = chance_between(luck, 0.1f, 1);
    float turn = chance_of(luck, 0.6f) ? 0 : chance_between(luck, -1.5f, 1.5f);
    switch (chance_below(luck, 4)) {
    case 0:
        paint_ellipse(c, at, big, big * thin, turn, chance_between(luck, 1, 30), fill, opacity);
        break;
    case 1:
        paint_box(c, at, big, big * thin, turn, fill, opacity);
        paint_box(c, at, big * 0.85f, big * thin * 0.85f, turn, random_colour(luck), opacity);
        break;
    case 2: {
        point b = {chance_between(luck, 0, w), chance_between(luck, 0, h)};
        point end = {chance_between(luck, 0, w), chance_between(luck, 0, h)};
        paint_curve(c, at, b, end, chance_between(luck, 1, 0.06f * w), 2, fill, opacity);
        break;
    }
    default: /* a row of things: windows, books, a fence, lamps */
        for (int k = 0, count = chance_below(luck, 9) + 3; k < count; k++) {
            point one = {at.x + (float)k * big * 0.5f, at.y};
            if (turn == 0) {
                paint_box(c, one, big * 0.2f, big * thin, 0, fill, opacity);
            } else {
                paint_ellipse(c, one, big * 0.2f, big * 0.2f, 0, 3, fill, opacity);
            }
        }
    }
}

void background_paint(canvas *c, const camera *light) {
    chance luck = {light->seed * 0x589965cc75374cc3u + 17};
    paint_ground(c, &luck);
    int count = chance_of(&luck, 0.3f) ? 0 : chance_below(&luck, 22);
    for (int k = 0; k < count; k++) {
        colour fill = random_colour(&luck);
        paint_shape(c, &luck, fill, chance_between(&luck, 0.3f, 1));
    }
}

/* A hand, a branch, a microphone: something across a part of the face, seldom. */
void obstacle_paint(canvas *c, const truth *face, uint64_t seed) {
    chance luck = {seed * 0x1d8e4e27c47d124fu + 41};
    if (!chance_of(&luck, 0.08f)) {
        return;
    }
    float w = (face->right - face->left) * 2, h = (face->bottom - face->top) * 2;
    point at = {face->left * 2 + w * chance_between(&luck, -0.1f, 1.1f),
                face->top * 2 + h * chance_between(&luck, 0.45f, 1.1f)};
    colour fill = random_colour(&luck);
    int fingers = chance_below(&luck, 2) * 4;
    if (fingers > 0) {
        fill = scale_colour((colour){0.85f, 0.65f, 0.52f}, chance_between(&luck, 0.5f, 1));
    }
    float turn = chance_between(&luck, -1.5f, 1.5f);
    paint_ellipse(c, at, w * chance_between(&luck, 0.1f, 0.28f), h * 0.16f, turn, 3, fill, 1);
    for (int k = 0; k < fingers; k++) {
        float out = w * 0.35f, side = ((float)k - 1.5f) * w * 0.075f;
        point from = {at.x - side * sinf(turn), at.y + side * cosf(turn)};
        point to = {from.x + out * cosf(turn), from.y + out * sinf(turn)};
        paint_curve(c, from, to, to, w * 0.07f, 2,
                    scale_colour(fill, 0.9f + 0.06f * (float)(k % 2)), 1);
    }
}

/* ---- Camera --------------------------------------------------------------------------------- */

static void halve(const canvas *from, float *out, int width, int height) {
    for (int y = 0; y < height; y++) {
        for (int x = 0; x < width; x++) {
            const float *p = from->rgb + ((long)y * 2 * from->width + (long)x * 2) * 3;
            const float *q = p + (long)from->width * 3;
            for (int k = 0; k < 3; k++) {
                out[((long)y * width + x) * 3 + k] = (p[k] + p[k + 3] + q[k] + q[k + 3]) / 4;
            }
        }
    }
}

/* Averages each pixel with its neighbours `step` floats away; lines are `line` floats apart. */
static void blur_lines(const float *in, float *out, int lines, int length, int line, int step,
                       float width) {
    for (int a = 0; a < lines; a++) {
        for (int b = 0; b < length; b++) {
            long at = (long)a * line + (long)b * step;
            long before = b > 0 ? at - step : at, after = b + 1 < length ? at + step : at;
            for (int k = 0; k < 3; k++) {
                out[at + k] =
                    (in[at + k] + width * (in[before + k] + in[after + k]) / 2) / (1 + width);
            }
        }
    }
}

/* As a camera of fewer pixels, its picture enlarged. */
static void coarsen(const float *in, float *out, int width, int height, int factor) {
    for (int y = 0; y < height; y++) {
        for (int x = 0; x < width; x++) {
            float sum[3] = {0};
            int count = 0, top = y / factor * factor, left = x / factor * factor;
            for (int v = top; v < top + factor && v < height; v++) {
                for (int u = left; u < left + factor && u < width; u++, count++) {
                    for (int k = 0; k < 3; k++) {
                        sum[k] += in[((long)v * width + u) * 3 + k];
                    }
                }
            }
            for (int k = 0; k < 3; k++) {
                out[((long)y * width + x) * 3 + k] = sum[k] / (float)count;
            }
        }
    }
}

static void expose(const float *in, int width, int height, const camera *l, uint8_t *rgb) {
    chance c = {l->seed ^ 0xabcdef};
    for (int y = 0; y < height; y++) {
        for (int x = 0; x < width; x++) {
            long at = ((long)y * width + x) * 3;
            const float *p = in + at;
            float gray = 0.299f * p[0] + 0.587f * p[1] + 0.114f * p[2];
            float u = (float)x / (float)width - 0.5f, v = (float)y / (float)height - 0.5f;
            float fall = 1 - l->vignette * (u * u + v * v) * 2;
            for (int k = 0; k < 3; k++) {
                float value = gray + (p[k] - gray) * (l->gray ? 0 : l->saturation);
                value = powf(fmaxf(value * fall, 0), l->gamma);
                value = (value - 0.5f) * l->contrast + 0.5f + l->brightness;
                value += l->noise > 0 && !(l->gray && k > 0) ? l->noise * chance_normal(&c) : 0;
                value = value < 0 ? 0 : value > 1 ? 1 : value;
                rgb[at + k] = l->gray && k > 0 ? rgb[at] : (uint8_t)lrintf(value * 255);
            }
        }
    }
}

bool camera_develop(const canvas *film, const camera *l, uint8_t *rgb) {
    int width = film->width / 2, height = film->height / 2;
    size_t size = (size_t)width * (size_t)height * 3 * sizeof(float);
    float *picture = malloc(size), *other = malloc(size);
    bool good = picture != NULL && other != NULL;
    if (good) {
        halve(film, picture, width, height);
        if (l->coarse > 1) {
            coarsen(picture, other, width, height, l->coarse);
            float *swap = picture;
            picture = other;
            other = swap;
        }
        float blur = l->coarse > 1 ? 1 : l->blur;
        if (blur > 0) {
            blur_lines(picture, other, height, width, width * 3, 3, blur);
            blur_lines(other, picture, width, height, 3, width * 3, blur);
        }
        expose(picture, width, height, l, rgb);
    }
    free(picture);
    free(other);
    return good;
}
