/* From a person and a pose to a picture. The head is a rounded body: what lies on it moves and
 * narrows as it turns. */
#include "models/faces/person.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { OUTLINE = 96 };

typedef struct scene {
    const person *who;
    const pose *how;
    canvas image;
    float unit; /* pixels in half a head's height */
    point centre;
    float cosine, sine; /* of roll */
} scene;

/* A place on the face, in head units, to a pixel; *out_narrow: how much it is foreshortened. */
static point place(const scene *s, float x, float y, float *out_narrow) {
    float w = s->who->width * 1.15f, side = x / w;
    side = side > 0.98f ? 0.98f : side < -0.98f ? -0.98f : side;
    float angle = asinf(side) + s->how->yaw;
    float depth = sqrtf(1 - side * side);
    float u = w * sinf(angle), v = y + s->how->pitch * 0.55f * depth - s->how->pitch * y * y * 0.2f;
    if (out_narrow != NULL) {
        float narrow = cosf(angle) / fmaxf(depth, 0.3f);
        *out_narrow = narrow < 0.25f ? 0.25f : narrow > 1.2f ? 1.2f : narrow;
    }
    return (point){s->centre.x + (u * s->cosine - v * s->sine) * s->unit,
                   s->centre.y + (u * s->sine + v * s->cosine) * s->unit};
}

static float line_width(const scene *s, float width) {
    return fmaxf(width * s->unit, 0.6f);
}

/* ---- Head ---------------------------------------------------------------------------------- */

/* The head's outline: a superellipse that is fuller at the cheeks and tapers to the chin. */
static void head_outline(const person *p, float grow, float *out_radius) {
    for (int k = 0; k < OUTLINE; k++) {
        float angle = 2 * (float)M_PI * (float)k / OUTLINE;
        float x = cosf(angle), y = sinf(angle);
        float w = p->width, h = y < 0 ? p->forehead : 1.0f;
        if (y > 0) {
            float low = y * y;
            w *= 1 - low * (1 - p->jaw) + 0.06f * sinf(low * (float)M_PI) * (p->cheek - 0.9f) * 5;
            w = w * (1 - low * low * 0.25f) + p->chin * 0.25f * low * low;
        }
        float n = y > 0 ? 2.2f : 2.4f;
        float r = powf(powf(fabsf(x) / w, n) + powf(fabsf(y) / h, n), -1 / n);
        out_radius[k] = r + grow;
    }
}

static void paint_head_shape(scene *s, float grow, float shift, colour fill, float opacity) {
    float radius[OUTLINE];
    head_outline(s->who, grow, radius);
    for (int k = 0; k < OUTLINE; k++) {
        radius[k] *= s->unit;
    }
    float slide = s->how->yaw * 0.06f + shift;
    point centre = {s->centre.x + slide * s->unit, s->centre.y};
    paint_outline(&s->image, centre, radius, OUTLINE, s->how->roll, 1.2f, fill, opacity);
}

static void paint_background(scene *s) {
    int size = s->image.size;
    chance c = {s->how->seed ^ 0x5555};
    for (int y = 0; y < size; y++) {
        for (int x = 0; x < size; x++) {
            float share = ((float)x * 0.4f + (float)y) / (1.4f * (float)size);
            colour at = mix_colours(s->how->background[0], s->how->background[1], share);
            float *p = s->image.rgb + ((long)y * size + x) * 3;
            p[0] = at.r;
            p[1] = at.g;
            p[2] = at.b;
        }
    }
    for (int k = chance_below(&c, 5); k > 0; k--) {
        point at = {chance_between(&c, 0, (float)size), chance_between(&c, 0, (float)size)};
        colour fill = {chance_between(&c, 0, 1), chance_between(&c, 0, 1),
                       chance_between(&c, 0, 1)};
        paint_ellipse(&s->image, at, chance_between(&c, 0.05f, 0.4f) * (float)size,
                      chance_between(&c, 0.05f, 0.4f) * (float)size, chance_between(&c, 0, 3), 4,
                      fill, 0.4f);
    }
}

