/* Between Java and Kiln: what the files of libkiln_jni share. Java checks arguments (Native.java
 * says what comes), so that these functions are thin. Each deletes the local references that it
 * makes, so that loops stay within what a frame may hold; a function that returns false or NULL has
 * left an exception pending. */
#ifndef KILN_JNI_H
#define KILN_JNI_H

#include <jni.h>
#include <kiln/kiln.h>

/* ---- Tables of functions, one a file; a row of NULL ends them -------------------------------- */

extern const JNINativeMethod plan_methods[], session_methods[], namer_methods[];

/* ---- Errors --------------------------------------------------------------------------------- */

/* Finds and keeps the class KilnException; and lets it go. */
bool errors_open(JNIEnv *env);
void errors_close(JNIEnv *env);
/* Throws what a function of Kiln's told. */
void throw_error(JNIEnv *env, const kiln_error *error);
void throw_no_memory(JNIEnv *env);
/* Throws, unless the status is KILN_OK. */
bool succeeded(JNIEnv *env, kiln_status status, const kiln_error *error);

/* ---- Values --------------------------------------------------------------------------------- */

static inline jlong address_of(const void *object) {
    return (jlong)(intptr_t)object;
}

static inline void *object_at(jlong address) {
    return (void *)(intptr_t)address; /* NOLINT(performance-no-int-to-ptr): as JNI keeps objects */
}

/* Bytes of UTF-8 as a text, to be released with free(). */
char *text_from_java(JNIEnv *env, jbyteArray bytes);
jbyteArray text_to_java(JNIEnv *env, const char *text);
/* An array of `count` texts; text(context, k) is the k-th. */
jobjectArray texts_to_java(JNIEnv *env, size_t count, const char *(*text)(void *context, size_t k),
                           void *context);
/* The memory of a direct buffer. */
kiln_buffer buffer_at(JNIEnv *env, jobjectArray buffers, jsize index);

#endif
