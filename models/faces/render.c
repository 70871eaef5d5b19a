/* From surfaces to pixels: triangles, a depth buffer, two lights and the sky. */
#include "models/faces/render.h"

#include <math.h>
#include <stddef.h>

static vec3 normalised(vec3 v) {
    float length = sqrtf(v.x * v.x + v.y * v.y + v.z * v.z);
    float scale = length > 1e-9f ? 1 / length : 0;
    return (vec3){v.x * scale, v.y * scale, v.z * scale};
}

static float dot(vec3 a, vec3 b) {
    return a.x * b.x + a.y * b.y + a.z * b.z;
}

static vec3 cross(vec3 a, vec3 b) {
    return (vec3){a.y * b.z - a.z * b.y, a.z * b.x - a.x * b.z, a.x * b.y - a.y * b.x};
}

static vec3 minus(vec3 a, vec3 b) {
    return (vec3){a.x - b.x, a.y - b.y, a.z - b.z};
}

/* ---- Stances and lights --------------------------------------------------------------------- */

stance make_stance(float yaw, float pitch, float roll, float x, float y, float unit,
                   float distance) {
    float cy = cosf(yaw), sy = sinf(yaw), cp = cosf(pitch), sp = sinf(pitch), cr = cosf(roll),
          sr = sinf(roll);
    /* Roll after yaw after pitch: z turns towards +x by the yaw and towards +y by the pitch. */
    float a[9] = {cy, -sy * sp, sy * cp, 0, cp, sp, -sy, -cy * sp, cy * cp};
    stance s = {.x = x, .y = y, .unit = unit, .distance = distance};
    for (int k = 0; k < 3; k++) {
        s.turn[k] = cr * a[k] - sr * a[3 + k];
        s.turn[3 + k] = sr * a[k] + cr * a[3 + k];
        s.turn[6 + k] = a[6 + k];
    }
    return s;
}

vec3 stance_turned(const stance *s, vec3 at) {
    const float *m = s->turn;
    return (vec3){m[0] * at.x + m[1] * at.y + m[2] * at.z, m[3] * at.x + m[4] * at.y + m[5] * at.z,
                  m[6] * at.x + m[7] * at.y + m[8] * at.z};
}

static point project(const stance *s, vec3 at) {
    float scale = s->unit * s->distance / fmaxf(s->distance - at.z, 0.5f);
    return (point){s->x + at.x * scale, s->y + at.y * scale};
}

point stance_pixel(const stance *s, vec3 at) {
    return project(s, stance_turned(s, at));
}

lights make_lights(const camera *c) {
    float side = sinf(c->light_angle), front = cosf(c->light_angle) * 0.8f + 0.25f;
    lights l = {.key_from = normalised((vec3){side, -c->light_height, front}),
                .fill_from = normalised((vec3){-side, -0.2f, 0.8f})};
    colour tint = {1 + c->warmth, 1, 1 - c->warmth};
    colour white = {1, 1, 1};
    l.key = scale_colour(tint, c->key);
    l.fill = scale_colour(white, c->fill);
    l.sky = scale_colour(mix_colours(white, tint, 0.5f), c->ambient);
    l.ground = scale_colour(white, c->ambient * (0.75f - 0.35f * c->hard));
    return l;
}

/* ---- Grids ---------------------------------------------------------------------------------- */

static const vertex *grid_vertex(const grid *g, int row, int column) {
    row = row < 0 ? 0 : row >= g->rows ? g->rows - 1 : row;
    if (g->closed) {
        column = (column + g->columns) % g->columns;
    } else {
        column = column < 0 ? 0 : column >= g->columns ? g->columns - 1 : column;
    }
    return g->at + (size_t)row * (size_t)g->columns + column;
}

void grid_place(grid *g, const stance *s) {
    for (int k = 0; k < g->rows * g->columns; k++) {
        vertex *v = g->at + k;
        v->at = stance_turned(s, v->at);
        point p = project(s, v->at);
        v->px = p.x;
        v->py = p.y;
        v->pz = v->at.z;
    }
    for (int row = 0; row < g->rows; row++) {
        for (int column = 0; column < g->columns; column++) {
            vec3 across =
                minus(grid_vertex(g, row, column + 1)->at, grid_vertex(g, row, column - 1)->at);
            vec3 down =
                minus(grid_vertex(g, row + 1, column)->at, grid_vertex(g, row - 1, column)->at);
            g->at[row * g->columns + column].normal = normalised(cross(across, down));
        }
    }
}

/* ---- Light ---------------------------------------------------------------------------------- */

static colour texture_at(const canvas *t, float u, float v) {
    float reach = (float)TEXTURE_REACH_TENTHS / 10;
    float x = (u + reach) / (2 * reach) * (float)t->width - 0.5f;
    float y = (v + reach) / (2 * reach) * (float)t->height - 0.5f;
    x = fminf(fmaxf(x, 0), (float)t->width - 1.001f);
    y = fminf(fmaxf(y, 0), (float)t->height - 1.001f);
    int ix = (int)x, iy = (int)y;
    float tx = x - (float)ix, ty = y - (float)iy, out[3];
    const float *p = t->rgb + ((long)iy * t->width + ix) * 3, *q = p + (long)t->width * 3;
    for (int k = 0; k < 3; k++) {
        float above = p[k] + (p[k + 3] - p[k]) * tx, below = q[k] + (q[k + 3] - q[k]) * tx;
        out[k] = above + (below - above) * ty;
    }
    return (colour){out[0], out[1], out[2]};
}

