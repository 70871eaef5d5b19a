/* What surrounds a face: hair, hat, ears, neck, shoulders, glasses. */
#include "models/faces/figure.h"

#include <math.h>

typedef struct figure {
    film *film;
    grid *scratch;
    const person *who;
    const pose *how;
    const stance *head;
    stance body; /* turns less than the head */
    const lights *lights;
} figure;

static void show(const figure *f, const stance *s, const material *m) {
    grid_place(f->scratch, s);
    film_draw(f->film, f->scratch, m, f->lights);
}

/* An ellipsoid, or with `square` below 1 a fuller body; `low` to `high` in parts of its height, so
 * that a band of it can be drawn. */
static void body(const figure *f, vec3 middle, vec3 radius, float low, float high, float square) {
    grid *g = f->scratch;
    *g = (grid){24, 32, true, g->at};
    for (int row = 0; row < g->rows; row++) {
        float down = (float)M_PI * (low + (high - low) * (float)row / (float)(g->rows - 1));
        for (int column = 0; column < g->columns; column++) {
            float around = 2 * (float)M_PI * (float)column / (float)g->columns;
            float round = powf(sinf(down), square);
            vec3 at = {middle.x + radius.x * round * sinf(around), middle.y - radius.y * cosf(down),
                       middle.z + radius.z * round * cosf(around)};
            g->at[row * g->columns + column] =
                (vertex){.at = at, .u = around / 3, .v = at.y, .cover = 1};
        }
    }
}

static void ball(const figure *f, vec3 middle, vec3 radius, float low, float high) {
    body(f, middle, radius, low, high, 1);
}

/* ---- Hair ---------------------------------------------------------------------------------- */

/* How far below the hairline hair hangs beside the face, and how long it is behind. */
static float hair_length(int style) {
    static const float lengths[] = {0, 0.15f, 0.22f, 0.1f, 0.75f, 1.35f, 1.0f};
    return lengths[style];
}

/* Above 0 where there is hair, at a place around the head seen from its middle. */
static float hair_cover(const person *p, const pose *h, float around, float x, float y) {
    float side = fabsf(around), long_hair = p->hair_style >= 4 ? 1.0f : 0.0f;
    float line = p->hair_line + 0.05f * h->hair_change + 0.30f * x * x;
    if (p->hair_style == 2 || p->hair_style == 5) {
        line += 0.26f * p->fringe;
    } else if (p->hair_style == 3 || p->hair_style == 6) { /* swept to one side */
        float away = (x - p->parting) * (p->parting > 0 ? -1.0f : 1.0f);
        line += 0.22f * (away > 0 ? away : -0.3f * away);
    }
    float opening =
        1.12f + 0.12f * p->fringe - 0.14f * long_hair; /* how far around the face is bare */
    float above = line - y, beside = (side - opening) * 0.8f;
    float end = side > 2.0f ? fmaxf(hair_length(p->hair_style), 0.55f)
                            : hair_length(p->hair_style) - (long_hair > 0 ? 0 : 0.1f * (2 - side));
    return fminf(fmaxf(above, beside), end + 0.08f * h->hair_change - y);
}

