/* The operator table: all groups of rows. */
#include "compiler/ops/ops.h"

#include <string.h>

#define GROUP(name) ops_##name,
static const op *const groups[] = {OP_GROUPS(GROUP)};

const op *op_find(const char *name) {
    for (size_t group = 0; group < sizeof groups / sizeof *groups; group++) {
        for (const op *row = groups[group]; row->name != NULL; row++) {
            if (strcmp(row->name, name) == 0) {
                return row;
            }
        }
    }
    return NULL;
}
