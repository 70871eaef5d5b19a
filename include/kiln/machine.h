/* What the processor at hand can do at most: the roof under which every layer's speed lies.
 * Experimental: may change with any version.
 *
 * A runtime built with KILN_BUILD_TUNING=OFF has kiln_machine_processor alone. */
#ifndef KILN_MACHINE_H
#define KILN_MACHINE_H

#include <kiln/kiln.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct kiln_machine {
    const char *vectors; /* the widest instructions in use: "AVX-512", "NEON", ...; constant */
    uint32_t threads;
    double flops;     /* f32 multiplications and additions a second, of all threads together */
    double bandwidth; /* bytes a second that all threads together read from memory, in order */
} kiln_machine;

/* The widest vector instructions that kernels use on this processor, as in kiln_machine. */
KILN_API const char *kiln_machine_vectors(void);

/* Measures for under half a second, on `threads` threads (1 .. 256), and takes the best of
 * several tries: other load on the machine lowers the result all the same. Reads a buffer four
 * times the last-level cache, at least 256 MiB, at most 1 GiB, which it allocates and frees. On
 * failure *out_machine is as it was. */
KILN_API kiln_status kiln_machine_measure(uint32_t threads, kiln_machine *out_machine,
                                          kiln_error *error);

/* What choices that were measured are kept for (kiln/tune.h): the vector instructions in use, maker
 * and model of the processor's cores, and the XNNPACK that the library was built with: "AVX2
 * AuthenticAMD:25:17 XNNPACK 2022-02", or "NEON 0x41:0xd05+0x41:0xd0b Kiln" of one without. ""
 * where the system does not tell the cores: without /proc, for example. A constant text;
 * thread-safe. */
KILN_API const char *kiln_machine_processor(void);

#ifdef __cplusplus
}
#endif
#endif