static void paint_body(scene *s) {
    point neck = place(s, 0, 1.05f, NULL), chest = place(s, 0, 1.95f, NULL);
    colour shade = scale_colour(s->who->skin, 0.82f);
    paint_ellipse(&s->image, neck, s->who->neck * s->unit, 0.55f * s->unit, s->how->roll, 1.2f,
                  shade, 1);
    paint_ellipse(&s->image, chest, 1.35f * s->unit, 0.62f * s->unit, 0, 1.2f, s->how->cloth, 1);
}

static void paint_ears(scene *s) {
    for (int side = -1; side <= 1; side += 2) {
        /* The far ear is hidden as the head turns. */
        float away = (float)side * s->how->yaw;
        float shown = 1 - fmaxf(0, away) * 2.5f;
        if (shown <= 0.1f) {
            continue;
        }
        float x = (float)side * s->who->width * 1.0f + s->how->yaw * 0.02f;
        point at = {s->centre.x + (x * s->cosine - s->who->ear_height * s->sine) * s->unit,
                    s->centre.y + (x * s->sine + s->who->ear_height * s->cosine) * s->unit};
        float size = s->who->ear_size * s->unit;
        paint_ellipse(&s->image, at, size * 0.55f * shown, size, s->how->roll, 1.2f,
                      scale_colour(s->who->skin, 0.93f), 1);
        paint_ellipse(&s->image, at, size * 0.28f * shown, size * 0.6f, s->how->roll, 2,
                      scale_colour(s->who->skin, 0.75f), 0.7f);
    }
}

/* ---- Hair ---------------------------------------------------------------------------------- */

static void paint_hair_behind(scene *s) {
    int style = s->who->hair_style;
    float volume = s->who->hair_volume;
    if (style == 0) {
        return;
    }
    if (style >= 4) { /* long: falls beside the face */
        float fall = style == 4 ? 0.75f : style == 5 ? 1.15f : 0.95f;
        point at = place(s, 0, fall * 0.35f, NULL);
        paint_ellipse(&s->image, at, (s->who->width + 0.16f + volume) * s->unit,
                      (0.85f + fall * 0.45f) * s->unit, s->how->roll, 1.5f,
                      scale_colour(s->who->hair, 0.85f), 1);
    }
    point crown = place(s, 0, -0.30f, NULL);
    paint_ellipse(&s->image, crown, (s->who->width + volume * 0.8f) * s->unit,
                  (0.72f + volume) * s->unit, s->how->roll, 1.5f, s->who->hair, 1);
}

static void paint_strand(scene *s, float x0, float y0, float x1, float y1, float bend, float width,
                         float shade) {
    point a = place(s, x0, y0, NULL), b = place(s, (x0 + x1) / 2 + bend, (y0 + y1) / 2, NULL),
          c = place(s, x1, y1, NULL);
    paint_curve(&s->image, a, b, c, line_width(s, width), 1.5f, scale_colour(s->who->hair, shade),
                1);
}

static void paint_hair_front(scene *s) {
    const person *p = s->who;
    if (p->hair_style == 0) {
        return;
    }
    float top = -p->forehead * 1.0f, edge = p->hair_line, w = p->width * 0.95f;
    chance c = {(uint64_t)(int64_t)(p->parting * 1e6f) + 11};
    int strands = 22;
    for (int k = 0; k < strands; k++) {
        float t = -1 + 2 * ((float)k + 0.5f) / (float)strands;
        float from = t * w * 0.75f, drop = edge;
        if (p->hair_style == 2 || p->hair_style == 5) { /* a fringe */
            drop = edge + 0.24f * p->fringe + 0.05f * chance_between(&c, -1, 1);
        } else if (p->hair_style == 3) { /* swept to one side */
            drop = edge + 0.20f * (t - p->parting) * (p->parting > 0 ? -1.0f : 1.0f);
        }
        drop += 0.22f * t * t;
        float to = t * w + (p->hair_style == 3 ? 0.12f * (p->parting > 0 ? -1.0f : 1.0f) : 0);
        paint_strand(s, from, top, to, drop, 0.06f * chance_between(&c, -1, 1), 0.14f,
                     chance_between(&c, 0.82f, 1.1f));
    }
    for (int side = -1; side <= 1; side += 2) { /* temples */
        float low = p->hair_style >= 4 ? 0.7f : p->hair_style == 1 ? -0.2f : -0.05f;
        paint_strand(s, (float)side * w * 0.98f, -0.62f, (float)side * w * 1.08f, low,
                     (float)side * 0.06f, 0.10f + p->hair_volume * 0.3f, 0.95f);
    }
}

