/* Export: a plan back to ONNX, so that other tools can run it. The opposite of the road that
 * import, passes and lower go; it needs the plan alone. */
#ifndef KILN_COMPILER_EXPORT_H
#define KILN_COMPILER_EXPORT_H

#include <kiln/kiln.h>

/* Writes opset 17, channels first; f16 weights become f32. A kernel that no ONNX operator expresses
 * is KILN_ERROR_UNSUPPORTED, with its layer named. */
kiln_status export_plan(const kiln_plan *plan, const char *path, kiln_error *error);

#endif
