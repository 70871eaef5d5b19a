/* kiln_compile to a file that the caller has begun and will end. */
#ifndef KILN_COMPILER_COMPILE_H
#define KILN_COMPILER_COMPILE_H

#include "runtime/base/files.h"
#include <kiln/compile.h>

kiln_status compile_to(file_writer *out, const char *onnx_path, const kiln_compile_options *options,
                       kiln_compile_report *out_report, kiln_error *error);

#endif
