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

/* size x size pixels, three floats each. */
typedef struct canvas {
    int size;
    float *rgb;
} canvas;

colour mix_colours(colour a, colour b, float share);
colour scale_colour(colour c, float factor);

/* In pixels; `soft` is the width of the edge. */
void paint_ellipse(canvas *c, point centre, float rx, float ry, float angle, float soft,
                   colour fill, float opacity);
/* A quadratic curve from a to c, bent towards b. */
void paint_curve(canvas *c, point a, point b, point end, float width, float soft, colour fill,
                 float opacity);
/* The ring of an ellipse. */
void paint_ring(canvas *c, point centre, float rx, float ry, float angle, float width, colour fill,
                float opacity);
/* A closed outline in polar form: radius[k] at angle 2 pi k / count from the right, clockwise. */
void paint_outline(canvas *c, point centre, const float *radius, int count, float angle, float soft,
                   colour fill, float opacity);

#endif
