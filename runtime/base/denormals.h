/* Arithmetic of a thread: whether numbers too small to be normal count as zeros. */
#ifndef KILN_RUNTIME_BASE_DENORMALS_H
#define KILN_RUNTIME_BASE_DENORMALS_H

#include <stdint.h>

#if defined(__SSE__)
#include <xmmintrin.h>
#define DENORMALS_FLUSH 0x8040u /* results, and what is read */

static inline uint64_t denormals_state(void) {
    return _mm_getcsr();
}

static inline void denormals_set(uint64_t state) {
    _mm_setcsr((unsigned)state);
}
#elif defined(__aarch64__)
#define DENORMALS_FLUSH ((uint64_t)1 << 24)

static inline uint64_t denormals_state(void) {
    uint64_t state;
    __asm__ volatile("mrs %0, fpcr" : "=r"(state));
    return state;
}

static inline void denormals_set(uint64_t state) {
    __asm__ volatile("msr fpcr, %0" : : "r"(state));
}
#elif defined(__arm__) && defined(__ARM_FP)
#define DENORMALS_FLUSH ((uint64_t)1 << 24)

static inline uint64_t denormals_state(void) {
    uint32_t state;
    __asm__ volatile("vmrs %0, fpscr" : "=r"(state));
    return state;
}

static inline void denormals_set(uint64_t state) {
    __asm__ volatile("vmsr fpscr, %0" : : "r"((uint32_t)state));
}
#else
#define DENORMALS_FLUSH 0u

static inline uint64_t denormals_state(void) {
    return 0;
}

static inline void denormals_set(uint64_t state) {
    (void)state;
}
#endif

/* Returns what was set before, for denormals_set. */
static inline uint64_t denormals_flush(void) {
    uint64_t before = denormals_state();
    if ((before & DENORMALS_FLUSH) != DENORMALS_FLUSH) {
        denormals_set(before | DENORMALS_FLUSH);
    }
    return before;
}

#endif
