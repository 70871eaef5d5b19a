/* How good the picture of a face is: for telling people, not for deciding. */
#ifndef KILN_CLI_FACES_QUALITY_H
#define KILN_CLI_FACES_QUALITY_H

#include <kiln/faces.h>

/* Below so many pixels between the eyes a face is called small: networks for faces take them 35
 * apart (of 112), and what is enlarged to that from less than 20 lacks what tells people apart. */
#define FACE_SMALL 20.0
/* Above so much blur a face is called blurred: of photographed faces at the size of 112 pixels
 * sharp ones have 0.35 to 0.58, nine of ten; under a Gaussian of standard deviation 1 they have
 * 0.46 to 0.67, of 2 0.65 to 0.81, of 3 0.77 to 0.87. */
#define FACE_BLURRED 0.65

typedef struct face_quality {
    double eyes; /* pixels between the eyes; without points, as far as they are in such a box */
    /* Of the aligned face at 112x112: 0 (sharp) to 1, the share of differences between neighbours
     * that another blur hardly changes. Crété et al. 2007, "The blur effect: perception and
     * estimation with a new no-reference perceptual blur metric". It does not depend on contrast,
     * as the variance of the Laplacian does. */
    double blur;
    double angle; /* degrees by which the line between the eyes is turned; 0 without points */
} face_quality;

/* As eyes above. */
double face_eye_distance(const kiln_face *face);
/* KILN_ERROR_MEMORY, or what kiln_face_crop says. */
kiln_status face_quality_of(const kiln_image *image, const kiln_face *face,
                            face_quality *out_quality, kiln_error *error);

#endif
