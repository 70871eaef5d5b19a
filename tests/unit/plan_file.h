/* A program as a plan file. */
#ifndef KILN_TESTS_PLAN_FILE_H
#define KILN_TESTS_PLAN_FILE_H

#include "compiler/write/write.h"

static inline kiln_status write_plan_file(program *p, const char *path,
                                          const kiln_compile_options *options,
                                          kiln_compile_report *report, kiln_error *error) {
    file_writer out;
    kiln_status status = file_begin(&out, path, error);
    return status == KILN_OK ? file_end(&out, write_plan(p, &out, options, report, error), error)
                             : status;
}

#endif
