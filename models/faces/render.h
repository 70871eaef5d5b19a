/* Surfaces as grids of points, lit and drawn with a depth buffer. Space: x to the right, y down, z
 * to the viewer. */
#ifndef KILN_FACES_RENDER_H
#define KILN_FACES_RENDER_H

#include "models/faces/person.h"

typedef struct vec3 {
    float x, y, z;
} vec3;

typedef struct film {
    canvas image;
    float *depth; /* of what is nearest so far, in half heads */
} film;

typedef struct vertex {
    vec3 at;     /* in half heads about the head's middle */
    vec3 normal; /* by grid_place */
    float u, v;  /* on the material's texture or for its strands */
    float cover; /* above 0: there; falls to below 0 where the surface ends */
    float px, py, pz;
} vertex;

typedef struct grid {
    int rows, columns;
    bool closed; /* the last column is beside the first */
    vertex *at;
} grid;

enum { GRID_ROWS = 72, GRID_COLUMNS = 80, TEXTURE_REACH_TENTHS = 13 };

typedef struct material {
    const canvas *texture; /* over u, v of -1.3 .. 1.3; NULL: plain */
    colour tint;
    float shine, strands, curl, ragged;
    bool skin, screen_door; /* screen_door: every other pixel, for what is half transparent */
    uint32_t seed;
} material;

typedef struct lights {
    vec3 key_from, fill_from;
    colour key, fill, sky, ground;
} lights;

/* Where a body stands: turned, then put at (x, y) pixels with `unit` pixels a half head. */
typedef struct stance {
    float turn[9];
    float x, y, unit, distance;
} stance;

stance make_stance(float yaw, float pitch, float roll, float x, float y, float unit,
                   float distance);
vec3 stance_turned(const stance *s, vec3 at);
point stance_pixel(const stance *s, vec3 at);
lights make_lights(const camera *c);
/* Turns and projects the points, and finds the normals. */
void grid_place(grid *g, const stance *s);
void film_clear_depth(film *f);
void film_draw(film *f, const grid *g, const material *m, const lights *l);

#endif
