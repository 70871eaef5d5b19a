/* Errors and values, to Java and from it. */
#include "kiln_jni.h"

#include <stdlib.h>

/* ---- Errors --------------------------------------------------------------------------------- */

/* Kept while the library is loaded: a thread may throw whose class loader does not know the class.
 */
static jclass exception_class;
static jmethodID exception_init;

bool errors_open(JNIEnv *env) {
    jclass found = (*env)->FindClass(env, "org/kiln/KilnException");
    if (found == NULL) {
        return false;
    }
    exception_init = (*env)->GetMethodID(env, found, "<init>", "(I[B)V");
    exception_class = exception_init != NULL ? (*env)->NewGlobalRef(env, found) : NULL;
    (*env)->DeleteLocalRef(env, found);
    return exception_class != NULL;
}

void errors_close(JNIEnv *env) {
    (*env)->DeleteGlobalRef(env, exception_class);
    exception_class = NULL;
}

void throw_error(JNIEnv *env, const kiln_error *error) {
    jbyteArray message = text_to_java(env, error->message);
    if (message == NULL) {
        return;
    }
    jobject exception =
        (*env)->NewObject(env, exception_class, exception_init, (jint)error->status, message);
    (*env)->DeleteLocalRef(env, message);
    if (exception != NULL) {
        (void)(*env)->Throw(env, exception);
        (*env)->DeleteLocalRef(env, exception);
    }
}

void throw_no_memory(JNIEnv *env) {
    const kiln_error error = {KILN_ERROR_MEMORY, "out of memory"};
    throw_error(env, &error);
}

bool succeeded(JNIEnv *env, kiln_status status, const kiln_error *error) {
    if (status != KILN_OK) {
        throw_error(env, error);
    }
    return status == KILN_OK;
}

/* ---- Values --------------------------------------------------------------------------------- */

char *text_from_java(JNIEnv *env, jbyteArray bytes) {
    jsize length = (*env)->GetArrayLength(env, bytes);
    char *text = calloc((size_t)length + 1, 1);
    if (text == NULL) {
        throw_no_memory(env);
        return NULL;
    }
    (*env)->GetByteArrayRegion(env, bytes, 0, length, (jbyte *)text);
    return text;
}

jbyteArray text_to_java(JNIEnv *env, const char *text) {
    jsize length = (jsize)strlen(text);
    jbyteArray bytes = (*env)->NewByteArray(env, length);
    if (bytes != NULL) {
        (*env)->SetByteArrayRegion(env, bytes, 0, length, (const jbyte *)text);
    }
    return bytes;
}

jobjectArray texts_to_java(JNIEnv *env, size_t count, const char *(*text)(void *context, size_t k),
                           void *context) {
    jclass type = (*env)->FindClass(env, "[B");
    jobjectArray texts =
        type != NULL ? (*env)->NewObjectArray(env, (jsize)count, type, NULL) : NULL;
    (*env)->DeleteLocalRef(env, type);
    for (size_t k = 0; texts != NULL && k < count; k++) {
        jbyteArray bytes = text_to_java(env, text(context, k));
        if (bytes == NULL) {
            (*env)->DeleteLocalRef(env, texts);
            return NULL;
        }
        (*env)->SetObjectArrayElement(env, texts, (jsize)k, bytes);
        (*env)->DeleteLocalRef(env, bytes);
    }
    return texts;
}

kiln_buffer buffer_at(JNIEnv *env, jobjectArray buffers, jsize index) {
    jobject buffer = (*env)->GetObjectArrayElement(env, buffers, index);
    kiln_buffer memory = {(*env)->GetDirectBufferAddress(env, buffer),
                          (size_t)(*env)->GetDirectBufferCapacity(env, buffer)};
    (*env)->DeleteLocalRef(env, buffer);
    return memory;
}