static void draw_hair(const figure *f) {
    const person *p = f->who;
    grid *g = f->scratch;
    float volume = p->hair_volume * (1 + 0.25f * f->how->hair_change);
    uint32_t seed = (uint32_t)p->seed * 747796405u;
    *g = (grid){GRID_ROWS, GRID_COLUMNS, true, g->at};
    for (int row = 0; row < g->rows; row++) {
        float t = (float)row / (float)(g->rows - 1), y, width, depth;
        if (t < 0.6f) { /* the dome down to the ears */
            float down = (float)M_PI / 2 * (t + 0.01f) / 0.6f;
            head_ring r = head_ring_at(p, -cosf(down) * p->forehead);
            y = -cosf(down) * (p->forehead + volume);
            width = r.width + volume * 0.6f * sinf(down);
            depth = r.depth + volume * 0.4f * sinf(down);
        } else { /* and what hangs down */
            y = (t - 0.6f) / 0.4f * 1.5f;
            float tight = p->hair_style >= 4 ? 1 + 0.10f * y : 1 - 0.22f * y;
            width = (p->width + volume * 0.6f) * tight;
            depth = (p->depth + volume * 0.4f) * tight;
        }
        for (int column = 0; column < g->columns; column++) {
            float around =
                2 * (float)M_PI * ((float)column + 0.5f) / (float)g->columns - (float)M_PI;
            float wave = 1 + 0.05f * p->curl * smooth_noise(around * 4, y * 6, seed) +
                         0.03f * smooth_noise(around * 9, y * 3, seed + 9);
            vec3 at = {width * wave * sinf(around), y,
                       (cosf(around) < 0 ? 1.18f : 1.04f) * depth * wave * cosf(around)};
            g->at[row * g->columns + column] =
                (vertex){.at = at,
                         .u = around + 0.2f * p->parting * y,
                         .v = y,
                         .cover = hair_cover(p, f->how, around, at.x, y)};
        }
    }
    material m = {.tint = p->hair,
                  .shine = 0.10f,
                  .strands = 0.55f,
                  .curl = p->curl,
                  .ragged = 0.04f,
                  .seed = seed};
    show(f, f->head, &m);
}

static void draw_hat(const figure *f) {
    const person *p = f->who;
    material m = {.tint = f->how->hat_colour, .shine = 0.02f, .strands = 0.06f, .curl = 1};
    float wide = p->width + fmaxf(p->hair_volume, 0.08f) * 0.8f;
    vec3 middle = {0, p->hair_line + 0.12f, -0.05f};
    ball(f, middle, (vec3){wide, 0.55f + p->hair_volume, p->depth * 1.2f}, 0, 0.52f);
    show(f, f->head, &m);
    if ((f->how->seed & 1) != 0) { /* a brim */
        float reach = (f->how->seed & 2) != 0 ? 1.55f : 1.25f;
        ball(f, middle, (vec3){wide * reach, 0.05f, p->depth * 1.3f * reach}, 0, 1);
        show(f, f->head, &m);
    }
}

/* ---- Body ---------------------------------------------------------------------------------- */

static void draw_ears(const figure *f) {
    const person *p = f->who;
    material skin = {.tint = scale_colour(p->skin, 0.95f), .shine = p->gloss * 0.5f, .skin = true};
    material inner = {.tint = scale_colour(p->skin, 0.68f), .skin = true};
    head_ring r = head_ring_at(p, p->ear_height);
    for (int k = 0; k < 2; k++) {
        float side = k == 0 ? -1.0f : 1.0f;
        vec3 at = {side * (r.width + 0.03f), p->ear_height, -0.05f};
        ball(f, at, (vec3){0.055f, p->ear_size, 0.12f}, 0, 1);
        show(f, f->head, &skin);
        vec3 hole = {side * (r.width + 0.065f), p->ear_height - 0.02f, 0.0f};
        ball(f, hole, (vec3){0.035f, p->ear_size * 0.6f, 0.06f}, 0, 1);
        show(f, f->head, &inner);
    }
}

static void draw_body(const figure *f) {
    const person *p = f->who;
    const pose *h = f->how;
    chance c = {h->seed ^ 0x77};
    material skin = {.tint = scale_colour(p->skin, 0.88f), .shine = 0.02f, .skin = true};
    ball(f, (vec3){0, 1.25f, -0.12f}, (vec3){p->neck, 1.1f, p->neck * 1.05f}, 0.1f, 0.9f);
    show(f, &f->body, &skin);
    material cloth = {.tint = h->cloth,
                      .shine = chance_between(&c, 0, 0.05f),
                      .strands = chance_of(&c, 0.5f) ? chance_between(&c, 0.05f, 0.7f) : 0.04f,
                      .curl = chance_between(&c, 0, 2),
                      .seed = (uint32_t)h->seed};
    float neckline = chance_between(&c, 1.18f, 1.6f);
    body(f, (vec3){0, neckline + 1.9f, -0.18f},
         (vec3){chance_between(&c, 1.4f, 1.9f), 2, chance_between(&c, 0.5f, 0.7f)}, 0.005f, 0.995f,
         0.62f);
    show(f, &f->body, &cloth);
    if (chance_of(&c, 0.5f)) { /* a collar */
        ball(f, (vec3){0, neckline + 0.02f, -0.08f}, (vec3){p->neck * 1.22f, 0.22f, p->neck * 1.3f},
             0.3f, 0.75f);
        cloth.tint = chance_of(&c, 0.5f) ? (colour){0.92f, 0.92f, 0.9f} : h->cloth;
        show(f, &f->body, &cloth);
    }
}

