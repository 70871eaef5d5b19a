/* Seeded variants of a picture, so that few pictures teach more. */
#ifndef KILN_CLI_DATA_AUGMENT_H
#define KILN_CLI_DATA_AUGMENT_H

#include "compiler/cli/picture.h"

enum {
    AUGMENT_FLIP = 1,    /* left and right, every other variant */
    AUGMENT_SHIFT = 2,   /* up to 10 % of the sides, and 10 % larger or smaller */
    AUGMENT_ROTATE = 4,  /* up to 15 degrees */
    AUGMENT_LIGHT = 8,   /* brightness and contrast, up to 25 % */
    AUGMENT_NOISE = 16,  /* normal noise, up to 8 of 255 */
    AUGMENT_MIRROR = 32, /* left and right, always */
    AUGMENT_ALL = 63,
    /* The picture is an aligned face: it is shifted, scaled and rotated by a quarter of that, which
     * is about what detectors are wrong by (points by 3 to 5 % of the distance between the eyes).
     */
    AUGMENT_FACES = 64
};

/* "mirror,flip,shift,rotate,light,noise", "all" or "none". */
kiln_status augment_parse(const char *text, unsigned *out_kinds, kiln_error *error);
/* The same seed gives the same variant. Release *out_picture with picture_free. */
kiln_status augment_picture(const rgb_picture *picture, unsigned kinds, uint64_t seed,
                            rgb_picture *out_picture, kiln_error *error);

#endif
