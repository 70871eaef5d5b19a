/* Seeded people, poses and cameras. */
#include "models/faces/person.h"

#include <math.h>

uint64_t chance_bits(chance *c) {
    uint64_t z = (c->state += 0x9e3779b97f4a7c15u); /* splitmix64 */
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

float chance_between(chance *c, float low, float high) {
    return low + (high - low) * (float)(chance_bits(c) >> 40) * 0x1p-24f;
}

float chance_normal(chance *c) {
    float sum = 0;
    for (int k = 0; k < 6; k++) {
        sum += chance_between(c, -1, 1);
    }
    return sum * 0.7071f;
}

bool chance_of(chance *c, float probability) {
    return chance_between(c, 0, 1) < probability;
}

int chance_below(chance *c, int count) {
    return (int)(chance_bits(c) % (uint64_t)count);
}

/* A length that varies about a mean, kept within two deviations. */
static float about(chance *c, float mean, float deviation) {
    float z = chance_normal(c);
    return mean + deviation * (z > 2 ? 2 : z < -2 ? -2 : z);
}

static colour varied(chance *c, colour base, float by) {
    float light = chance_between(c, -by, by);
    return (colour){base.r + light + chance_between(c, -by, by) * 0.4f,
                    base.g + light + chance_between(c, -by, by) * 0.4f,
                    base.b + light + chance_between(c, -by, by) * 0.4f};
}

static colour any_colour(chance *c, float low, float high) {
    float gray = chance_between(c, low, high), share = chance_between(c, 0, 1);
    colour vivid = {chance_between(c, low, high), chance_between(c, low, high),
                    chance_between(c, low, high)};
    return mix_colours((colour){gray, gray, gray}, vivid, share);
}

static const colour skins[] = {{0.94f, 0.80f, 0.71f}, {0.91f, 0.74f, 0.63f}, {0.87f, 0.68f, 0.55f},
                               {0.80f, 0.60f, 0.46f}, {0.70f, 0.50f, 0.37f}, {0.55f, 0.38f, 0.28f},
                               {0.42f, 0.29f, 0.22f}};
static const colour hairs[] = {{0.10f, 0.08f, 0.07f}, {0.16f, 0.11f, 0.08f}, {0.24f, 0.16f, 0.11f},
                               {0.36f, 0.24f, 0.15f}, {0.52f, 0.37f, 0.22f}, {0.74f, 0.60f, 0.38f},
                               {0.50f, 0.24f, 0.13f}, {0.55f, 0.54f, 0.53f}, {0.80f, 0.79f, 0.77f}};
static const colour irises[] = {{0.20f, 0.12f, 0.07f},
                                {0.30f, 0.19f, 0.10f},
                                {0.30f, 0.36f, 0.24f},
                                {0.30f, 0.42f, 0.56f},
                                {0.40f, 0.45f, 0.48f}};

static void choose_head(chance *c, person *p) {
    p->width = about(c, 0.69f, 0.04f);
    p->jaw = about(c, 0.92f, 0.08f);
    p->chin = about(c, 0.52f, 0.10f);
    p->forehead = about(c, 0.98f, 0.05f);
    p->cheek = about(c, 1.0f, 0.05f);
    p->depth = about(c, 0.76f, 0.05f);
    p->cheekbone = about(c, 0.05f, 0.03f);
    p->chin_out = about(c, 0.07f, 0.04f);
    p->ear_size = about(c, 0.20f, 0.03f);
    p->ear_height = about(c, 0.14f, 0.04f);
    p->neck = about(c, 0.41f, 0.05f);
    p->age = chance_between(c, 0, 1);
    p->asymmetry = about(c, 0, 0.012f);
    p->folds = chance_between(c, 0.1f, 0.5f) + 0.5f * p->age;
    p->bags = chance_between(c, 0, 0.6f) + 0.4f * p->age;
    p->gloss = chance_between(c, 0.03f, 0.22f);
}

static void choose_eyes(chance *c, person *p) {
    p->eye_distance = about(c, 0.28f, 0.02f);
    p->eye_height = about(c, 0, 0.035f);
    p->eye_width = about(c, 0.125f, 0.012f);
    p->eye_open = about(c, 0.050f, 0.012f);
    p->eye_tilt = about(c, -0.02f, 0.07f);
    p->iris_size = about(c, 0.060f, 0.004f);
    p->lid = chance_between(c, 0, 1);
    p->eye_depth = about(c, 0.075f, 0.025f);
    p->brow_height = about(c, 0.165f, 0.028f);
    p->brow_width = about(c, 0.045f, 0.014f);
    p->brow_tilt = about(c, 0.015f, 0.03f);
    p->brow_arch = about(c, 0.045f, 0.03f);
    p->brow_length = about(c, 0.19f, 0.022f);
    p->brow_ridge = about(c, 0.04f, 0.025f);
    p->brow_dark = chance_between(c, 0.45f, 1);
}

static void choose_middle(chance *c, person *p) {
    p->nose_length = about(c, 0.36f, 0.04f);
    p->nose_width = about(c, 0.125f, 0.02f);
    p->nose_bridge = about(c, 0.055f, 0.014f);
    p->nose_tip = about(c, 0.075f, 0.016f);
    p->nose_out = about(c, 0.22f, 0.045f);
    p->nose_bent = about(c, 0, 0.025f);
    p->mouth_width = about(c, 0.215f, 0.025f);
    p->mouth_height = about(c, 0.60f, 0.035f);
    p->lip_upper = about(c, 0.036f, 0.012f);
    p->lip_lower = about(c, 0.048f, 0.013f);
    p->lip_out = about(c, 0.045f, 0.018f);
}

static void choose_hair(chance *c, person *p) {
    p->hair_style = chance_below(c, 7);
    p->hair_volume = about(c, 0.16f, 0.05f);
    p->hair_line = about(c, -0.69f, 0.07f) - (chance_of(c, 0.2f) ? 0.15f * p->age : 0);
    p->parting = chance_between(c, -0.6f, 0.6f);
    p->fringe = chance_between(c, 0, 1);
    p->curl = chance_of(c, 0.4f) ? chance_between(c, 0.2f, 1) : 0;
}

static void choose_beard(chance *c, person *p) {
    bool bearded = chance_of(c, 0.2f);
    p->beard = bearded ? chance_between(c, 0.4f, 1) : 0;
    p->moustache = chance_of(c, bearded ? 0.8f : 0.06f) ? chance_between(c, 0.5f, 1) : 0;
    p->stubble = chance_of(c, 0.3f) ? chance_between(c, 0.1f, 0.5f) : 0;
}

static void choose_glasses(chance *c, person *p) {
    p->glasses = chance_of(c, 0.25f);
    p->round_glasses = chance_of(c, 0.5f);
    p->frame = chance_of(c, 0.6f) ? (colour){0.1f, 0.1f, 0.11f} : any_colour(c, 0.05f, 0.8f);
}

/* What no list of features names: each face's own swellings, hollows, patches and moles. */
static void choose_details(chance *c, person *p) {
    for (int k = 0; k < BUMPS; k++) {
        float reach = chance_between(c, 0.05f, 0.22f);
        p->bumps[k] = (bump){chance_between(c, -0.6f, 0.6f), chance_between(c, -0.6f, 0.9f), reach,
                             chance_normal(c) * 0.10f * reach, chance_of(c, 0.75f)};
    }
    for (int k = 0; k < TONES; k++) {
        float lightness = chance_normal(c) * 0.035f, red = chance_normal(c) * 0.02f;
        p->tones[k] = (tone){chance_between(c, -0.6f, 0.6f),
                             chance_between(c, -0.7f, 0.95f),
                             chance_between(c, 0.04f, 0.25f),
                             {lightness + red, lightness - red * 0.5f, lightness - red}};
    }
    p->mole_count = chance_below(c, MOLES + 1) * chance_below(c, 2);
    for (int k = 0; k < MOLES; k++) {
        p->moles[k] = (point){chance_between(c, -0.55f, 0.55f), chance_between(c, -0.5f, 0.85f)};
    }
}

static colour hair_colour(chance *c, const person *p) {
    return varied(c, hairs[chance_below(c, p->age > 0.7f ? 9 : p->skin.r < 0.75f ? 3 : 7)], 0.02f);
}

person make_person(uint64_t seed) {
    chance c = {seed * 0x2545f4914f6cdd1du + 77};
    person p = {.seed = seed};
    choose_head(&c, &p);
    choose_eyes(&c, &p);
    choose_middle(&c, &p);
    choose_hair(&c, &p);
    choose_beard(&c, &p);
    choose_glasses(&c, &p);
    p.freckles = chance_of(&c, 0.12f);
    p.make_up = p.beard == 0 && p.stubble == 0 && chance_of(&c, 0.4f);
    p.skin = varied(&c, skins[chance_below(&c, sizeof skins / sizeof *skins)], 0.03f);
    bool dark = p.skin.r < 0.75f;
    p.hair = hair_colour(&c, &p);
    p.iris = varied(&c, irises[chance_below(&c, dark ? 2 : 5)], 0.03f);
    p.lips = mix_colours(scale_colour(p.skin, 0.82f), (colour){0.66f, 0.28f, 0.28f},
                         chance_between(&c, 0.2f, 0.6f));
    choose_details(&c, &p);
    return p;
}

person restyle_person(const person *who, uint64_t seed) {
    chance c = {seed * 0x8bb84b93962eacc9u + 53};
    person p = *who;
    if (chance_of(&c, 0.5f)) {
        choose_hair(&c, &p);
    }
    if (chance_of(&c, 0.3f)) {
        p.hair = hair_colour(&c, &p);
    }
    if (chance_of(&c, 0.25f)) {
        choose_beard(&c, &p);
    }
    if (chance_of(&c, 0.4f)) {
        choose_glasses(&c, &p);
    }
    return p;
}

static void choose_expression(chance *c, const person *who, pose *p) {
    p->smile = chance_of(c, 0.5f) ? chance_between(c, 0.2f, 1) : chance_between(c, -0.15f, 0.35f);
    p->open = chance_of(c, 0.4f) ? chance_between(c, 0.15f, 1) : 0;
    p->brows = chance_normal(c) * 0.02f;
    p->blink = chance_of(c, 0.06f) ? 0.9f : chance_between(c, 0, 0.25f);
    p->squint = chance_between(c, 0, 1);
    p->look_x = chance_normal(c) * 0.025f;
    p->look_y = chance_normal(c) * 0.010f;
    p->stubble = chance_of(c, 0.3f) && who->stubble > 0 ? chance_between(c, -0.3f, 0.4f) : 0;
    p->lipstick = (colour){chance_between(c, 0.5f, 0.8f), chance_between(c, 0.08f, 0.35f),
                           chance_between(c, 0.15f, 0.4f)};
    p->lipstick_amount = who->make_up && chance_of(c, 0.7f) ? chance_between(c, 0.2f, 0.9f) : 0;
}

static void choose_worn(chance *c, const person *who, pose *p) {
    p->hair_change = chance_of(c, 0.3f) ? chance_normal(c) : 0;
    p->dark_glasses = chance_of(c, 0.06f);
    p->glasses = p->dark_glasses || (who->glasses ? chance_of(c, 0.85f) : chance_of(c, 0.03f));
    p->lens = any_colour(c, 0.02f, 0.3f);
    p->hat = chance_of(c, 0.07f);
    p->hat_colour = any_colour(c, 0.05f, 0.9f);
    p->cloth = any_colour(c, 0.05f, 0.95f);
}

pose make_pose(const person *who, uint64_t seed) {
    chance c = {seed * 0x9e6c63d0876a9a47u + 13};
    pose p = {.seed = seed};
    float turn = chance_of(&c, 0.25f) ? 0.55f : 0.24f;
    p.yaw = about(&c, 0, turn);
    p.pitch = about(&c, 0.02f, 0.15f);
    p.roll = about(&c, 0, 0.10f);
    p.scale = chance_between(&c, 0.34f, 0.41f);
    p.x = 0.5f + chance_normal(&c) * 0.025f;
    p.y = 0.5f + chance_normal(&c) * 0.025f;
    p.distance = chance_between(&c, 4.5f, 14);
    choose_expression(&c, who, &p);
    choose_worn(&c, who, &p);
    return p;
}

camera make_camera(uint64_t seed) {
    chance c = {seed * 0xd1342543de82ef95u + 29};
    camera p = {.seed = seed};
    bool harsh = chance_of(&c, 0.3f);
    p.light_angle = chance_normal(&c) * 0.9f;
    p.light_height = about(&c, 0.5f, 0.4f);
    p.key = harsh ? chance_between(&c, 0.7f, 1.3f) : chance_between(&c, 0.1f, 0.75f);
    p.fill = chance_between(&c, 0, 0.3f);
    p.ambient = harsh ? chance_between(&c, 0.12f, 0.45f) : chance_between(&c, 0.4f, 0.85f);
    p.hard = chance_between(&c, 0, 1);
    p.warmth = chance_normal(&c) * 0.08f;
    p.blur = chance_of(&c, 0.4f) ? chance_between(&c, 0.2f, 1.5f) : 0;
    p.noise = chance_of(&c, 0.6f) ? chance_between(&c, 0, 0.03f) : 0;
    p.contrast = chance_between(&c, 0.75f, 1.25f);
    p.brightness = chance_normal(&c) * 0.05f;
    p.saturation = chance_between(&c, 0.5f, 1.2f);
    p.vignette = chance_of(&c, 0.3f) ? chance_between(&c, 0, 0.5f) : 0;
    p.gamma = chance_between(&c, 0.8f, 1.25f);
    p.coarse = chance_of(&c, 0.12f) ? 2 : 1;
    p.gray = chance_of(&c, 0.2f);
    return p;
}
