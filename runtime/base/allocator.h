/* Where memory comes from unless the caller says so. */
#ifndef KILN_RUNTIME_BASE_ALLOCATOR_H
#define KILN_RUNTIME_BASE_ALLOCATOR_H

#include <kiln/kiln.h>

const kiln_allocator *default_allocator(void);

#endif
