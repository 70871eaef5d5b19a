/* Composing and taking photographs. */
#include "models/faces/scene.h"

#include <math.h>
#include <stdlib.h>

enum { FINENESS = 2 }; /* pixels are drawn as 2 x 2 and averaged */

/* ---- Composition ---------------------------------------------------------------------------- */

void compose_portrait(photograph *out, const person *who, int size, uint64_t seed) {
    *out = (photograph){.width = size, .height = size, .count = 1};
    out->light = make_camera(seed);
    out->sitters[0] = (sitter){.who = *who, .how = make_pose(who, seed)};
}

/* Half a head in parts of the width, so that the head is `share` of the width. */
static float scale_for(const person *who, float share) {
    return share / (2 * who->width);
}

static void lean(chance *c, pose *p) {
    if (chance_of(c, 0.25f)) {
        p->roll = chance_between(c, -0.6f, 0.6f);
    }
}

static float within(chance *c, float margin) {
    return margin < 0.5f ? chance_between(c, margin, 1 - margin) : 0.5f;
}

void compose_scene(photograph *out, const person *who, int size, uint64_t seed) {
    chance c = {seed * 0xa0761d6478bd642fu + 3};
    float share = 0.2f * powf(4.5f, chance_between(&c, 0, 1)); /* 0.2 .. 0.9 */
    bool tall = share > 0.5f || chance_of(&c, 0.4f);
    int shorter = size * 3 / 4;
    *out =
        (photograph){.width = tall ? shorter : size, .height = tall ? size : shorter, .count = 1};
    out->light = make_camera(seed);
    pose how = make_pose(who, seed);
    float aspect = (float)out->width / (float)out->height;
    how.scale = scale_for(who, share);
    how.x = within(&c, share * 0.55f);
    how.y = within(&c, how.scale * aspect * 1.0f);
    lean(&c, &how);
    out->sitters[0] = (sitter){.who = *who, .how = how};
}

/* Whether the body of who is nearer leaves the face of who is behind to be seen. */
static bool face_is_free(const pose *a, const pose *b, float dx, float aspect) {
    const pose *near = a->scale > b->scale ? a : b, *far = near == a ? b : a;
    float below = (far->y - near->y) * aspect;
    return dx > 1.7f * near->scale + 0.8f * far->scale ||
           below < 0.9f * near->scale - 0.8f * far->scale;
}

static bool apart(const photograph *p, const pose *how) {
    float aspect = (float)p->height / (float)p->width;
    for (int k = 0; k < p->count; k++) {
        const pose *other = &p->sitters[k].how;
        float dx = fabsf(how->x - other->x), dy = fabsf(how->y - other->y) * aspect;
        bool heads_touch =
            dx < 0.85f * (how->scale + other->scale) && dy < 1.15f * (how->scale + other->scale);
        if (heads_touch || !face_is_free(how, other, dx, aspect)) {
            return false;
        }
    }
    return true;
}

static int farther_first(const void *a, const void *b) {
    float left = ((const sitter *)a)->how.scale, right = ((const sitter *)b)->how.scale;
    return (left > right) - (left < right);
}

void compose_group(photograph *out, const person *people, int count, int size, uint64_t seed) {
    chance c = {seed * 0xe7037ed1a0b428dbu + 5};
    *out = (photograph){.width = size, .height = size * 3 / 4};
    out->light = make_camera(seed);
    float share = chance_between(&c, 0.45f, 0.85f) / (float)(count < 2 ? 2 : count);
    for (int k = 0; k < count; k++) {
        pose how = make_pose(people + k, seed * 31 + (uint64_t)k);
        bool placed = false;
        for (int attempt = 0; attempt < 200 && !placed; attempt++) {
            float smaller = 1 - 0.003f * (float)attempt;
            how.scale = scale_for(people + k, share * chance_between(&c, 0.75f, 1.2f) * smaller);
            how.x = within(&c, how.scale);
            how.y = chance_between(&c, 1.3f * how.scale, fmaxf(0.55f, 1.35f * how.scale));
            placed = apart(out, &how);
        }
        lean(&c, &how);
        if (placed) {
            out->sitters[out->count++] = (sitter){.who = people[k], .how = how};
        }
    }
    qsort(out->sitters, (size_t)out->count, sizeof *out->sitters, farther_first);
}

void compose_empty(photograph *out, const person *people, int count, int size, uint64_t seed) {
    compose_group(out, people, count, size, seed);
    chance c = {seed * 0x8ebc6af09c88c6e3u + 7};
    for (int k = 0; k < out->count; k++) {
        pose *how = &out->sitters[k].how;
        how->yaw = (float)M_PI + chance_between(&c, -0.5f, 0.5f);
        how->glasses = false;
        out->sitters[k].turned_away = true;
    }
}

