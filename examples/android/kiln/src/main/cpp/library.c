/* What Java's System.loadLibrary calls: functions are registered, so that a wrong name or signature
 * fails at once and the library exports these two alone. */
#include "kiln_jni.h"

static JNIEnv *environment(JavaVM *vm) {
    void *env = NULL;
    return (*vm)->GetEnv(vm, &env, JNI_VERSION_1_6) == JNI_OK ? env : NULL;
}

static bool add_methods(JNIEnv *env, jclass class, const JNINativeMethod *methods) {
    jint count = 0;
    while (methods[count].name != NULL) {
        count++;
    }
    return (*env)->RegisterNatives(env, class, methods, count) == JNI_OK;
}

JNIEXPORT jint JNI_OnLoad(JavaVM *vm, void *reserved) {
    (void)reserved;
    JNIEnv *env = environment(vm);
    jclass class = env != NULL ? (*env)->FindClass(env, "org/kiln/Native") : NULL;
    if (class == NULL) {
        return JNI_ERR;
    }
    bool good = add_methods(env, class, plan_methods) && add_methods(env, class, session_methods) &&
                add_methods(env, class, namer_methods) && errors_open(env);
    (*env)->DeleteLocalRef(env, class);
    return good ? JNI_VERSION_1_6 : JNI_ERR;
}

JNIEXPORT void JNI_OnUnload(JavaVM *vm, void *reserved) {
    (void)reserved;
    JNIEnv *env = environment(vm);
    if (env != NULL) {
        errors_close(env);
    }
}