/* ---- Features ------------------------------------------------------------------------------ */

static void paint_eye(scene *s, int side) {
    const person *p = s->who;
    float narrow, tilt = (float)side * p->eye_tilt + s->how->roll;
    float x = (float)side * p->eye_distance + p->asymmetry;
    point at = place(s, x, p->eye_height + (float)side * p->asymmetry * 0.5f, &narrow);
    float rx = p->eye_width * s->unit * narrow;
    float ry = p->eye_open * s->unit * (1 - s->how->blink) * (1 - 0.25f * fmaxf(0, s->how->smile));
    colour dark = scale_colour(p->skin, 0.62f);
    paint_ellipse(&s->image, at, rx * 1.25f, p->eye_open * s->unit * 1.9f, tilt, 5, dark,
                  0.28f + 0.2f * p->age);
    paint_ellipse(&s->image, at, rx, ry, tilt, 1.2f, (colour){0.95f, 0.94f, 0.92f}, 1);
    float iris = fminf(p->iris_size * s->unit, ry * 1.25f + 0.2f);
    point look = {at.x + s->how->look * s->unit + s->how->yaw * 0.04f * s->unit, at.y};
    paint_ellipse(&s->image, look, fminf(iris, rx), fminf(iris, ry * 1.05f), 0, 1, p->iris, 1);
    paint_ellipse(&s->image, look, iris * 0.45f, fminf(iris * 0.45f, ry), 0, 1,
                  (colour){0.05f, 0.04f, 0.04f}, 1);
    paint_ellipse(&s->image, (point){look.x - iris * 0.3f, look.y - iris * 0.35f}, iris * 0.2f,
                  iris * 0.2f, 0, 1, (colour){1, 1, 1}, 0.9f * (1 - s->how->blink));
    point left = {at.x - rx * cosf(tilt), at.y - rx * sinf(tilt)};
    point right = {at.x + rx * cosf(tilt), at.y + rx * sinf(tilt)};
    point up = {at.x, at.y - ry * 2};
    paint_curve(&s->image, left, up, right, line_width(s, 0.022f), 1, (colour){0.12f, 0.08f, 0.07f},
                0.9f);
    point crease = {at.x, at.y - ry * 2 - 0.07f * s->unit};
    paint_curve(&s->image, left, crease, right, line_width(s, 0.012f), 1, dark, 0.7f * p->lid);
}

static void paint_brow(scene *s, int side) {
    const person *p = s->who;
    float x = (float)side * p->eye_distance * 1.02f;
    float y = p->eye_height - p->brow_height + s->how->brows + p->asymmetry * (float)side;
    float half = p->brow_length, sign = (float)side;
    point inner = place(s, x - sign * half, y - p->brow_tilt, NULL);
    point peak = place(s, x, y - p->brow_arch, NULL);
    point outer = place(s, x + sign * half, y + p->brow_tilt + 0.02f, NULL);
    paint_curve(&s->image, inner, peak, outer, line_width(s, p->brow_width), 1.3f,
                scale_colour(p->hair, 0.75f), 0.9f);
}

