/* The choice is made for the processor at hand when a session is created: plans travel. Where it
 * was measured there, that counts, else the table. */
#include "runtime/kernels/conv_choice.h"
#include "runtime/ukernels/ukernels.h"
#ifdef KILN_XNNPACK
#include "runtime/xnnpack/xnnpack.h"
#endif

#include <string.h>

conv_class conv_class_of(const kernel_call *call) {
    const kiln_conv_params *p = call->params;
    const operand *w = &call->inputs[1];
    size_t outputs = w->dims[0] / p->groups;
    bool transposed = call->step->kernel == KILN_KERNEL_DECONV_2D;
    if (p->groups == 1) {
        return transposed ? CONV_TRANSPOSED : CONV_PRODUCT;
    }
    if (outputs <= KILN_DEPTHWISE_OUTPUTS && w->dims[3] == 1 && !transposed) {
        return CONV_DEPTHWISE;
    }
    return outputs <= ukernels_best()->nr ? CONV_NARROW_GROUPS : CONV_WIDE_GROUPS;
}

/* x86: of products and depthwise layers the sums of what `kiln tune` measures of ResNet-50,
 * MobileNetV2 and MobileNetV3, exact, on an EPYC; of the others single layers; with XNNPACK held to
 * the instructions of the row. NEON: cycles a multiply-accumulate in the inner loops as llvm-mca
 * counts them (tests/peers/README.md), of products on the core that is least favourable to XNNPACK,
 * of depthwise layers on the one that is most; of groups what x86 says. Where both take the same
 * time it is ours on x86, whose packed weights sessions share, and XNNPACK's on ARM, where it has
 * been measured for years. */
static const struct {
    const char *ukernels, *generation; /* "": any */
    float costs[CONV_CLASSES];
} table[] = {
    {"NEON", "", {0.91f, 1.5f, 0.5f, 0.91f, 1.2f}},
    {"ARMv7 NEON", "", {0.87f, 1.5f, 0.5f, 0.87f, 1.2f}},
    {"AVX-512", "XNNPACK 2022-02", {1.3f, 2.1f, 0.55f, 1.4f, 1.2f}},
    {"AVX-512", "XNNPACK 2024-11", {1.08f, 2.2f, 0.66f, 1.36f, 2.5f}},
    {"AVX-512", "XNNPACK 2026-08", {1.04f, 2.1f, 0.53f, 1.35f, 2.7f}},
    {"AVX2", "XNNPACK 2022-02", {2.1f, 1.5f, 1.1f, 2.2f, 2.4f}},
    {"AVX2", "XNNPACK 2024-11", {2.4f, 1.9f, 1.4f, 2.3f, 2.6f}},
    {"AVX2", "XNNPACK 2026-08", {2.4f, 1.9f, 1.2f, 2.4f, 2.5f}},
    {"SSE", "XNNPACK 2022-02", {1.0f, 1.5f, 0.62f, 0.84f, 0.88f}},
    {"SSE", "XNNPACK 2024-11", {0.94f, 1.6f, 0.75f, 0.90f, 1.2f}},
    {"SSE", "XNNPACK 2026-08", {0.88f, 1.7f, 0.62f, 0.88f, 1.2f}},
    {"", "", {1.3f, 1.12f, 0.5f, 1.2f, 1.2f}},
};

float conv_cost_by_xnnpack(const char *ukernels, const char *generation, conv_class of) {
    size_t row = 0;
    while ((table[row].ukernels[0] != '\0' && strcmp(table[row].ukernels, ukernels) != 0) ||
           (table[row].generation[0] != '\0' && strcmp(table[row].generation, generation) != 0)) {
        row++;
    }
    return table[row].costs[of];
}

#ifdef KILN_XNNPACK
/* A plan names the direct algorithm for a layer that others can compute where somebody wants
 * XNNPACK's, to compare with. Winograd's does with fewer multiplications. */
static bool wants_xnnpack(const kernel_call *call) {
    const kiln_conv_params *p = call->params;
    conv_class of = conv_class_of(call);
    bool either = of == CONV_PRODUCT || of == CONV_DEPTHWISE;
    if (p->algorithm == KILN_CONV_DIRECT && either) {
        return true;
    }
    bool exact = p->algorithm == KILN_CONV_DIRECT || p->algorithm == KILN_CONV_GEMM ||
                 p->algorithm == KILN_CONV_DEPTHWISE;
    return exact && conv_cost_by_xnnpack(ukernels_best()->name, xnnpack_generation(), of) < 1;
}

const char *conv_library(void) {
    return xnnpack_generation();
}

bool conv_can_be_by_xnnpack(const kernel_call *call) {
    return !call->inputs[0].constant && !call->in_band && conv_addend(call) == NULL &&
           conv_scale(call) == NULL && conv_pool(call) == 1 &&
           KILN_STEP_FUNCTION(call->step->flags) == KILN_UNARY_CLAMP && xnnpack_starts();
}
#else
static bool wants_xnnpack(const kernel_call *call) {
    (void)call;
    return false;
}

const char *conv_library(void) {
    return "Kiln";
}

bool conv_can_be_by_xnnpack(const kernel_call *call) {
    (void)call;
    return false;
}
#endif

bool conv_is_by_xnnpack(const kernel_call *call) {
    bool wants =
        call->measured != 0 ? call->measured == 1 + KILN_CONV_BY_XNNPACK : wants_xnnpack(call);
    return wants && conv_can_be_by_xnnpack(call);
}
