/* The head's texture: what is painted on a face, seen from the front. */
#include "models/faces/figure.h"

#include <math.h>

typedef struct skin {
    canvas *image;
    const person *who;
    const pose *how;
    float unit; /* texels in half a head */
    chance luck;
} skin;

static point place(const skin *s, float x, float y) {
    return (point){s->unit * (x + (float)TEXTURE_REACH_TENTHS / 10),
                   s->unit * (y + (float)TEXTURE_REACH_TENTHS / 10)};
}

static float wide(const skin *s, float width) {
    return fmaxf(width * s->unit, 0.7f);
}

static void glow(const skin *s, float x, float y, float reach, float r, float g, float b) {
    paint_glow(s->image, place(s, x, y), reach * s->unit, (colour){r, g, b});
}

static void both_glow(const skin *s, float x, float y, float reach, float r, float g, float b) {
    glow(s, x, y, reach, r, g, b);
    glow(s, -x, y, reach, r, g, b);
}

static void curve(const skin *s, const float *xy, float width, float soft, colour fill,
                  float opacity) {
    paint_curve(s->image, place(s, xy[0], xy[1]), place(s, xy[2], xy[3]), place(s, xy[4], xy[5]),
                wide(s, width), fmaxf(1, soft * s->unit), fill, opacity);
}

static void paint_ground(const skin *s) {
    const person *p = s->who;
    uint32_t seed = (uint32_t)p->seed * 2654435761u;
    for (int y = 0; y < s->image->height; y++) {
        for (int x = 0; x < s->image->width; x++) {
            float u = (float)x / s->unit, v = (float)y / s->unit;
            float wave = 0.025f * smooth_noise(u * 4, v * 4, seed) +
                         0.018f * smooth_noise(u * 13, v * 13, seed + 1) +
                         0.014f * smooth_noise(u * 37, v * 37, seed + 2);
            float *t = s->image->rgb + ((long)y * s->image->width + x) * 3;
            t[0] = p->skin.r * (1 + wave);
            t[1] = p->skin.g * (1 + wave * 1.15f);
            t[2] = p->skin.b * (1 + wave * 1.2f);
        }
    }
}

/* Blood near the surface, shade where the light seldom comes, and the person's own patches. */
static void paint_tones(const skin *s) {
    const person *p = s->who;
    float dim = 0.5f * p->skin.r, tip = p->eye_height + p->nose_length;
    both_glow(s, 0.36f, p->eye_height + 0.30f, 0.14f, 0.02f, -0.03f, -0.025f);
    glow(s, 0, tip - 0.03f, 0.08f, 0.02f, -0.025f, -0.02f);
    both_glow(s, p->eye_distance, p->eye_height - 0.05f, 0.09f, -0.20f * dim, -0.22f * dim,
              -0.20f * dim);
    both_glow(s, p->eye_distance - 0.13f, p->eye_height, 0.045f, -0.2f * dim, -0.22f * dim,
              -0.2f * dim);
    both_glow(s, p->eye_distance, p->eye_height + 0.10f, 0.055f, -0.13f * dim * p->bags,
              -0.15f * dim * p->bags, -0.10f * dim * p->bags);
    glow(s, 0, tip + 0.05f, 0.06f, -0.2f * dim, -0.2f * dim, -0.2f * dim);
    glow(s, 0, p->mouth_height + 0.15f, 0.07f, -0.12f * dim, -0.12f * dim, -0.12f * dim);
    glow(s, 0, 1.05f, 0.2f, -0.25f * dim, -0.25f * dim, -0.25f * dim);
    for (int k = 0; k < TONES; k++) {
        const tone *t = p->tones + k;
        glow(s, t->x, t->y, t->reach, t->change.r, t->change.g, t->change.b);
    }
}

