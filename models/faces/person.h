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

/* Lengths are in half heights of the head. */
typedef struct person {
    float width, jaw, chin, forehead, cheek; /* of the head */
    colour skin, hair, iris, lips, cloth;
    float eye_distance, eye_height, eye_width, eye_open, eye_tilt, iris_size, lid;
    float brow_height, brow_width, brow_tilt, brow_arch, brow_length;
    float nose_length, nose_width, nose_bridge, nose_tip;
    float mouth_width, mouth_height, lip_upper, lip_lower;
    float ear_size, ear_height;
    int hair_style; /* 0 bald .. 6 */
    float hair_volume, hair_line, parting, fringe;
    float beard, moustache, stubble;
    bool glasses, freckles, mole, round_glasses;
    float mole_x, mole_y, age, asymmetry, neck;
} person;

typedef struct pose {
    float yaw, pitch, roll; /* radians */
    float scale, x, y;
    float smile, open, brows, blink, look;
    float light_angle, light_strength, ambient, warmth;
    float blur, noise, contrast, brightness;
    bool gray;
    colour background[2], cloth;
    uint64_t seed;
} pose;

person make_person(uint64_t seed);
pose make_pose(uint64_t seed);
/* Paints the person into rgb: size x size x 3 bytes. False: out of memory. */
bool draw_person(const person *who, const pose *how, int size, uint8_t *rgb);

#endif