static void paint_nose(scene *s) {
    const person *p = s->who;
    float top = p->eye_height + 0.02f, tip = p->eye_height + p->nose_length;
    float lean = s->how->light_angle > 0 ? 1.0f : -1.0f;
    colour shade = scale_colour(p->skin, 0.70f),
           light = mix_colours(p->skin, (colour){1, 1, 1}, 0.25f);
    point a = place(s, lean * p->nose_bridge, top, NULL);
    point b = place(s, lean * p->nose_bridge * 0.9f, (top + tip) / 2, NULL);
    /* The tip stands out from the face: turning moves it further. */
    float out = s->how->yaw * 0.16f;
    point c = place(s, lean * p->nose_width * 0.9f + out, tip - 0.02f, NULL);
    paint_curve(&s->image, a, b, c, line_width(s, 0.04f), 4, shade, 0.55f);
    point end = place(s, out, tip - 0.03f, NULL);
    paint_ellipse(&s->image, end, p->nose_tip * s->unit, p->nose_tip * 0.8f * s->unit, 0, 4, light,
                  0.45f);
    for (int side = -1; side <= 1; side += 2) {
        point wing = place(s, (float)side * p->nose_width * 0.85f + out * 0.8f, tip - 0.01f, NULL);
        point hole = place(s, (float)side * p->nose_width * 0.45f + out, tip + 0.035f, NULL);
        paint_ellipse(&s->image, wing, p->nose_width * 0.35f * s->unit, 0.06f * s->unit, 0, 3,
                      shade, 0.45f);
        paint_ellipse(&s->image, hole, p->nose_width * 0.28f * s->unit, 0.022f * s->unit, 0, 1.5f,
                      scale_colour(p->skin, 0.35f), 0.85f);
    }
}

static void paint_mouth(scene *s) {
    const person *p = s->who;
    float half = p->mouth_width * (1 + 0.18f * fmaxf(0, s->how->smile)), y = p->mouth_height;
    float corner = y - 0.055f * s->how->smile, middle = y + 0.03f * s->how->smile;
    float gap = 0.11f * s->how->open, out = s->how->yaw * 0.06f;
    point left = place(s, -half + out, corner + p->asymmetry, NULL);
    point right = place(s, half + out, corner - p->asymmetry, NULL);
    point upper = place(s, out, 2 * middle - corner - gap, NULL);
    point lower = place(s, out, 2 * middle - corner + gap * 2.2f, NULL);
    point upper_lip = place(s, out, 2 * middle - corner - gap - p->lip_upper, NULL);
    point lower_lip = place(s, out, 2 * middle - corner + gap * 2.2f + p->lip_lower, NULL);
    paint_curve(&s->image, left, lower_lip, right, line_width(s, p->lip_lower * 1.7f), 1.5f,
                p->lips, 0.9f);
    paint_curve(&s->image, left, upper_lip, right, line_width(s, p->lip_upper * 1.7f), 1.5f,
                scale_colour(p->lips, 0.88f), 0.9f);
    if (gap > 0.02f) {
        point centre = place(s, out, middle + gap * 0.35f, NULL);
        paint_ellipse(&s->image, centre, half * 0.7f * s->unit, gap * 0.85f * s->unit, s->how->roll,
                      1.2f, (colour){0.25f, 0.07f, 0.08f}, 1);
        point teeth = place(s, out, middle - gap * 0.15f, NULL);
        paint_ellipse(&s->image, teeth, half * 0.55f * s->unit, gap * 0.35f * s->unit, s->how->roll,
                      1.2f, (colour){0.93f, 0.91f, 0.87f}, 1);
    } else {
        paint_curve(&s->image, left, upper, right, line_width(s, 0.018f), 1,
                    scale_colour(p->lips, 0.45f), 0.9f);
    }
    (void)lower;
}

