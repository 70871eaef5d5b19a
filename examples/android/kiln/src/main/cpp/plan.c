/* Plans: opening, and what they hold. */
#include "kiln_jni.h"

#include <stdlib.h>

/* ---- Opening -------------------------------------------------------------------------------- */

/* Where packed weights are kept, if anywhere; *out_path is to be released with free(). */
static bool options_from_java(JNIEnv *env, jbyteArray prepacked, kiln_plan_options *out_options,
                              char **out_path) {
    kiln_plan_options_init(out_options);
    *out_path = prepacked != NULL ? text_from_java(env, prepacked) : NULL;
    out_options->prepacked_path = *out_path;
    return prepacked == NULL || *out_path != NULL;
}

static jlong opened(JNIEnv *env, kiln_status status, const kiln_plan *plan,
                    const kiln_error *error) {
    return succeeded(env, status, error) ? address_of(plan) : 0;
}

static jlong open_path(JNIEnv *env, jclass class, jbyteArray path, jbyteArray prepacked) {
    (void)class;
    kiln_plan_options options;
    kiln_plan *plan = NULL;
    kiln_error error;
    char *kept, *text = text_from_java(env, path);
    jlong address = 0;
    if (text == NULL) {
        return 0;
    }
    if (options_from_java(env, prepacked, &options, &kept)) {
        kiln_status status = kiln_plan_open(text, &options, &plan, &error);
        address = opened(env, status, plan, &error);
    }
    free(kept);
    free(text);
    return address;
}

static jlong open_descriptor(JNIEnv *env, jclass class, jint descriptor, jlong offset, jlong length,
                             jbyteArray prepacked) {
    (void)class;
    kiln_plan_options options;
    kiln_plan *plan = NULL;
    kiln_error error;
    char *kept;
    jlong address = 0;
    if (options_from_java(env, prepacked, &options, &kept)) {
        kiln_status status = kiln_plan_open_fd(descriptor, (uint64_t)offset, (uint64_t)length,
                                               &options, &plan, &error);
        address = opened(env, status, plan, &error);
    }
    free(kept);
    return address;
}

static jlong open_memory(JNIEnv *env, jclass class, jobject buffer, jbyteArray prepacked) {
    (void)class;
    kiln_plan_options options;
    kiln_plan *plan = NULL;
    kiln_error error;
    char *kept;
    jlong address = 0;
    const kiln_span bytes = {(*env)->GetDirectBufferAddress(env, buffer),
                             (size_t)(*env)->GetDirectBufferCapacity(env, buffer)};
    if (options_from_java(env, prepacked, &options, &kept)) {
        kiln_status status = kiln_plan_open_memory(bytes, &options, &plan, &error);
        address = opened(env, status, plan, &error);
    }
    free(kept);
    return address;
}

static void close_plan(JNIEnv *env, jclass class, jlong plan) {
    (void)env, (void)class;
    kiln_plan_close(object_at(plan));
}

/* ---- Looking inside ------------------------------------------------------------------------- */

static const char *label_of(void *plan, size_t k) {
    return kiln_plan_label(plan, k);
}

static jobjectArray labels(JNIEnv *env, jclass class, jlong plan) {
    (void)class;
    return texts_to_java(env, kiln_plan_label_count(object_at(plan)), label_of, object_at(plan));
}

static jbyteArray metadata(JNIEnv *env, jclass class, jlong plan, jbyteArray key) {
    (void)class;
    char *text = text_from_java(env, key);
    const char *value = text != NULL ? kiln_plan_metadata(object_at(plan), text) : NULL;
    free(text);
    return value != NULL ? text_to_java(env, value) : NULL;
}

static kiln_tensor_info tensor_of(const kiln_plan *plan, bool outputs, size_t k) {
    kiln_tensor_info info;
    (void)(outputs ? kiln_plan_output : kiln_plan_input)(plan, k, &info);
    return info;
}

static size_t tensor_count(const kiln_plan *plan, bool outputs) {
    return (outputs ? kiln_plan_output_count : kiln_plan_input_count)(plan);
}

static const char *input_name(void *plan, size_t k) {
    return tensor_of(plan, false, k).name;
}

static const char *output_name(void *plan, size_t k) {
    return tensor_of(plan, true, k).name;
}

static jobjectArray names(JNIEnv *env, jclass class, jlong plan, jboolean outputs) {
    (void)class;
    return texts_to_java(env, tensor_count(object_at(plan), outputs),
                         outputs ? output_name : input_name, object_at(plan));
}

static jintArray shape_to_java(JNIEnv *env, const kiln_tensor_info *info) {
    jint numbers[1 + KILN_MAX_RANK] = {(jint)info->dtype};
    for (uint32_t k = 0; k < info->rank; k++) {
        numbers[1 + k] = (jint)info->dims[k];
    }
    jintArray shape = (*env)->NewIntArray(env, (jsize)(1 + info->rank));
    if (shape != NULL) {
        (*env)->SetIntArrayRegion(env, shape, 0, (jsize)(1 + info->rank), numbers);
    }
    return shape;
}

static jobjectArray shapes(JNIEnv *env, jclass class, jlong plan, jboolean outputs) {
    (void)class;
    size_t count = tensor_count(object_at(plan), outputs);
    jclass type = (*env)->FindClass(env, "[I");
    jobjectArray all = type != NULL ? (*env)->NewObjectArray(env, (jsize)count, type, NULL) : NULL;
    (*env)->DeleteLocalRef(env, type);
    for (size_t k = 0; all != NULL && k < count; k++) {
        const kiln_tensor_info info = tensor_of(object_at(plan), outputs, k);
        jintArray shape = shape_to_java(env, &info);
        if (shape == NULL) {
            (*env)->DeleteLocalRef(env, all);
            return NULL;
        }
        (*env)->SetObjectArrayElement(env, all, (jsize)k, shape);
        (*env)->DeleteLocalRef(env, shape);
    }
    return all;
}

const JNINativeMethod plan_methods[] = {
    {"planOpen", "([B[B)J", (void *)open_path},
    {"planOpenDescriptor", "(IJJ[B)J", (void *)open_descriptor},
    {"planOpenMemory", "(Ljava/nio/ByteBuffer;[B)J", (void *)open_memory},
    {"planClose", "(J)V", (void *)close_plan},
    {"planLabels", "(J)[[B", (void *)labels},
    {"planMetadata", "(J[B)[B", (void *)metadata},
    {"planNames", "(JZ)[[B", (void *)names},
    {"planShapes", "(JZ)[[I", (void *)shapes},
    {NULL, NULL, NULL},
};
