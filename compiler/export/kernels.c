/* One rule a kernel: the ONNX nodes that say the same, or why there are none. */
#include "compiler/export/exporting.h"

#include <assert.h>

/* A new kernel has a line here: FORM with its function, or NONE with the reason. */
#define RULES(FORM, NONE)                                                                          \
    FORM(COPY, export_copy)                                                                        \
    FORM(CAST, export_cast)                                                                        \
    FORM(CONV_2D, export_conv)                                                                     \
    NONE(DECONV_2D, "no rule is written for transposed convolutions")                              \
    FORM(FULLY_CONNECTED, export_dense)                                                            \
    FORM(MAX_POOL_2D, export_pool)                                                                 \
    FORM(AVERAGE_POOL_2D, export_pool)                                                             \
    FORM(POOL_ND, export_pool_nd)                                                                  \
    FORM(GLOBAL_AVERAGE_POOL, export_global_pool)                                                  \
    FORM(UNARY, export_unary)                                                                      \
    FORM(BINARY, export_binary)                                                                    \
    FORM(PRELU, export_prelu)                                                                      \
    FORM(SOFTMAX, export_softmax)                                                                  \
    FORM(WHERE, export_where)                                                                      \
    FORM(MATMUL, export_matmul)                                                                    \
    FORM(REDUCE, export_reduce)                                                                    \
    FORM(ARG_REDUCE, export_arg_reduce)                                                            \
    NONE(TOP_K, "no rule is written for the largest elements along an axis")                       \
    FORM(INSTANCE_NORM, export_instance_norm)                                                      \
    NONE(LAYER_NORM, "no rule is written for layer normalization")                                 \
    FORM(LP_NORM, export_lp_norm)                                                                  \
    FORM(LRN, export_lrn)                                                                          \
    FORM(GATHER, export_gather)                                                                    \
    NONE(REMAP, "ONNX takes no table of indices for each dimension")                               \
    NONE(RESAMPLE, "ONNX takes no table of weights for each position")                             \
    NONE(RESIZE_BILINEAR, "no rule is written for resizing")                                       \
    NONE(CONV_ND, "no rule is written for convolutions over volumes")                              \
    FORM(QUANTIZE, export_quantize)                                                                \
    FORM(QUANTIZE_RANGE, export_quantize_range)                                                    \
    FORM(CUMULATIVE_SUM, export_cumulative_sum)                                                    \
    FORM(GATHER_ELEMENTS, export_gather)                                                           \
    FORM(GATHER_ND, export_gather_nd)                                                              \
    FORM(SCATTER_ELEMENTS, export_scatter)                                                         \
    FORM(SCATTER_ND, export_scatter)                                                               \
    FORM(GRID_SAMPLE, export_grid_sample)                                                          \
    FORM(ROI_ALIGN, export_roi_align)                                                              \
    FORM(GROUP_NORM, export_group_norm)                                                            \
    NONE(ATTENTION, "no rule is written for attention")                                            \
    NONE(RESPONSE_NORM, "no rule is written for global response normalization")                    \
    FORM(RMS_NORM, export_rms_norm)                                                                \
    FORM(SQUEEZE_EXCITE, export_squeeze_excite)

typedef struct export_rule {
    kiln_status (*form)(exporting *x); /* NULL: there is none */
    const char *reason;
} export_rule;

#define FORM(kernel, function) [KILN_KERNEL_##kernel] = {.form = (function)},
#define NONE(kernel, why) [KILN_KERNEL_##kernel] = {.reason = (why)},
static const export_rule rules[KILN_KERNEL_COUNT] = {RULES(FORM, NONE)};

/* A kernel without a rule does not compile: its HAS_RULE_ is not declared. */
#define HAS_RULE(kernel, rule) HAS_RULE_##kernel,
enum { RULES(HAS_RULE, HAS_RULE) };
#define CHECK(number, NAME, name) static_assert(HAS_RULE_##NAME >= 0, "");
KILN_EACH_KERNEL(CHECK)

kiln_status export_step(exporting *x) {
    const export_rule *rule = &rules[x->step->kernel];
    return rule->form != NULL ? rule->form(x) : export_fail(x, "%s", rule->reason);
}
