/* What a graph says to its caller: why something failed, and warnings. */
#include "compiler/graph/graph.h"
#include "compiler/ops/ops.h"
#include "runtime/base/text.h"

#include <stdarg.h>
#include <string.h>

#define LONGEST_MESSAGE 2048 /* kiln_fail cuts it, where words end */

kiln_status graph_fail(const graph *g, kiln_status status, const char *format, ...) {
    char message[LONGEST_MESSAGE];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    return kiln_fail(g->error, status, "%s: %s", g->file, message);
}

kiln_status node_fail(const graph *g, const node *n, kiln_status status, const char *format, ...) {
    char message[LONGEST_MESSAGE];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    return graph_fail(g, status, "node '%s' (%s): %s", n->name, n->op->name, message);
}

void graph_note(graph *g, const char *format, ...) {
    size_t used = strlen(g->note);
    if (used > 0) {
        snprintf(g->note + used, sizeof g->note - used, "; ");
        used = strlen(g->note);
    }
    va_list arguments;
    va_start(arguments, format);
    text_format(g->note + used, sizeof g->note - used, format, arguments);
    va_end(arguments);
}

static bool is_explained(const graph *g, kiln_status status) {
    return status == KILN_OK || g->error == NULL ||
           (g->error->status == status && g->error->message[0] != '\0');
}

kiln_status node_explain(const graph *g, const node *n, kiln_status status) {
    return is_explained(g, status) ? status
                                   : node_fail(g, n, status, "%s", kiln_status_name(status));
}

kiln_status graph_explain(const graph *g, const char *step, kiln_status status) {
    return is_explained(g, status)
               ? status
               : graph_fail(g, status, "%s: %s", step, kiln_status_name(status));
}