static float strand(const material *m, float u, float v) {
    float wave = m->curl * 0.5f * smooth_noise(u * 3, v * 5, m->seed + 3);
    float fine = smooth_noise((u + wave) * 34, v * (2 + 10 * m->curl), m->seed);
    float wide = smooth_noise((u + wave) * 9, v * (1.5f + 5 * m->curl), m->seed + 1);
    return 1 + m->strands * (0.55f * fine + 0.6f * wide);
}

/* Light scatters beneath skin, the red most: it wraps around into the shade. */
static float wrapped(float facing, float wrap) {
    float value = (facing + wrap) / (1 + wrap);
    return value > 0 ? value : 0;
}

static void lit(const material *m, const lights *l, const vertex *v, float *out_rgb) {
    colour base = m->texture != NULL ? texture_at(m->texture, v->u, v->v) : m->tint;
    if (m->strands > 0) {
        base = scale_colour(base, strand(m, v->u, v->v));
    }
    vec3 n = normalised(v->normal);
    if (n.z < 0) { /* the inner side */
        n = (vec3){-n.x, -n.y, -n.z};
    }
    float up = 0.5f - 0.5f * n.y, key = dot(n, l->key_from), fill = dot(n, l->fill_from);
    vec3 half = normalised((vec3){l->key_from.x, l->key_from.y, l->key_from.z + 1});
    float shine = fmaxf(dot(n, half), 0);
    shine *= shine;
    shine *= shine;
    shine *= shine;
    shine *= shine * m->shine * l->key.g;
    const float wraps[3] = {0.30f, 0.14f, 0.08f};
    const float keys[3] = {l->key.r, l->key.g, l->key.b}, albedo[3] = {base.r, base.g, base.b};
    const float skies[3] = {l->sky.r, l->sky.g, l->sky.b};
    const float grounds[3] = {l->ground.r, l->ground.g, l->ground.b};
    for (int k = 0; k < 3; k++) {
        float wrap = m->skin ? wraps[k] : 0.05f;
        float light = skies[k] * up + grounds[k] * (1 - up) + keys[k] * wrapped(key, wrap) +
                      l->fill.g * wrapped(fill, wrap);
        float linear = fmaxf(albedo[k], 0);
        out_rgb[k] = sqrtf(linear * linear * light + shine);
    }
}

/* ---- Triangles ------------------------------------------------------------------------------ */

void film_clear_depth(film *f) {
    for (long k = 0; k < (long)f->image.width * f->image.height; k++) {
        f->depth[k] = -INFINITY;
    }
}

static vertex between(const vertex *a, const vertex *b, const vertex *c, float s, float t) {
    float r = 1 - s - t;
#define BLEND(field) (a->field * r + b->field * s + c->field * t)
    return (vertex){.normal = {BLEND(normal.x), BLEND(normal.y), BLEND(normal.z)},
                    .u = BLEND(u),
                    .v = BLEND(v),
                    .cover = BLEND(cover),
                    .pz = BLEND(pz)};
#undef BLEND
}

static void draw_pixel(film *f, int x, int y, const vertex *v, const material *m, const lights *l) {
    long at = (long)y * f->image.width + x;
    if (v->pz <= f->depth[at] || (m->screen_door && ((x ^ y) & 1) != 0)) {
        return;
    }
    float edge = m->ragged > 0 ? m->ragged * smooth_noise(v->u * 45, v->v * 16, m->seed + 7) : 0;
    if (v->cover + edge <= 0) {
        return;
    }
    f->depth[at] = v->pz;
    lit(m, l, v, f->image.rgb + at * 3);
}

static int limit(float value, int size) {
    return value < 0 ? 0 : value > (float)size ? size : (int)value;
}

static void draw_triangle(film *f, const vertex *a, const vertex *b, const vertex *c,
                          const material *m, const lights *l) {
    float area = (b->px - a->px) * (c->py - a->py) - (b->py - a->py) * (c->px - a->px);
    if (fabsf(area) < 1e-6f || fmaxf(a->cover, fmaxf(b->cover, c->cover)) + m->ragged <= 0) {
        return;
    }
    int left = limit(fminf(a->px, fminf(b->px, c->px)), f->image.width);
    int right = limit(fmaxf(a->px, fmaxf(b->px, c->px)) + 1, f->image.width);
    int top = limit(fminf(a->py, fminf(b->py, c->py)), f->image.height);
    int bottom = limit(fmaxf(a->py, fmaxf(b->py, c->py)) + 1, f->image.height);
    for (int y = top; y < bottom; y++) {
        for (int x = left; x < right; x++) {
            float dx = (float)x + 0.5f - a->px, dy = (float)y + 0.5f - a->py;
            float s = (dx * (c->py - a->py) - dy * (c->px - a->px)) / area;
            float t = (dy * (b->px - a->px) - dx * (b->py - a->py)) / area;
            if (s >= -1e-4f && t >= -1e-4f && s + t <= 1.0001f) {
                vertex v = between(a, b, c, s, t);
                draw_pixel(f, x, y, &v, m, l);
            }
        }
    }
}

void film_draw(film *f, const grid *g, const material *m, const lights *l) {
    for (int row = 0; row + 1 < g->rows; row++) {
        for (int column = 0; column + !g->closed < g->columns; column++) {
            const vertex *a = grid_vertex(g, row, column), *b = grid_vertex(g, row, column + 1);
            const vertex *c = grid_vertex(g, row + 1, column),
                         *d = grid_vertex(g, row + 1, column + 1);
            draw_triangle(f, a, b, c, m, l);
            draw_triangle(f, b, d, c, m, l);
        }
    }
}
