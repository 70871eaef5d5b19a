/* Values as what they are to a plan: so many samples for one of its inputs. */
#include "compiler/import/import.h"
#include "runtime/base/shape.h"

#include <string.h>

#define MAX_BATCH 65536u

/* Do they differ in the size of images, the one thing that people try to change? */
static bool is_other_size(const kiln_tensor_info *info, const kiln_value *value) {
    return info->rank == 4 && value->rank == 4 && value->dims[1] == info->dims[1] &&
           memcmp(&value->dims[2], &info->dims[2], 2 * sizeof *info->dims) != 0;
}

static kiln_status fail(const kiln_tensor_info *info, const kiln_value *value, kiln_error *error) {
    char wanted[96], found[96], size[48] = "";
    if (is_other_size(info, value)) {
        snprintf(size, sizeof size, "; this plan fixes its size at %ux%u", info->dims[2],
                 info->dims[3]);
    }
    return kiln_fail(error, KILN_ERROR_ARGUMENT, "input '%s' is %s, the file holds %s%s",
                     info->name,
                     shape_text(info->dims, info->rank, info->batched, wanted, sizeof wanted),
                     shape_text(value->dims, value->rank, false, found, sizeof found), size);
}

kiln_status value_batch(const kiln_value *value, const kiln_tensor_info *info,
                        uint32_t *inout_batch, kiln_error *error) {
    uint32_t first = info->batched ? 1 : 0;
    if (value->rank != info->rank || memcmp(value->dims + first, info->dims + first,
                                            (info->rank - first) * sizeof *info->dims) != 0) {
        return fail(info, value, error);
    }
    if (!info->batched) {
        return KILN_OK;
    }
    uint32_t batch = value->dims[0] / info->dims[0];
    if (value->dims[0] % info->dims[0] != 0 || batch == 0 || batch > MAX_BATCH) {
        return fail(info, value, error);
    }
    if (*inout_batch != 0 && *inout_batch != batch) {
        return kiln_fail(error, KILN_ERROR_ARGUMENT,
                         "input '%s' holds a batch of %u, an input before it one of %u", info->name,
                         batch, *inout_batch);
    }
    *inout_batch = batch;
    return KILN_OK;
}
