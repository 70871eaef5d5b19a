/* Loops that are compiled for several widths of vectors, the widest chosen when the program is
 * loaded, where the compiler and the C library can. Sanitizers cannot start a program that does. */
#ifndef KILN_TRAIN_WIDE_H
#define KILN_TRAIN_WIDE_H

#if defined(__x86_64__) && defined(__GLIBC__) && defined(__GNUC__) && !defined(__clang__) &&       \
    !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
#define WIDE __attribute__((target_clones("avx512f", "avx2", "default")))
#else
#define WIDE
#endif

#endif