static void paint_beard(scene *s) {
    const person *p = s->who;
    colour hair = scale_colour(p->hair, 0.9f);
    float amount = fmaxf(p->beard, p->stubble);
    if (amount > 0) {
        float soft = p->beard > 0 ? 4.0f : 9.0f;
        for (int k = -5; k <= 5; k++) {
            float t = (float)k / 5, x = t * p->width * 0.86f;
            float y = 0.40f + 0.48f * sqrtf(fmaxf(0, 1 - t * t));
            point at = place(s, x, y, NULL);
            paint_ellipse(&s->image, at, 0.17f * s->unit, 0.17f * s->unit, 0, soft, hair,
                          amount * 0.55f);
        }
    }
    if (p->moustache > 0) {
        float y = p->mouth_height - 0.085f;
        point left = place(s, -p->mouth_width * 0.95f, y + 0.06f, NULL),
              top = place(s, 0, y - 0.07f, NULL),
              right = place(s, p->mouth_width * 0.95f, y + 0.06f, NULL);
        paint_curve(&s->image, left, top, right, line_width(s, 0.075f), 2.5f, hair, p->moustache);
    }
}

static void paint_marks(scene *s) {
    const person *p = s->who;
    chance c = {(uint64_t)(p->width * 1e6f)};
    colour dark = scale_colour(p->skin, 0.60f);
    for (int k = 0; p->freckles && k < 26; k++) {
        point at =
            place(s, chance_between(&c, -0.45f, 0.45f), chance_between(&c, 0.08f, 0.34f), NULL);
        paint_ellipse(&s->image, at, 0.014f * s->unit, 0.014f * s->unit, 0, 1, dark, 0.5f);
    }
    if (p->mole) {
        paint_ellipse(&s->image, place(s, p->mole_x, p->mole_y, NULL), 0.026f * s->unit,
                      0.026f * s->unit, 0, 1, scale_colour(p->skin, 0.35f), 0.9f);
    }
    float wrinkle = fmaxf(0, p->age - 0.45f) * 1.3f + 0.25f * fmaxf(0, s->how->smile);
    for (int side = -1; side <= 1; side += 2) {
        float x = (float)side;
        point a = place(s, x * p->nose_width * 1.25f, 0.30f, NULL),
              b = place(s, x * (p->mouth_width + 0.09f), 0.38f, NULL),
              e = place(s, x * (p->mouth_width + 0.07f), p->mouth_height + 0.02f, NULL);
        paint_curve(&s->image, a, b, e, line_width(s, 0.018f), 2, dark, wrinkle * 0.6f);
    }
    for (int k = 0; k < 3; k++) {
        float y = -0.42f - 0.09f * (float)k;
        paint_curve(&s->image, place(s, -0.3f, y, NULL), place(s, 0, y - 0.04f, NULL),
                    place(s, 0.3f, y, NULL), line_width(s, 0.012f), 1.5f, dark,
                    fmaxf(0, p->age - 0.6f) * 0.9f);
    }
}

static void paint_glasses(scene *s) {
    const person *p = s->who;
    colour frame = {0.10f, 0.10f, 0.12f};
    if (!p->glasses) {
        return;
    }
    for (int side = -1; side <= 1; side += 2) {
        float narrow, tall = p->round_glasses ? 0.185f : 0.135f;
        point at =
            place(s, (float)side * (p->eye_distance + 0.01f), p->eye_height + 0.02f, &narrow);
        paint_ring(&s->image, at, 0.215f * s->unit * narrow, tall * s->unit, s->how->roll,
                   line_width(s, 0.028f), frame, 0.9f);
        point hinge = place(s, (float)side * (p->eye_distance + 0.22f), p->eye_height, NULL);
        point ear = place(s, (float)side * p->width * 1.05f, p->eye_height - 0.03f, NULL);
        paint_curve(&s->image, hinge, hinge, ear, line_width(s, 0.024f), 1, frame, 0.9f);
    }
    point a = place(s, -p->eye_distance + 0.2f, p->eye_height, NULL),
          m = place(s, 0, p->eye_height - 0.04f, NULL),
          b = place(s, p->eye_distance - 0.2f, p->eye_height, NULL);
    paint_curve(&s->image, a, m, b, line_width(s, 0.026f), 1, frame, 0.9f);
}

