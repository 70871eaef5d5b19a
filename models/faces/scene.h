/* Photographs of drawn people: who stands where, what is behind them, what the camera makes of it.
 */
#ifndef KILN_FACES_SCENE_H
#define KILN_FACES_SCENE_H

#include "models/faces/figure.h"

enum { SITTERS = 8, POINTS = 5 };

typedef struct sitter {
    person who;
    pose how;
    bool turned_away; /* shows the back of the head: no face */
} sitter;

/* Where a face is, in pixels of the picture. */
typedef struct truth {
    float left, top, right, bottom;
    float points[POINTS][2]; /* the eye that is left in the picture, the other, nose, corners of the
                                mouth */
} truth;

typedef struct photograph {
    int width, height;
    int count;
    sitter sitters[SITTERS]; /* far ones first */
    truth truths[SITTERS];   /* by photograph_take; of who is turned away, too */
    camera light;
} photograph;

/* One person, upright, who fills the square. */
void compose_portrait(photograph *out, const person *who, int size, uint64_t seed);
/* One person anywhere in a picture whose longer side is `size`, the head 20 to 90 % as wide as it.
 */
void compose_scene(photograph *out, const person *who, int size, uint64_t seed);
/* Several people side by side; `count` up to SITTERS. People may stand with their backs to us. */
void compose_group(photograph *out, const person *people, int count, int size, uint64_t seed);
/* Nobody, or only backs of heads. */
void compose_empty(photograph *out, const person *people, int count, int size, uint64_t seed);

/* rgb: width x height x 3 bytes. False: out of memory. */
bool photograph_take(photograph *p, uint8_t *rgb);

/* photo.c: what is behind, what is in front, what the camera does. Both at twice the picture's
 * size. */
void background_paint(canvas *c, const camera *light);
void obstacle_paint(canvas *c, const truth *face, uint64_t seed);
/* Halves the canvas into rgb. False: out of memory. */
bool camera_develop(const canvas *c, const camera *light, uint8_t *rgb);

#endif