/* ---- Glasses -------------------------------------------------------------------------------- */

/* A flat ring about a lens: from its inner to its outer edge; inner 0 is the lens itself. */
static void lens(const figure *f, float side, float inner, float outer, const material *m) {
    const person *p = f->who;
    grid *g = f->scratch;
    float wide = 0.225f, tall = p->round_glasses ? 0.20f : 0.15f, n = p->round_glasses ? 1 : 0.6f;
    *g = (grid){2, 32, true, g->at};
    for (int k = 0; k < 2 * g->columns; k++) {
        float around = 2 * (float)M_PI * (float)(k % g->columns) / (float)g->columns;
        float grow = k < g->columns ? inner : outer, c = cosf(around), s = sinf(around);
        float x = copysignf(powf(fabsf(c), n), c) * wide * grow;
        float y = copysignf(powf(fabsf(s), n), s) * tall * grow;
        vec3 at = {side * (p->eye_distance + 0.01f) + x, p->eye_height + 0.03f + y,
                   p->depth + 0.10f - 0.10f * fabsf(side * p->eye_distance + x)};
        g->at[k] = (vertex){.at = at, .cover = 1};
    }
    show(f, f->head, m);
}

static void bar(const figure *f, vec3 a, vec3 b, float thick, const material *m) {
    grid *g = f->scratch;
    *g = (grid){2, 2, false, g->at};
    for (int k = 0; k < 4; k++) {
        vec3 at = (k & 1) != 0 ? b : a;
        at.y += k < 2 ? -thick : thick;
        g->at[k] = (vertex){.at = at, .cover = 1};
    }
    show(f, f->head, m);
}

static void draw_glasses(const figure *f) {
    const person *p = f->who;
    material frame = {.tint = p->frame, .shine = 0.2f};
    material glass = {.tint = f->how->dark_glasses ? f->how->lens : (colour){0.6f, 0.62f, 0.65f},
                      .shine = 0.35f,
                      .screen_door = !f->how->dark_glasses};
    float thick = 1.07f + 0.10f * (p->frame.g < 0.2f ? 1.0f : 0.3f), z = p->depth + 0.09f;
    for (int k = 0; k < 2; k++) {
        float side = k == 0 ? -1.0f : 1.0f;
        if (f->how->dark_glasses || (f->how->seed & 12) == 0) { /* dark, or mirroring the light */
            lens(f, side, 0, 1, &glass);
        }
        lens(f, side, 0.97f, thick, &frame);
        float x = side * (p->eye_distance + 0.23f), ear = side * (p->width + 0.03f);
        bar(f, (vec3){x, p->eye_height, z - 0.05f}, (vec3){ear, p->eye_height - 0.02f, 0.4f},
            0.015f, &frame);
        bar(f, (vec3){ear, p->eye_height - 0.02f, 0.4f}, (vec3){ear, p->eye_height - 0.02f, -0.05f},
            0.015f, &frame);
    }
    float inner = p->eye_distance - 0.21f;
    bar(f, (vec3){-inner, p->eye_height - 0.01f, z + 0.03f},
        (vec3){inner, p->eye_height - 0.01f, z + 0.03f}, 0.016f, &frame);
}

void worn_draw(film *film, grid *scratch, const person *who, const pose *how, const stance *s,
               const lights *l) {
    figure f = {film, scratch, who, how, s, *s, l};
    f.body = make_stance(how->yaw * 0.3f, how->pitch * 0.2f, how->roll * 0.4f, s->x, s->y, s->unit,
                         s->distance);
    draw_body(&f);
    draw_ears(&f);
    if (who->hair_style > 0) {
        draw_hair(&f);
    }
    if (how->hat) {
        draw_hat(&f);
    }
    if (how->glasses) {
        draw_glasses(&f);
    }
}
