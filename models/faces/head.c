/* The shape of a head: rounded rings from crown to chin, and on the front the face's relief. */
#include "models/faces/figure.h"

#include <math.h>

static float bell(float x, float y, float reach_x, float reach_y) {
    float q = x * x / (reach_x * reach_x) + y * y / (reach_y * reach_y);
    return q < 12 ? expf(-0.5f * q) : 0;
}

static float step_between(float low, float high, float x) {
    float t = (x - low) / (high - low);
    t = t < 0 ? 0 : t > 1 ? 1 : t;
    return t * t * (3 - 2 * t);
}

head_ring head_ring_at(const person *p, float y) {
    float high = y < 0 ? p->forehead : 1, n = y > 0 ? 2.2f : 2.4f, taper = 1;
    float share = fminf(fabsf(y) / high, 1);
    float round = powf(1 - powf(share, n), 1 / n);
    if (y > 0) { /* fuller at the cheeks, tapering to the chin */
        float low = y * y;
        taper = 1 - low * (1 - p->jaw) + 0.3f * (p->cheek - 0.9f) * sinf(low * (float)M_PI);
        taper += low * low * (p->chin * 0.25f / p->width - 0.25f);
    }
    return (head_ring){p->width * taper * round, p->depth * round, y > 0 ? 0.42f * y * y : 0};
}

static float nose_relief(const person *p, float x, float y) {
    float top = p->eye_height - 0.02f, tip = p->eye_height + p->nose_length;
    float s = (y - top) / (tip - top), height, wide;
    if (s < 0) {
        height = 0.06f * bell(y - top, 0, 0.10f, 1);
        wide = p->nose_bridge * 1.2f;
    } else if (s < 1) {
        height = 0.06f + (p->nose_out - 0.06f) * powf(s, 1.25f);
        wide = p->nose_bridge + (p->nose_width * 0.50f - p->nose_bridge) * s * s;
    } else {
        height = p->nose_out * bell(y - tip, 0, 0.045f, 1);
        wide = p->nose_width * 0.5f;
    }
    float relief = height * bell(x - p->nose_bent * s * (1 - s), 0, wide, 1);
    float wing = fabsf(x) - p->nose_width * 0.80f;
    return relief + 0.085f * bell(wing, y - tip + 0.02f, 0.045f, 0.05f);
}

static float mouth_relief(const person *p, const pose *h, float x, float y) {
    float middle = p->mouth_height - 0.03f * h->smile * (x * x) / 0.05f, gap = 0.05f * h->open;
    float wide = p->mouth_width * (0.62f + 0.12f * fmaxf(0, h->smile));
    float relief = bell(x, 0, p->mouth_width * 1.3f, 1) * 0.05f * bell(y - middle, 0, 0.15f, 1);
    relief += p->lip_out * bell(x, y - middle + p->lip_upper * 0.8f + gap, wide, 0.028f);
    relief += p->lip_out * bell(x, y - middle - p->lip_lower * 0.8f - gap * 2, wide, 0.034f);
    relief -= 0.03f * bell(x, y - middle, wide * 1.2f, 0.012f);
    relief -= 0.025f * bell(x, y - middle - 0.16f, 0.16f, 0.035f);
    return relief - 0.012f * bell(x, y - middle + 0.10f, 0.03f, 0.04f);
}

static float face_relief(const person *p, const pose *h, float x, float y) {
    float side = fabsf(x), e = p->eye_height, relief = nose_relief(p, x, y);
    relief += mouth_relief(p, h, x, y);
    relief -= p->eye_depth * bell(side - p->eye_distance, y - e + 0.01f, 0.14f, 0.08f);
    relief -= 0.03f * bell(side - 0.11f, y - e, 0.045f, 0.08f);
    relief += 0.035f * bell(side - p->eye_distance, y - e, 0.085f, 0.055f);
    float brow = y - e + p->brow_height * 0.85f;
    relief += p->brow_ridge * bell(side - p->eye_distance * 0.85f, brow, 0.17f, 0.05f);
    float smile = fmaxf(0, h->smile);
    relief += p->cheekbone * bell(side - 0.42f, y - e - 0.20f, 0.15f, 0.12f);
    relief += 0.045f * smile * bell(side - 0.34f, y - e - 0.34f, 0.12f, 0.09f);
    relief -= 0.03f * bell(side - 0.40f, y - e - 0.52f, 0.13f, 0.16f);
    float fold = side - (p->nose_width + 0.05f + (y - e - 0.36f) * 0.5f);
    relief -= 0.022f * (p->folds + smile) * bell(fold, y - e - 0.46f, 0.035f, 0.11f);
    relief += p->chin_out * bell(x, y - 0.87f, 0.15f, 0.11f);
    for (int k = 0; k < BUMPS; k++) {
        const bump *b = p->bumps + k;
        relief += b->height *
                  bell((b->mirrored ? side - fabsf(b->x) : x - b->x), y - b->y, b->reach, b->reach);
    }
    return relief + p->asymmetry * 2 * x * bell(x, y - 0.2f, 0.6f, 0.6f);
}

enum { ROUNDNESS_TENTHS = 23 };

vec3 head_point(const person *who, const pose *how, float x, float y) {
    const float n = (float)ROUNDNESS_TENTHS / 10;
    head_ring r = head_ring_at(who, y);
    float side = fminf(fabsf(x) / fmaxf(r.width, 1e-3f), 1);
    float z = r.middle + r.depth * powf(1 - powf(side, n), 1 / n);
    return (vec3){x, y, z + face_relief(who, how, x, y)};
}

static float signed_power(float x, float exponent) {
    return x < 0 ? -powf(-x, exponent) : powf(x, exponent);
}

void head_grid(const person *who, const pose *how, grid *out) {
    const float exponent = 20.0f / ROUNDNESS_TENTHS;
    *out = (grid){GRID_ROWS, GRID_COLUMNS, true, out->at};
    for (int row = 0; row < out->rows; row++) {
        float down = (float)M_PI * ((float)row + 0.02f) / ((float)out->rows - 0.96f);
        float y = -cosf(down) * (down < (float)M_PI / 2 ? who->forehead : 1);
        head_ring r = head_ring_at(who, y);
        for (int column = 0; column < out->columns; column++) {
            /* Denser in front, where the face is. */
            float t = 2 * ((float)column + 0.5f) / (float)out->columns - 1;
            float around = (float)M_PI * (0.5f * t + 0.5f * t * t * t);
            float front = step_between(0.05f, 0.45f, cosf(around));
            float behind = cosf(around) < 0 ? 1.22f - 0.35f * fmaxf(0, y) : 1;
            vec3 at = {r.width * signed_power(sinf(around), exponent), y,
                       r.middle + behind * r.depth * signed_power(cosf(around), exponent)};
            float unrolled =
                cosf(around) < 0 ? copysignf(2 * who->width - fabsf(at.x), at.x) : at.x;
            if (front > 0) {
                at.z += front * face_relief(who, how, at.x, y);
            }
            out->at[row * out->columns + column] =
                (vertex){.at = at, .u = unrolled, .v = y, .cover = 1};
        }
    }
}