static void paint_eye(skin *s, float side) {
    const person *p = s->who;
    const pose *h = s->how;
    float x = side * p->eye_distance + p->asymmetry, y = p->eye_height + side * p->asymmetry * 0.5f;
    float tilt = side * p->eye_tilt, rx = p->eye_width;
    float ry = p->eye_open * (1 - h->blink) * (1 - 0.3f * h->squint * fmaxf(0, h->smile));
    colour dark = scale_colour(p->skin, 0.55f), lash = {0.10f, 0.07f, 0.06f};
    point at = place(s, x, y), look = place(s, x + h->look_x, y + h->look_y);
    float u = s->unit, iris = p->iris_size * u;
    paint_ellipse(s->image, at, rx * 1.1f * u, (ry + 0.02f) * u, tilt, 0.05f * u, dark, 0.5f);
    paint_ellipse(s->image, at, rx * u, ry * u, tilt, 1.2f, (colour){0.84f, 0.81f, 0.78f}, 1);
    paint_ellipse(s->image, look, fminf(iris, rx * u), fminf(iris, ry * 1.02f * u), 0, 1.2f,
                  scale_colour(p->iris, 0.8f), 1);
    paint_ellipse(s->image, look, fminf(iris * 0.8f, rx * u), fminf(iris * 0.8f, ry * u), 0, 1.2f,
                  p->iris, 0.8f);
    paint_ellipse(s->image, look, iris * 0.42f, fminf(iris * 0.42f, ry * u), 0, 1,
                  (colour){0.04f, 0.03f, 0.03f}, 1);
    point glint = {look.x + chance_between(&s->luck, -0.5f, 0.5f) * iris, look.y - 0.35f * iris};
    paint_ellipse(s->image, glint, iris * 0.2f, iris * 0.2f, 0, 1, (colour){1, 1, 1},
                  h->blink > 0.5f || ry * u < iris * 0.4f ? 0 : 0.85f);
    float dx = rx * 1.05f, slope = tilt * rx;
    const float upper[6] = {x - dx, y - slope, x, y - ry * 2.1f, x + dx, y + slope};
    const float lower[6] = {x - dx, y - slope, x, y + ry * 2.1f, x + dx, y + slope};
    const float crease[6] = {x - dx, y - slope - 0.02f, x, y - ry * 2 - 0.085f,
                             x + dx, y + slope - 0.02f};
    const float bag[6] = {x - dx * 0.9f, y + 0.05f, x, y + 0.13f, x + dx * 0.9f, y + 0.05f};
    curve(s, upper, 0.022f + (p->make_up ? 0.014f : 0), 0.01f, lash, 0.9f);
    curve(s, lower, 0.010f, 0.012f, lash, p->make_up ? 0.6f : 0.3f);
    curve(s, crease, 0.012f, 0.02f, dark, 0.2f + 0.6f * p->lid);
    curve(s, bag, 0.015f, 0.03f, dark, 0.4f * p->bags * p->age);
}

static void paint_brow(skin *s, float side) {
    const person *p = s->who;
    float x = side * p->eye_distance * 1.02f, half = p->brow_length;
    float y = p->eye_height - p->brow_height + s->how->brows + p->asymmetry * side;
    colour hair = mix_colours(scale_colour(p->hair, 0.8f), p->skin, 1 - p->brow_dark);
    for (int k = 0; k < 16; k++) {
        float t = (float)k / 15, at = -1 + 2 * t; /* from the nose outwards */
        float bx = x + side * at * half;
        float by = y - p->brow_arch * (1 - at * at) + p->brow_tilt * at;
        float thick = p->brow_width * (1 - 0.6f * t);
        float jitter = chance_between(&s->luck, -0.3f, 0.3f) * thick;
        const float hairs[6] = {
            bx,          by + thick * 0.7f + jitter, bx + side * 0.02f,
            by + jitter, bx + side * 0.06f,          by - thick * 0.35f + jitter};
        curve(s, hairs, 0.026f + thick * 0.25f, 0.025f, hair, 0.55f);
    }
}

static void paint_nostrils(const skin *s) {
    const person *p = s->who;
    float tip = p->eye_height + p->nose_length, u = s->unit;
    for (int k = 0; k < 2; k++) {
        float side = k == 0 ? -1.0f : 1.0f;
        point hole = place(s, side * p->nose_width * 0.48f, tip + 0.028f);
        paint_ellipse(s->image, hole, p->nose_width * 0.30f * u, 0.022f * u, -side * 0.25f,
                      0.025f * u, scale_colour(p->skin, 0.28f), 0.85f);
        float wing = side * p->nose_width;
        const float edge[6] = {wing,        tip - 0.08f, wing * 1.22f,
                               tip - 0.01f, wing * 0.9f, tip + 0.035f};
        curve(s, edge, 0.014f, 0.03f, scale_colour(p->skin, 0.6f), 0.5f);
    }
}

static void paint_open_mouth(const skin *s, float half, float middle, float gap) {
    float u = s->unit;
    point centre = place(s, 0, middle + gap * 0.5f), teeth = place(s, 0, middle - gap * 0.1f);
    paint_ellipse(s->image, centre, half * 0.82f * u, gap * 1.25f * u, 0, 1.5f,
                  (colour){0.22f, 0.08f, 0.08f}, 1);
    paint_ellipse(s->image, teeth, half * 0.70f * u, gap * 0.75f * u, 0, 0.02f * u,
                  (colour){0.86f, 0.83f, 0.77f}, 0.95f);
}

static void paint_mouth(const skin *s) {
    const person *p = s->who;
    const pose *h = s->how;
    float half = p->mouth_width * (1 + 0.22f * fmaxf(0, h->smile)), y = p->mouth_height;
    float corner = y - 0.05f * h->smile, middle = y + 0.02f * h->smile, gap = 0.05f * h->open;
    colour lips = mix_colours(p->lips, h->lipstick, h->lipstick_amount);
    float bow = 2 * middle - corner;
    const float line[6] = {-half, corner + p->asymmetry, 0, bow, half, corner - p->asymmetry};
    /* From the line between them outwards, so that lips are full in the middle and end in a point.
     */
    for (int k = 0; k < 5; k++) {
        float out = (float)k / 4 * 2, red = 1 - 0.15f * out / 2;
        const float lower[6] = {
            -half * 0.94f, corner + 0.006f, 0, bow + 4 * gap + p->lip_lower * out * 1.1f,
            half * 0.94f,  corner + 0.006f};
        const float upper[6] = {-half, corner + p->asymmetry, 0, bow - 2 * gap - p->lip_upper * out,
                                half,  corner - p->asymmetry};
        curve(s, lower, p->lip_lower * 0.5f, 0.02f, scale_colour(lips, 1.05f * red), 0.75f);
        curve(s, upper, p->lip_upper * 0.5f, 0.02f, scale_colour(lips, 0.88f * red), 0.75f);
    }
    glow(s, 0, middle + 2 * gap + p->lip_lower, p->lip_lower * 0.6f, 0.05f, 0.04f, 0.04f);
    if (gap > 0.012f) {
        paint_open_mouth(s, half, middle, gap);
    } else {
        curve(s, line, 0.016f, 0.012f, scale_colour(lips, 0.4f), 0.85f);
    }
    both_glow(s, half + 0.015f, corner, 0.025f, -0.12f * p->skin.r, -0.12f * p->skin.r,
              -0.11f * p->skin.r);
}

