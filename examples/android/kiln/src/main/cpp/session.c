/* Sessions: running, classes, features. */
#include "images.h"
#include <kiln/answer.h>

#include <stdlib.h>

static jlong create(JNIEnv *env, jclass class, jlong plan, jint threads) {
    (void)class;
    kiln_session_options options;
    kiln_session *session = NULL;
    kiln_error error;
    kiln_session_options_init(&options);
    options.threads = (uint32_t)threads;
    kiln_status status = kiln_session_create(object_at(plan), &options, &session, &error);
    return succeeded(env, status, &error) ? address_of(session) : 0;
}

static void destroy(JNIEnv *env, jclass class, jlong session) {
    (void)env, (void)class;
    kiln_session_destroy(object_at(session));
}

static void cancel(JNIEnv *env, jclass class, jlong session) {
    (void)env, (void)class;
    kiln_session_cancel(object_at(session));
}

/* ---- Any network ---------------------------------------------------------------------------- */

static kiln_buffer *buffers_from_java(JNIEnv *env, jobjectArray buffers, jsize count) {
    kiln_buffer *all = calloc((size_t)count + 1, sizeof *all);
    if (all == NULL) {
        throw_no_memory(env);
        return NULL;
    }
    for (jsize k = 0; k < count; k++) {
        all[k] = buffer_at(env, buffers, k);
    }
    return all;
}

static void run(JNIEnv *env, jclass class, jlong session, jobjectArray inputs,
                jobjectArray outputs) {
    (void)class;
    kiln_error error;
    jsize input_count = (*env)->GetArrayLength(env, inputs);
    jsize output_count = (*env)->GetArrayLength(env, outputs);
    kiln_buffer *from = buffers_from_java(env, inputs, input_count);
    kiln_buffer *to = from != NULL ? buffers_from_java(env, outputs, output_count) : NULL;
    if (to != NULL) {
        kiln_status status = kiln_session_run(object_at(session), 1, from, (size_t)input_count, to,
                                              (size_t)output_count, &error);
        (void)succeeded(env, status, &error);
    }
    free(from);
    free(to);
}

/* ---- Images --------------------------------------------------------------------------------- */

static void answers_to_java(JNIEnv *env, const kiln_answer *answers, size_t count,
                            jintArray indices, jfloatArray scores) {
    for (size_t k = 0; k < count; k++) {
        const jint index = (jint)answers[k].index;
        (*env)->SetIntArrayRegion(env, indices, (jsize)k, 1, &index);
        (*env)->SetFloatArrayRegion(env, scores, (jsize)k, 1, &answers[k].score);
    }
}

static jint classify(JNIEnv *env, jclass class, jlong session, jobjectArray planes,
                     jintArray geometry, jintArray indices, jfloatArray scores) {
    (void)class;
    kiln_error error;
    images taken;
    size_t capacity = (size_t)(*env)->GetArrayLength(env, indices), count = 0;
    kiln_answer *answers = calloc(capacity, sizeof *answers);
    if (answers == NULL) {
        throw_no_memory(env);
        return 0;
    }
    if (images_take(env, planes, geometry, &taken)) {
        kiln_status status =
            kiln_classify(object_at(session), taken.each, answers, capacity, &count, &error);
        if (succeeded(env, status, &error)) {
            answers_to_java(env, answers, count, indices, scores);
        }
    }
    images_release(&taken);
    free(answers);
    return (jint)count;
}

static jfloatArray features_to_java(JNIEnv *env, const float *features, size_t count) {
    jfloatArray array = (*env)->NewFloatArray(env, (jsize)count);
    if (array != NULL) {
        (*env)->SetFloatArrayRegion(env, array, 0, (jsize)count, features);
    }
    return array;
}

static jfloatArray embed(JNIEnv *env, jclass class, jlong session, jlong plan, jobjectArray planes,
                         jintArray geometry) {
    (void)class;
    kiln_error error;
    kiln_tensor_info last;
    images taken;
    jfloatArray array = NULL;
    const kiln_plan *of = object_at(plan);
    (void)kiln_plan_output(of, kiln_plan_output_count(of) - 1, &last);
    size_t count = last.bytes / sizeof(float);
    float *features = calloc(count + 1, sizeof *features);
    if (features == NULL) {
        throw_no_memory(env);
        return NULL;
    }
    if (images_take(env, planes, geometry, &taken)) {
        kiln_status status = kiln_embed(object_at(session), taken.each, features, count, &error);
        if (succeeded(env, status, &error)) {
            array = features_to_java(env, features, count);
        }
    }
    images_release(&taken);
    free(features);
    return array;
}

static jfloat similarity(JNIEnv *env, jclass class, jfloatArray a, jfloatArray b) {
    (void)class;
    size_t count = (size_t)(*env)->GetArrayLength(env, a);
    float *features = calloc(2 * count + 1, sizeof *features), alike = 0;
    if (features == NULL) {
        throw_no_memory(env);
        return 0;
    }
    (*env)->GetFloatArrayRegion(env, a, 0, (jsize)count, features);
    (*env)->GetFloatArrayRegion(env, b, 0, (jsize)count, features + count);
    alike = kiln_similarity(features, features + count, count);
    free(features);
    return alike;
}

#define BUFFER "Ljava/nio/ByteBuffer;"

const JNINativeMethod session_methods[] = {
    {"sessionCreate", "(JI)J", (void *)create},
    {"sessionDestroy", "(J)V", (void *)destroy},
    {"sessionCancel", "(J)V", (void *)cancel},
    {"sessionRun", "(J[" BUFFER "[" BUFFER ")V", (void *)run},
    {"classify", "(J[" BUFFER "[I[I[F)I", (void *)classify},
    {"embed", "(JJ[" BUFFER "[I)[F", (void *)embed},
    {"similarity", "([F[F)F", (void *)similarity},
    {NULL, NULL, NULL},
};
