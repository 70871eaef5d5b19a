/* Tensor elements of any type as numbers: for pictures, scores, noise, and files whose type is not
 * quite the network's. */
#ifndef KILN_COMPILER_CLI_ELEMENTS_H
#define KILN_COMPILER_CLI_ELEMENTS_H

#include <kiln/kiln.h>

double element_get(const void *data, kiln_dtype dtype, size_t index);
/* Rounds to nearest even for f16; integers are truncated and saturated, NaN gives 0. */
void element_set(void *data, kiln_dtype dtype, size_t index, double value);
/* Elements of a tensor for a batch of one. */
size_t element_count(const kiln_tensor_info *info);

#endif