static void paint_beard(skin *s) {
    const person *p = s->who;
    float shadow = fmaxf(0, p->stubble + (p->stubble > 0 ? s->how->stubble : 0));
    float amount = fmaxf(p->beard, shadow * 0.8f);
    colour hair = scale_colour(p->hair, 0.9f);
    int count = p->beard > 0 ? 700 : amount > 0 ? 500 : 0;
    for (int k = 0; k < count; k++) {
        float t = chance_between(&s->luck, -1, 1), depth = chance_between(&s->luck, 0, 1);
        float x = t * p->width * 0.95f;
        float y = 0.26f + 0.34f * (1 - fabsf(t)) + 0.50f * depth * sqrtf(fmaxf(0.05f, 1 - t * t));
        bool lips = fabsf(x) < p->mouth_width && fabsf(y - p->mouth_height) < 0.075f;
        if (!lips) {
            float turn = chance_between(&s->luck, -0.02f, 0.02f);
            const float one[6] = {x, y, x + turn, y + 0.02f, x + 2 * turn, y + 0.045f};
            curve(s, one, 0.018f, p->beard > 0 ? 0.035f : 0.07f, hair, amount * 0.3f);
        }
    }
    float y = p->mouth_height - p->lip_upper - 0.055f;
    for (int k = 0; k < 40 && p->moustache > 0; k++) {
        float t = chance_between(&s->luck, -1, 1), x = t * p->mouth_width * 1.05f;
        float up = y + 0.10f * t * t + chance_between(&s->luck, -0.02f, 0.03f);
        const float one[6] = {x, up, x * 1.05f, up + 0.02f, x * 1.12f, up + 0.05f};
        curve(s, one, 0.024f, 0.02f, hair, p->moustache * 0.6f);
    }
}

static void paint_marks(skin *s) {
    const person *p = s->who;
    chance own = {p->seed * 77 + 5};
    colour dark = scale_colour(p->skin, 0.62f);
    float u = s->unit, smile = fmaxf(0, s->how->smile);
    for (int k = 0; p->freckles && k < 50; k++) {
        point at = place(s, chance_between(&own, -0.5f, 0.5f), chance_between(&own, 0.04f, 0.42f));
        paint_ellipse(s->image, at, 0.012f * u, 0.012f * u, 0, 1, dark, 0.45f);
    }
    for (int k = 0; k < p->mole_count; k++) {
        float size = chance_between(&own, 0.012f, 0.026f) * u;
        paint_ellipse(s->image, place(s, p->moles[k].x, p->moles[k].y), size, size, 0, 1.2f,
                      scale_colour(p->skin, 0.35f), 0.85f);
    }
    for (int k = 0; k < 2; k++) {
        float side = k == 0 ? -1.0f : 1.0f;
        const float fold[6] = {side * p->nose_width * 1.2f,     p->eye_height + 0.34f,
                               side * (p->mouth_width + 0.06f), p->eye_height + 0.42f,
                               side * (p->mouth_width + 0.07f), p->mouth_height};
        curve(s, fold, 0.016f, 0.04f, dark, 0.35f * fminf(p->folds + 0.6f * smile, 1.3f));
    }
    for (int k = 0; k < 3; k++) {
        float y = -0.40f - 0.08f * (float)k, bend = chance_between(&own, -0.05f, 0.03f);
        const float line[6] = {-0.3f, y, 0, y + bend, 0.3f, y};
        curve(s, line, 0.012f, 0.025f, dark, fmaxf(0, p->age - 0.5f) * 0.9f);
    }
}

void skin_paint(canvas *texture, const person *who, const pose *how) {
    skin s = {.image = texture, .who = who, .how = how, .luck = {who->seed * 31 + 7}};
    s.unit = (float)texture->width * 5 / (float)TEXTURE_REACH_TENTHS;
    paint_ground(&s);
    paint_tones(&s);
    paint_marks(&s);
    paint_nostrils(&s);
    paint_mouth(&s);
    paint_beard(&s);
    for (int k = 0; k < 2; k++) {
        float side = k == 0 ? -1.0f : 1.0f;
        paint_eye(&s, side);
        paint_brow(&s, side);
    }
}
