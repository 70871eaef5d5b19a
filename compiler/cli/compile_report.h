/* What kiln compile says of what it did, on stdout. */
#ifndef KILN_COMPILER_CLI_COMPILE_REPORT_H
#define KILN_COMPILER_CLI_COMPILE_REPORT_H

#include <kiln/compile.h>

void compile_report_print(const char *model, const char *plan, const kiln_compile_report *r);
void compile_report_json(const char *model, const char *plan, const kiln_compile_report *r);

#endif
