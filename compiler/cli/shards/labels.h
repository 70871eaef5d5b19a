/* The labels of pictures that others have looked at: from a file, or by the folders they lie in.
 *
 *   CSV          IMAGE,LABEL a line (RFC 4180: in quotes where there are commas); a first line
 *                "image,label" or "path,label" is a header
 *   JSON lines   {"image": IMAGE, "label": LABEL}, other members are passed over
 *
 * IMAGE is the path as the pictures were listed by; bytes that are no UTF-8 count as U+FFFD, which
 * JSON has in their place (it is refused with such bytes). */
#ifndef KILN_CLI_SHARDS_LABELS_H
#define KILN_CLI_SHARDS_LABELS_H

#include <kiln/kiln.h>

typedef struct labels labels;

/* path: a file; a folder (that exists, or ends in '/'): pictures in it have the name of the folder
 * in it that they lie in, or below; NULL: the name of the folder that each lies in. Takes 12 to 24
 * bytes of memory for each picture of a file. */
kiln_status labels_open(const char *path, labels **out_labels, kiln_error *error);
void labels_close(labels *l); /* NULL is allowed */

/* The class of a picture, by number in the order in which they were met; false: it has none, or
 * there is no memory, which *out_full tells. */
bool labels_find(labels *l, const char *image, uint32_t *out_class, bool *out_full);
size_t labels_class_count(const labels *l);
const char *labels_class(const labels *l, size_t class_number);

#endif
