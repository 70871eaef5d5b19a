/* The faces of a data set: each picture's item becomes the face in it that counts, or one item a
 * face, or is taken out; and what people should know of their pictures is noted. */
#ifndef KILN_CLI_FACES_GALLERY_H
#define KILN_CLI_FACES_GALLERY_H

#include "compiler/cli/data/data.h"
#include "compiler/cli/faces/subjects.h"

#include <stdio.h>

typedef enum gallery_mark {
    GALLERY_NO_FACE = 1, /* or none that counts: the item is gone */
    GALLERY_SEVERAL = 2, /* faces, of which some were not taken */
    GALLERY_SMALL = 4,
    GALLERY_BLURRED = 8
} gallery_mark;

typedef struct gallery_note {
    data_item item; /* with a path of its own */
    unsigned marks; /* GALLERY_*, not 0 */
    size_t found;   /* faces in the picture */
    size_t taken;   /* of them */
    double eyes, blur;
} gallery_note;

/* All zeros: nothing was looked for. */
typedef struct gallery {
    gallery_note *notes; /* in the order of the items */
    size_t count, capacity;
    size_t pictures; /* looked at */
    size_t computed; /* of them, the others were in the cache */
    double seconds;  /* that took */
} gallery;

typedef struct gallery_options {
    uint32_t threads;
    bool use_cache;
    const char *cache_folder; /* NULL: the user's */
    bool strict;              /* a picture without a face is an error */
    bool quiet;               /* no progress */
} gallery_options;

/* Nothing happens where the source is of whole pictures. Pictures that cannot be decoded are
 * skipped. */
kiln_status gallery_find(const subject_source *source, const gallery_options *options,
                         data_set *inout_data, gallery *out_gallery, kiln_error *error);
void gallery_free(gallery *g);

/* How many notes have the mark. */
size_t gallery_count(const gallery *g, gallery_mark mark);
/* What a note says: "small: 14 pixels between the eyes; blurred (0.71)". */
const char *gallery_text(const gallery_note *note, char *out, size_t size);
/* Lines, at most `most` of them; JSON: an object, or null where
 * nothing was looked for. */
void gallery_print(const gallery *g, size_t most, FILE *out);
void gallery_json(const gallery *g, FILE *out);

#endif