/* ---- Taking --------------------------------------------------------------------------------- */

typedef struct studio {
    film film;
    canvas skin;
    grid scratch;
} studio;

static float to_picture(float pixel) {
    return pixel / FINENESS;
}

/* The face reaches from the forehead to the chin and from cheek to cheek, as it is seen. */
static void find_truth(const sitter *who, const stance *s, truth *out) {
    const person *p = &who->who;
    float low = p->mouth_height - 0.05f * who->how.smile;
    float half = p->mouth_width * (1 + 0.22f * fmaxf(0, who->how.smile));
    const float places[POINTS][2] = {{-p->eye_distance, p->eye_height},
                                     {p->eye_distance, p->eye_height},
                                     {0, p->eye_height + p->nose_length - 0.03f},
                                     {-half, low},
                                     {half, low}};
    for (int k = 0; k < POINTS; k++) {
        point at = stance_pixel(s, head_point(p, &who->how, places[k][0], places[k][1]));
        out->points[k][0] = to_picture(at.x);
        out->points[k][1] = to_picture(at.y);
    }
    out->left = out->top = INFINITY;
    out->right = out->bottom = -INFINITY;
    for (int row = 0; row <= 12; row++) {
        float y = -0.58f + 1.56f * (float)row / 12, wide = 0.94f * head_ring_at(p, y).width;
        for (int column = -4; column <= 4; column++) {
            point at = stance_pixel(s, head_point(p, &who->how, wide * (float)column / 4, y));
            out->left = fminf(out->left, to_picture(at.x));
            out->right = fmaxf(out->right, to_picture(at.x));
            out->top = fminf(out->top, to_picture(at.y));
            out->bottom = fmaxf(out->bottom, to_picture(at.y));
        }
    }
}

static void draw_sitter(studio *st, const sitter *who, const lights *l, const stance *s) {
    skin_paint(&st->skin, &who->who, &who->how);
    film_clear_depth(&st->film);
    material skin = {.texture = &st->skin, .shine = who->who.gloss, .skin = true};
    head_grid(&who->who, &who->how, &st->scratch);
    grid_place(&st->scratch, s);
    film_draw(&st->film, &st->scratch, &skin, l);
    worn_draw(&st->film, &st->scratch, &who->who, &who->how, s, l);
}

/* As many texels as the largest head has pixels. */
static int texture_size(const photograph *p) {
    float largest = 0;
    for (int k = 0; k < p->count; k++) {
        largest = fmaxf(largest, p->sitters[k].how.scale * (float)(p->width * FINENESS));
    }
    int size = (int)(largest * 2.6f);
    return size < 96 ? 96 : size > 640 ? 640 : size;
}

static bool open_studio(studio *st, const photograph *p) {
    size_t wide = (size_t)p->width * FINENESS, pixels = wide * (size_t)p->height * FINENESS;
    int texels = texture_size(p);
    st->film.image = (canvas){(int)wide, p->height * FINENESS, malloc(pixels * 3 * sizeof(float))};
    st->film.depth = malloc(pixels * sizeof(float));
    st->skin =
        (canvas){texels, texels, malloc((size_t)texels * (size_t)texels * 3 * sizeof(float))};
    st->scratch.at = malloc((size_t)GRID_ROWS * GRID_COLUMNS * sizeof(vertex));
    return st->film.image.rgb != NULL && st->film.depth != NULL && st->skin.rgb != NULL &&
           st->scratch.at != NULL;
}

bool photograph_take(photograph *p, uint8_t *rgb) {
    studio st = {0};
    bool good = open_studio(&st, p);
    if (good) {
        lights l = make_lights(&p->light);
        background_paint(&st.film.image, &p->light);
        for (int k = 0; k < p->count; k++) {
            const sitter *who = p->sitters + k;
            const pose *how = &who->how;
            stance s =
                make_stance(how->yaw, how->pitch, how->roll, how->x * (float)st.film.image.width,
                            how->y * (float)st.film.image.height,
                            how->scale * (float)st.film.image.width, how->distance);
            draw_sitter(&st, who, &l, &s);
            find_truth(who, &s, p->truths + k);
            obstacle_paint(&st.film.image, p->truths + k, how->seed);
        }
        good = camera_develop(&st.film.image, &p->light, rgb);
    }
    free(st.film.image.rgb);
    free(st.film.depth);
    free(st.skin.rgb);
    free(st.scratch.at);
    return good;
}
