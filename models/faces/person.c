/* Seeded people and poses. */
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
    return (colour){base.r + chance_between(c, -by, by), base.g + chance_between(c, -by, by),
                    base.b + chance_between(c, -by, by)};
}

static const colour skins[] = {{0.96f, 0.82f, 0.72f}, {0.93f, 0.76f, 0.63f}, {0.87f, 0.68f, 0.53f},
                               {0.78f, 0.58f, 0.42f}, {0.62f, 0.43f, 0.30f}, {0.46f, 0.31f, 0.22f},
                               {0.35f, 0.23f, 0.17f}};
static const colour hairs[] = {{0.10f, 0.08f, 0.07f}, {0.20f, 0.13f, 0.09f}, {0.36f, 0.23f, 0.14f},
                               {0.55f, 0.37f, 0.20f}, {0.80f, 0.66f, 0.42f}, {0.60f, 0.25f, 0.12f},
                               {0.62f, 0.61f, 0.60f}, {0.85f, 0.84f, 0.82f}};
static const colour irises[] = {{0.24f, 0.14f, 0.08f},
                                {0.36f, 0.23f, 0.12f},
                                {0.32f, 0.42f, 0.26f},
                                {0.30f, 0.45f, 0.62f},
                                {0.42f, 0.48f, 0.52f}};

static void choose_head(chance *c, person *p) {
    p->width = about(c, 0.74f, 0.06f);
    p->jaw = about(c, 0.90f, 0.08f);
    p->chin = about(c, 0.48f, 0.10f);
    p->forehead = about(c, 0.92f, 0.06f);
    p->cheek = about(c, 1.0f, 0.05f);
    p->ear_size = about(c, 0.17f, 0.03f);
    p->ear_height = about(c, 0.02f, 0.04f);
    p->neck = about(c, 0.46f, 0.06f);
    p->age = chance_between(c, 0, 1);
    p->asymmetry = about(c, 0, 0.015f);
}

static void choose_eyes(chance *c, person *p) {
    p->eye_distance = about(c, 0.33f, 0.035f);
    p->eye_height = about(c, -0.06f, 0.04f);
    p->eye_width = about(c, 0.15f, 0.018f);
    p->eye_open = about(c, 0.072f, 0.015f);
    p->eye_tilt = about(c, 0, 0.10f);
    p->iris_size = about(c, 0.062f, 0.007f);
    p->lid = chance_between(c, 0, 1);
    p->brow_height = about(c, 0.19f, 0.03f);
    p->brow_width = about(c, 0.045f, 0.016f);
    p->brow_tilt = about(c, -0.04f, 0.06f);
    p->brow_arch = about(c, 0.05f, 0.03f);
    p->brow_length = about(c, 0.19f, 0.025f);
}

static void choose_middle(chance *c, person *p) {
    p->nose_length = about(c, 0.34f, 0.05f);
    p->nose_width = about(c, 0.13f, 0.028f);
    p->nose_bridge = about(c, 0.05f, 0.015f);
    p->nose_tip = about(c, 0.08f, 0.02f);
    p->mouth_width = about(c, 0.27f, 0.04f);
    p->mouth_height = about(c, 0.52f, 0.035f);
    p->lip_upper = about(c, 0.035f, 0.012f);
    p->lip_lower = about(c, 0.05f, 0.014f);
}

static void choose_hair(chance *c, person *p) {
    p->hair_style = chance_below(c, 7);
    p->hair_volume = about(c, 0.13f, 0.05f);
    p->hair_line = about(c, -0.62f, 0.06f);
    p->parting = chance_between(c, -0.6f, 0.6f);
    p->fringe = chance_between(c, 0, 1);
    bool bearded = chance_of(c, 0.25f);
    p->beard = bearded ? chance_between(c, 0.4f, 1) : 0;
    p->moustache = chance_of(c, bearded ? 0.8f : 0.08f) ? chance_between(c, 0.5f, 1) : 0;
    p->stubble = chance_of(c, 0.2f) ? chance_between(c, 0.1f, 0.35f) : 0;
    p->glasses = chance_of(c, 0.25f);
    p->round_glasses = chance_of(c, 0.5f);
    p->freckles = chance_of(c, 0.12f);
    p->mole = chance_of(c, 0.3f);
    p->mole_x = chance_between(c, -0.4f, 0.4f);
    p->mole_y = chance_between(c, 0.1f, 0.7f);
}

person make_person(uint64_t seed) {
    chance c = {seed * 0x2545f4914f6cdd1du + 77};
    person p = {0};
    choose_head(&c, &p);
    choose_eyes(&c, &p);
    choose_middle(&c, &p);
    choose_hair(&c, &p);
    p.skin = varied(&c, skins[chance_below(&c, sizeof skins / sizeof *skins)], 0.03f);
    p.hair = varied(&c, hairs[chance_below(&c, p.age > 0.7f ? 8 : 6)], 0.03f);
    p.iris = varied(&c, irises[chance_below(&c, sizeof irises / sizeof *irises)], 0.03f);
    p.lips = mix_colours(scale_colour(p.skin, 0.85f), (colour){0.72f, 0.25f, 0.27f},
                         chance_between(&c, 0.15f, 0.65f));
    return p;
}

pose make_pose(uint64_t seed) {
    chance c = {seed * 0x9e6c63d0876a9a47u + 13};
    pose p = {0};
    p.yaw = chance_normal(&c) * 0.24f;
    p.pitch = chance_normal(&c) * 0.14f;
    p.roll = chance_normal(&c) * 0.07f;
    p.scale = chance_between(&c, 0.34f, 0.41f);
    p.x = chance_normal(&c) * 0.025f;
    p.y = chance_normal(&c) * 0.025f;
    p.smile = chance_between(&c, -0.4f, 1);
    p.open = chance_of(&c, 0.3f) ? chance_between(&c, 0.2f, 1) : 0;
    p.brows = chance_normal(&c) * 0.02f;
    p.blink = chance_of(&c, 0.07f) ? 0.9f : chance_between(&c, 0, 0.3f);
    p.look = chance_normal(&c) * 0.02f;
    p.light_angle = chance_between(&c, -3.1f, 3.1f);
    p.light_strength = chance_between(&c, 0.05f, 0.55f);
    p.ambient = chance_between(&c, 0.75f, 1.1f);
    p.warmth = chance_normal(&c) * 0.04f;
    p.blur = chance_of(&c, 0.3f) ? chance_between(&c, 0.3f, 1.1f) : 0;
    p.noise = chance_between(&c, 0, 0.025f);
    p.contrast = chance_between(&c, 0.8f, 1.2f);
    p.brightness = chance_normal(&c) * 0.04f;
    p.gray = chance_of(&c, 0.12f);
    for (int k = 0; k < 2; k++) {
        p.background[k] = (colour){chance_between(&c, 0.1f, 0.95f), chance_between(&c, 0.1f, 0.95f),
                                   chance_between(&c, 0.1f, 0.95f)};
    }
    p.background[1] = mix_colours(p.background[0], p.background[1], 0.4f);
    p.cloth = (colour){chance_between(&c, 0.1f, 0.9f), chance_between(&c, 0.1f, 0.9f),
                       chance_between(&c, 0.1f, 0.9f)};
    p.seed = seed;
    return p;
}
