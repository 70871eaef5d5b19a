/* The same work for many items, on several threads that wait for nobody. */
#ifndef KILN_COMPILER_CLI_PARALLEL_H
#define KILN_COMPILER_CLI_PARALLEL_H

#include <kiln/kiln.h>

typedef struct parallel_work {
    void *context; /* which the functions get */
    size_t count;  /* of items */
    size_t most;   /* that are worked at a time */
    /* What a thread needs of its own; the same thread calls the next three with it. */
    kiln_status (*open)(void *context, void **out_own, kiln_error *error);
    /* Items first .. first + count. */
    kiln_status (*work)(void *context, void *own, size_t first, size_t count, kiln_error *error);
    /* After work, with the same items, one thread at a time. */
    kiln_status (*keep)(void *context, void *own, size_t first, size_t count, kiln_error *error);
    void (*close)(void *context,
                  void *own); /* after open, also where that failed; own may be NULL */
    const char *progress;     /* what is shown meanwhile; NULL: nothing */
} parallel_work;

/* The caller's thread works too; threads that cannot be started are done without. Ends with the
 * first failure. */
kiln_status parallel_run(const parallel_work *work, uint32_t threads, kiln_error *error);

#endif
