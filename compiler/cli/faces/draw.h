/* Faces drawn into a photograph. */
#ifndef KILN_CLI_FACES_DRAW_H
#define KILN_CLI_FACES_DRAW_H

#include "compiler/cli/picture.h"
#include <kiln/faces.h>

/* The box, the points, and `text` (one line; what is not ASCII shows as ?) above the box. Lines and
 * letters grow with the picture. */
void draw_face(rgb_picture *inout_picture, const kiln_face *face, const char *text);

#endif
