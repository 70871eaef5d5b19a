/* Shapes with soft edges. */
#include "models/faces/paint.h"

#include <math.h>

colour mix_colours(colour a, colour b, float share) {
    return (colour){a.r + (b.r - a.r) * share, a.g + (b.g - a.g) * share,
                    a.b + (b.b - a.b) * share};
}

colour scale_colour(colour c, float factor) {
    return (colour){c.r * factor, c.g * factor, c.b * factor};
}

static uint32_t lattice(int x, int y, uint32_t seed) {
    uint32_t h = (uint32_t)x * 0x8da6b343u ^ (uint32_t)y * 0xd8163841u ^ seed * 0xcb1ab31fu;
    h = (h ^ (h >> 15)) * 0x2c1b3c6du;
    h = (h ^ (h >> 12)) * 0x297a2d39u;
    return h ^ (h >> 15);
}

float smooth_noise(float x, float y, uint32_t seed) {
    float fx = floorf(x), fy = floorf(y), tx = x - fx, ty = y - fy;
    int ix = (int)fx, iy = (int)fy;
    float v[4];
    for (int k = 0; k < 4; k++) {
        v[k] = (float)(lattice(ix + (k & 1), iy + (k >> 1), seed) >> 8) * 0x1p-23f - 1;
    }
    tx *= tx * (3 - 2 * tx);
    ty *= ty * (3 - 2 * ty);
    float above = v[0] + (v[1] - v[0]) * tx, below = v[2] + (v[3] - v[2]) * tx;
    return above + (below - above) * ty;
}

static int clamp_pixel(float value, int size) {
    return value < 0 ? 0 : value > (float)(size - 1) ? size - 1 : (int)value;
}

typedef struct box {
    int left, right, top, bottom;
} box;

static box box_around(const canvas *c, float left, float right, float top, float bottom,
                      float margin) {
    return (box){clamp_pixel(left - margin, c->width), clamp_pixel(right + margin + 1, c->width),
                 clamp_pixel(top - margin, c->height), clamp_pixel(bottom + margin + 1, c->height)};
}

static void blend(canvas *c, int x, int y, float distance, float soft, colour fill, float opacity) {
    float share = 0.5f - distance / soft;
    share = (share < 0 ? 0 : share > 1 ? 1 : share) * opacity;
    if (share > 0) {
        float *p = c->rgb + ((long)y * c->width + x) * 3;
        p[0] += (fill.r - p[0]) * share;
        p[1] += (fill.g - p[1]) * share;
        p[2] += (fill.b - p[2]) * share;
    }
}

/* First-order distance to an ellipse: f (f - 1) / |grad f|. */
static float ellipse_distance(float x, float y, float rx, float ry) {
    float f = sqrtf(x * x / (rx * rx) + y * y / (ry * ry));
    float g = sqrtf(x * x / (rx * rx * rx * rx) + y * y / (ry * ry * ry * ry));
    return g > 0 ? f * (f - 1) / g : -fminf(rx, ry);
}

void paint_ellipse(canvas *c, point centre, float rx, float ry, float angle, float soft,
                   colour fill, float opacity) {
    float reach = fmaxf(rx, ry), cosine = cosf(angle), sine = sinf(angle);
    rx = fmaxf(rx, 0.05f);
    ry = fmaxf(ry, 0.05f);
    soft = fmaxf(soft, 1);
    box b =
        box_around(c, centre.x - reach, centre.x + reach, centre.y - reach, centre.y + reach, soft);
    for (int y = b.top; y <= b.bottom; y++) {
        for (int x = b.left; x <= b.right; x++) {
            float dx = (float)x + 0.5f - centre.x, dy = (float)y + 0.5f - centre.y;
            float u = dx * cosine + dy * sine, v = dy * cosine - dx * sine;
            blend(c, x, y, ellipse_distance(u, v, rx, ry), soft, fill, opacity);
        }
    }
}

void paint_box(canvas *c, point centre, float half_width, float half_height, float angle,
               colour fill, float opacity) {
    float reach = half_width + half_height, cosine = cosf(angle), sine = sinf(angle);
    box b =
        box_around(c, centre.x - reach, centre.x + reach, centre.y - reach, centre.y + reach, 1);
    for (int y = b.top; y <= b.bottom; y++) {
        for (int x = b.left; x <= b.right; x++) {
            float dx = (float)x + 0.5f - centre.x, dy = (float)y + 0.5f - centre.y;
            float u = fabsf(dx * cosine + dy * sine) - half_width;
            float v = fabsf(dy * cosine - dx * sine) - half_height;
            blend(c, x, y, fmaxf(u, v), 1, fill, opacity);
        }
    }
}

void paint_glow(canvas *c, point centre, float reach, colour change) {
    float far = 2.5f * reach;
    box b = box_around(c, centre.x - far, centre.x + far, centre.y - far, centre.y + far, 0);
    for (int y = b.top; y <= b.bottom; y++) {
        for (int x = b.left; x <= b.right; x++) {
            float dx = (float)x + 0.5f - centre.x, dy = (float)y + 0.5f - centre.y;
            float share = expf(-(dx * dx + dy * dy) / (2 * reach * reach));
            float *p = c->rgb + ((long)y * c->width + x) * 3;
            p[0] += change.r * share;
            p[1] += change.g * share;
            p[2] += change.b * share;
        }
    }
}

static float segment_distance(point p, point a, point b) {
    float dx = b.x - a.x, dy = b.y - a.y, length = dx * dx + dy * dy;
    float t = length > 0 ? ((p.x - a.x) * dx + (p.y - a.y) * dy) / length : 0;
    t = t < 0 ? 0 : t > 1 ? 1 : t;
    return hypotf(p.x - a.x - t * dx, p.y - a.y - t * dy);
}

enum { PIECES = 10 };

void paint_curve(canvas *c, point a, point b, point end, float width, float soft, colour fill,
                 float opacity) {
    point line[PIECES + 1];
    float left = a.x, right = a.x, top = a.y, bottom = a.y;
    soft = fmaxf(soft, 1);
    for (int k = 0; k <= PIECES; k++) {
        float t = (float)k / PIECES, s = 1 - t;
        line[k] = (point){s * s * a.x + 2 * s * t * b.x + t * t * end.x,
                          s * s * a.y + 2 * s * t * b.y + t * t * end.y};
        left = fminf(left, line[k].x);
        right = fmaxf(right, line[k].x);
        top = fminf(top, line[k].y);
        bottom = fmaxf(bottom, line[k].y);
    }
    box around = box_around(c, left, right, top, bottom, width / 2 + soft);
    for (int y = around.top; y <= around.bottom; y++) {
        for (int x = around.left; x <= around.right; x++) {
            point p = {(float)x + 0.5f, (float)y + 0.5f};
            float d = INFINITY;
            for (int k = 0; k < PIECES; k++) {
                d = fminf(d, segment_distance(p, line[k], line[k + 1]));
            }
            blend(c, x, y, d - width / 2, soft, fill, opacity);
        }
    }
}
