/* Small pictures inside a page. */
#ifndef KILN_CLI_DATA_THUMBNAIL_H
#define KILN_CLI_DATA_THUMBNAIL_H

#include "compiler/cli/data/data.h"

#include <stdio.h>

/* An <img> whose source is the item's picture, or the aligned face where the item is one, as a JPEG
 * data URI; nothing when it has none, or one that can no longer be read. The item need not be the
 * set's any more. */
kiln_status thumbnail_write(const data_set *data, const data_item *item, FILE *out,
                            kiln_error *error);
/* The same of a picture at hand. */
kiln_status thumbnail_write_picture(const rgb_picture *picture, FILE *out, kiln_error *error);

#endif
