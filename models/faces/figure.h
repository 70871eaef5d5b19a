/* The parts of a drawn person: shapes (head.c, worn.c) and the head's texture (skin.c). */
#ifndef KILN_FACES_FIGURE_H
#define KILN_FACES_FIGURE_H

#include "models/faces/render.h"

/* The head's surface, from the crown to below the chin and all around. */
void head_grid(const person *who, const pose *how, grid *out);
/* The bare head's outline without a face: half width, depth and where its middle lies, at a height.
 */
typedef struct head_ring {
    float width, depth, middle;
} head_ring;
head_ring head_ring_at(const person *who, float y);
/* The point of the face that is at (x, y) as seen from the front. */
vec3 head_point(const person *who, const pose *how, float x, float y);

/* Paints skin, eyes, brows, lips and beard as seen from the front, 2.6 half heads wide and high. */
void skin_paint(canvas *texture, const person *who, const pose *how);

/* Hair, hat, ears, neck, body and glasses, drawn on the film about a head that stands so. */
void worn_draw(film *f, grid *scratch, const person *who, const pose *how, const stance *s,
               const lights *l);

#endif
