/* Drawn people: what stays the same of a person, and what changes from picture to picture. */
#ifndef KILN_FACES_PERSON_H
#define KILN_FACES_PERSON_H

#include "models/faces/paint.h"

#include <stdbool.h>

typedef struct chance {
    uint64_t state;
} chance;

uint64_t chance_bits(chance *c);
float chance_between(chance *c, float low, float high);
float chance_normal(chance *c); /* about -3 .. 3 */
bool chance_of(chance *c, float probability);
int chance_below(chance *c, int count);

/* A soft swelling or hollow of the face, and a soft patch of another tone, at a place on it. */
typedef struct bump {
    float x, y, reach, height;
    bool mirrored; /* on both sides */
} bump;
typedef struct tone {
    float x, y, reach;
    colour change;
} tone;

enum { BUMPS = 22, TONES = 14, MOLES = 5 };

/* Lengths are in half heights of the head. */
typedef struct person {
    float width, jaw, chin, forehead, cheek, depth; /* of the head */
    colour skin, hair, iris, lips;
    float eye_distance, eye_height, eye_width, eye_open, eye_tilt, iris_size, lid, eye_depth;
    float brow_height, brow_width, brow_tilt, brow_arch, brow_length, brow_ridge, brow_dark;
    float nose_length, nose_width, nose_bridge, nose_tip, nose_out, nose_bent;
    float mouth_width, mouth_height, lip_upper, lip_lower, lip_out;
    float cheekbone, chin_out, folds, bags;
    float ear_size, ear_height;
    int hair_style; /* 0 bald .. 6; from 4 on long */
    float hair_volume, hair_line, parting, fringe, curl;
    float beard, moustache, stubble;
    bool glasses, freckles, round_glasses, make_up;
    colour frame;
    float age, asymmetry, neck, gloss;
    bump bumps[BUMPS];
    tone tones[TONES];
    int mole_count;
    point moles[MOLES];
    uint64_t seed;
} person;

typedef struct pose {
    float yaw, pitch, roll; /* radians: to the viewer's right, down, clockwise */
    float scale, x,
        y; /* half a head and the head's middle, in parts of the picture's width and height */
    float distance; /* of the camera, in half heads */
    float smile, open, brows, blink, look_x, look_y, squint;
    float hair_change, stubble; /* what a barber and a razor change */
    bool glasses, dark_glasses, hat;
    colour cloth, hat_colour, lens, lipstick;
    float lipstick_amount;
    uint64_t seed;
} pose;

/* What light and camera do to a whole picture. */
typedef struct camera {
    float light_angle, light_height, key, fill, ambient, warmth, hard;
    float blur, noise, contrast, brightness, saturation, vignette, gamma;
    int coarse; /* taken at a lower resolution by this factor */
    bool gray;
    uint64_t seed;
} camera;

person make_person(uint64_t seed);
/* The same face after months: other hair, beard or glasses. */
person restyle_person(const person *who, uint64_t seed);
pose make_pose(const person *who, uint64_t seed);
camera make_camera(uint64_t seed);

#endif
