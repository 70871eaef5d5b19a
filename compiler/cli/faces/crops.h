/* Aligned faces as files of a folder. */
#ifndef KILN_CLI_FACES_CROPS_H
#define KILN_CLI_FACES_CROPS_H

#include "compiler/cli/paths.h"
#include "compiler/cli/picture.h"
#include <kiln/faces.h>

typedef struct crop_writer {
    const char *folder;
    const path_list *photographs; /* they are not written over */
    size_t *before;               /* by photograph: how many before it have its name */
    rgb_picture crop;
    char path[4096];
} crop_writer;

/* Makes the folder, where there is none. */
kiln_status crops_begin(crop_writer *out_writer, const char *folder, uint32_t size,
                        const path_list *photographs, kiln_error *error);
void crops_end(crop_writer *writer); /* one that is all zeros is allowed */

/* Face number `face` of a photograph, both from 0. out_path is valid until the next call. */
kiln_status crops_write(crop_writer *writer, const kiln_image *image, const kiln_face *which,
                        size_t photograph, size_t face, const char **out_path, kiln_error *error);

#endif