/* ---- Light and camera ---------------------------------------------------------------------- */

/* The head as an ellipsoid under one light. */
static void light_picture(scene *s) {
    const pose *h = s->how;
    int size = s->image.size;
    float lx = sinf(h->light_angle), ly = -0.5f * cosf(h->light_angle) - 0.2f;
    for (int y = 0; y < size; y++) {
        for (int x = 0; x < size; x++) {
            float u = ((float)x - s->centre.x) / (s->unit * s->who->width * 1.15f);
            float v = ((float)y - s->centre.y) / (s->unit * 1.1f);
            float facing = u * lx + v * ly;
            facing = facing > 1.1f ? 1.1f : facing < -1.1f ? -1.1f : facing;
            float light = h->ambient * (1 + h->light_strength * facing);
            float *p = s->image.rgb + ((long)y * size + x) * 3;
            p[0] *= light * (1 + h->warmth);
            p[1] *= light;
            p[2] *= light * (1 - h->warmth);
        }
    }
}

static void blur_rows(const float *in, float *out, int size, int step, int line, float width) {
    for (int a = 0; a < size; a++) {
        for (int b = 0; b < size; b++) {
            long at = (long)a * line + (long)b * step;
            long before = b > 0 ? at - step : at, after = b + 1 < size ? at + step : at;
            for (int c = 0; c < 3; c++) {
                out[at + c] =
                    (in[at + c] + width * (in[before + c] + in[after + c]) / 2) / (1 + width);
            }
        }
    }
}

static bool take_picture(scene *s, uint8_t *rgb) {
    const pose *h = s->how;
    long count = (long)s->image.size * s->image.size;
    chance c = {h->seed ^ 0xabcdef};
    float *other = malloc((size_t)count * 3 * sizeof *other);
    if (other == NULL) {
        return false;
    }
    if (h->blur > 0) {
        blur_rows(s->image.rgb, other, s->image.size, 3, s->image.size * 3, h->blur);
        blur_rows(other, s->image.rgb, s->image.size, s->image.size * 3, 3, h->blur);
    }
    free(other);
    for (long k = 0; k < count; k++) {
        float *p = s->image.rgb + k * 3;
        float gray = 0.299f * p[0] + 0.587f * p[1] + 0.114f * p[2];
        for (int channel = 0; channel < 3; channel++) {
            float value = h->gray ? gray : p[channel];
            value = (value - 0.5f) * h->contrast + 0.5f + h->brightness;
            value += h->noise > 0 ? h->noise * chance_normal(&c) : 0;
            value = value < 0 ? 0 : value > 1 ? 1 : value;
            rgb[k * 3 + channel] = (uint8_t)(value * 255 + 0.5f);
        }
    }
    return true;
}

bool draw_person(const person *who, const pose *how, int size, uint8_t *rgb) {
    size_t count = (size_t)size * (size_t)size * 3;
    scene s = {.who = who, .how = how, .image = {size, calloc(count, sizeof(float))}};
    if (s.image.rgb == NULL) {
        return false;
    }
    s.unit = how->scale * (float)size;
    s.centre = (point){((float)0.5 + how->x) * (float)size, ((float)0.5 + how->y) * (float)size};
    s.cosine = cosf(how->roll);
    s.sine = sinf(how->roll);
    paint_background(&s);
    paint_hair_behind(&s);
    paint_body(&s);
    paint_ears(&s);
    paint_head_shape(&s, 0, 0, who->skin, 1);
    paint_beard(&s);
    paint_marks(&s);
    for (int side = -1; side <= 1; side += 2) {
        paint_eye(&s, side);
        paint_brow(&s, side);
    }
    paint_nose(&s);
    paint_mouth(&s);
    paint_hair_front(&s);
    paint_glasses(&s);
    light_picture(&s);
    bool good = take_picture(&s, rgb);
    free(s.image.rgb);
    return good;
}
