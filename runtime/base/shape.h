/* Shapes as text. */
#ifndef KILN_RUNTIME_BASE_SHAPE_H
#define KILN_RUNTIME_BASE_SHAPE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* "1x3x224x224"; a batched tensor begins with N (or N*2), one without dims is "scalar". Returns
 * buffer. */
const char *shape_text(const uint32_t *dims, uint32_t rank, bool batched, char *buffer,
                       size_t size);

#endif
