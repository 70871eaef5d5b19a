/* Painting with soft edges: shapes by their distance, blended onto a picture of floats. */
#ifndef KILN_FACES_PAINT_H
#define KILN_FACES_PAINT_H

#include <stdint.h>

typedef struct colour {
    float r, g, b; /* 0 .. 1 */
} colour;

typedef struct point {
    float x, y;
} point;

/* Rows of `width` pixels, three floats each. */
typedef struct canvas {
    int width, height;
    float *rgb;
} canvas;

colour mix_colours(colour a, colour b, float share);
colour scale_colour(colour c, float factor);
/* Smooth noise about 0 within -1 .. 1: random values on a lattice of unit distance. */
float smooth_noise(float x, float y, uint32_t seed);

/* In pixels; `soft` is the width of the edge. */
void paint_ellipse(canvas *c, point centre, float rx, float ry, float angle, float soft,
                   colour fill, float opacity);
/* A rectangle, turned. */
void paint_box(canvas *c, point centre, float half_width, float half_height, float angle,
               colour fill, float opacity);
/* A quadratic curve from a to c, bent towards b. */
void paint_curve(canvas *c, point a, point b, point end, float width, float soft, colour fill,
                 float opacity);
/* Adds `change`, falling off as a Gaussian of deviation `reach`. */
void paint_glow(canvas *c, point centre, float reach, colour change);

#endif
