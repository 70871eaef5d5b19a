/* What plans need of the runtime, as a file for -DKILN_KERNELS: lines of `kernel NAME`,
 * `convolution ALGORITHM`, `depthwise several` (outputs of a channel), `function NAME` and
 * `training`; # begins a comment. */
#ifndef KILN_CLI_KERNEL_LIST_H
#define KILN_CLI_KERNEL_LIST_H

#include <kiln/kiln.h>

/* Adds to the list in the file at `path`, which is made where there is none, what this plan needs,
 * and with `training` what training it and running what it has become need, too. */
kiln_status kernel_list_add(const char *path, const kiln_plan *plan, bool training,
                            kiln_error *error);

#endif
