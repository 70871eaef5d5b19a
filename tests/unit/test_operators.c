/* Operators one by one: plans at batch 1, 2 and 3 against the naive evaluator, and the evaluator
 * against values of ONNX Runtime. */
#include "tests/unit/operator_case.h"
#include "tests/unit/suite.h"

static const operator_case elementwise[] = {
    {"Sin", "", {"f N 3 4 5 from -8 to 8"}},
    {"Cos", "", {"f N 3 4 5 from -8 to 8"}},
    {"Tan", "", {"f N 3 4 5 from -1.4 to 1.4"}},
    {"Asin", "", {"f N 3 4 5 from -1 to 1.1"}},
    {"Acos", "", {"f N 3 4 5 from -1.1 to 1"}},
    {"Atan", "", {"f N 3 4 5 from -9 to 9"}},
    {"Sinh", "", {"f N 3 4 5 from -5 to 5"}},
    {"Cosh", "", {"f N 3 4 5 from -5 to 5"}},
    {"Asinh", "", {"f N 3 4 5 from -9 to 9"}},
    {"Acosh", "", {"f N 3 4 5 from 0.5 to 9"}},
    {"Atanh", "", {"f N 3 4 5 from -1 to 1"}},
    {"ThresholdedRelu", "alpha=0.7", {"f N 3 4 5 from -2 to 2"}},
    {"Shrink", "lambd=0.6 bias=0.2", {"f N 3 4 5 from -2 to 2"}},
    {"Gelu", "@opset=20", {"f N 3 4 5 from -6 to 6"}},
    {"Gelu", "@opset=20 approximate=tanh", {"f N 3 4 5 from -6 to 6"}},
    {"IsNaN", "", {"f N 3 from -2 to 2"}},
    {"IsInf", "detect_negative=0", {"f N 3 from -2 to 2"}},
    {"LessOrEqual", "", {"i N 3 4 5 from -2 to 2", "i 3 1 1 from -2 to 2"}},
    {"GreaterOrEqual", "", {"i N 7 from -2 to 2", "i N 7 from -2 to 2"}},
    {"LessOrEqual", "", {"f N 3 4 5 from -2 to 2", "f 4 5 from -2 to 2"}},
    {"Xor", "", {"b N 3 4 from 0 to 1", "b 4 from 0 to 1"}},
    {"Mod", "", {"i N 40 from -9 to 9", "i N 40 from -3 to 3"}},
    {"Mod", "fmod=1", {"i N 40 from -9 to 9", "i N 40 from -3 to 3"}},
    {"Mod", "fmod=1", {"f N 40 from -9 to 9", "f 40 from -3 to 3"}},
    {"BitwiseAnd", "@opset=18 @export=0", {"i N 9 from -99 to 99", "i 9 from -70 to 70"}},
    {"BitwiseOr", "@opset=18 @export=0", {"i N 9 from -99 to 99", "i 9 from -70 to 70"}},
    {"BitwiseXor", "@opset=18 @export=0", {"i N 9 from -99 to 99", "i N 9 from -70 to 70"}},
    {"BitwiseNot", "@opset=18", {"i N 3 4 from -99 to 99"}},
    {"BitShift", "@export=0 direction=LEFT", {"i N 9 from 0 to 99", "i 9 from 0 to 70"}},
    {"BitShift", "@export=0 direction=RIGHT", {"i N 9 from 0 to 99", "i 9 from 0 to 7"}},
};

START_TEST(runs_elementwise_operators) {
    case_check(&elementwise[_i], case_folder);
}
END_TEST

/* Shapes that take each way through the kernels: more depth, rows and columns than a panel has,
 * reductions along runs, across rows and of both at once. */
static const operator_case products[] = {
    {"MatMul", "", {"f N 70 300 from -1 to 1", "f N 300 45 from -1 to 1"}},
    {"MatMul", "", {"f N 3 9 16 from -1 to 1", "f N 3 16 9 from -1 to 1"}},
    {"MatMul", "", {"f N 2 65 33 from -1 to 1", "f N 1 33 70 from -1 to 1"}},
    {"MatMul", "", {"f 5 600 from -1 to 1", "f N 600 3 from -1 to 1"}},
    {"MatMul", "", {"f N 1 257 from -1 to 1", "f N 257 1 from -1 to 1"}},
    {"Softmax", "axis=-1", {"f N 3 37 from -9 to 9"}},
    {"Softmax", "axis=1", {"f N 3 37 from -9 to 9"}},
    {"LogSoftmax", "axis=-1", {"f N 3 37 from -9 to 9"}},
    {"LogSoftmax", "axis=2", {"f N 3 7 37 from -9 to 9"}},
    {"ReduceSum", "axes=1,", {"f N 70 37 from -1 to 3"}},
    {"ReduceMean", "axes=2,3", {"f N 3 9 37 from -1 to 3"}},
    {"ReduceL2", "axes=1,3", {"f N 3 9 37 from -1 to 3"}},
    {"ReduceL1", "axes=1,2", {"f N 3 9 37 from -1 to 3"}},
    {"ReduceMax", "axes=1,3", {"f N 3 9 37 5 from -1 to 3"}},
    {"ReduceMin", "axes=2,", {"f N 3 9 37 from -1 to 3"}},
    {"ReduceMax", "axes=1,", {"b N 3 4 from 0 to 1"}},
    {"ReduceMin", "axes=2,3 keepdims=0", {"b N 5 2 3 from 0 to 1"}},
    {"ReduceSumSquare", "axes=3,", {"f N 3 9 1 from -1 to 3"}},
    {"ReduceProd", "axes=1,3", {"f N 3 2 4 from 0.5 to 1.5"}},
    {"ReduceLogSum", "axes=2,", {"f N 3 9 4 from 1 to 3"}},
    {"ReduceLogSumExp", "axes=1,", {"f N 5 37 from -1 to 3"}},
    {"ReduceMean", "axes=0,2 @fixed=1", {"f N 3 9 4 from 1 to 3"}},
};

START_TEST(runs_products_and_reductions) {
    case_check(&products[_i], case_folder);
}
END_TEST

static const operator_case expanded[] = {
    {"GroupNormalization",
     "@opset=18 num_groups=2",
     {"f N 6 5 4 from -2 to 3", "f 2 = 1 2", "f 2 = 0.5 -1"}},
    {"GroupNormalization",
     "@opset=21 num_groups=3 epsilon=0.01",
     {"f N 6 5 from -2 to 3", "f 6 = 1 2 3 4 5 6", "f 6 = 0.5 -1 0 1 2 3"}},
    {"GroupNormalization",
     "@opset=21 num_groups=2",
     {"f N 4 3 2 from -2 to 3", "f 4 from 1 to 2", "f 4 from -1 to 1"}},
    {"RMSNormalization", "@opset=23", {"f N 3 9 from -2 to 3", "f 9 from 1 to 2"}},
    {"RMSNormalization",
     "@opset=23 axis=1 epsilon=0.01",
     {"f N 3 4 5 from -2 to 3", "f 3 4 5 from 1 to 2"}},
    {"MeanVarianceNormalization", "@opset=13 axes=2,3", {"f N 3 4 5 from -2 to 3"}},
    {"MeanVarianceNormalization", "@fixed=1", {"f N 3 4 5 from -2 to 3"}},
    {"OneHot", "", {"i N 4 from -6 to 6", "i = 5", "f 2 = 0 1"}},
    {"OneHot", "axis=1", {"i N 4 3 from -6 to 6", "f = 5", "f 2 = -2 3"}},
    {"OneHot", "axis=-2", {"f N 4 from -3 to 3", "i 1 = 3", "i 2 from 1 to 9"}},
    {"OneHot", "axis=0 @fixed=1", {"i N from -3 to 3", "i 1 = 3", "f 2 = 0 1"}},
    {"Hardmax", "@opset=11", {"f N 3 4 from -2 to 2"}},
    {"Hardmax", "axis=1", {"f N 3 4 5 from -2 to 2"}},
    {"Hardmax", "", {"f N 3 4 5 from -2 to 2"}},
    {"Trilu", "@opset=14", {"f N 3 4 5 from -2 to 2", "i = 1"}},
    {"Trilu", "@opset=14 upper=0", {"i N 5 4 from 1 to 9", "i = -1"}},
    {"Trilu", "@opset=14 @fixed=1", {"b N 4 from 0 to 1"}},
    {"Compress", "axis=1", {"f N 4 3 from -2 to 2", "b 4 = 1 0 0 1"}},
    {"Compress", "axis=-1", {"f N 3 4 2 from -2 to 2", "b 1 = 1"}},
    {"Compress", "@fixed=1", {"f N 4 from -2 to 2", "b 4 = 1 0 1 1"}},
    {"CastLike", "@opset=15", {"f N 4 from -2 to 2", "i 1 = 0"}},
    {"CastLike", "@opset=15", {"i N 4 3 from -2 to 2", "f = 1"}},
    {"ReduceLogSum", "axes=2,3", {"f N 3 4 5 from 0 to 2"}},
    {"ReduceLogSumExp", "axes=1,3 keepdims=0", {"f N 3 4 5 from -200 to 200"}},
    {"Einsum", "equation=bij,bjk->bik", {"f N 3 4 from -1 to 1", "f N 4 5 from -1 to 1"}},
    {"Einsum", "equation=bchw,cd->bdhw", {"f N 3 4 5 from -1 to 1", "f 3 6 from -1 to 1"}},
    {"Einsum", "equation=cd,bchw->bhwd", {"f 3 6 from -1 to 1", "f N 3 4 5 from -1 to 1"}},
    {"Einsum", "equation=bhid,bhjd->bhij", {"f N 2 4 5 from -1 to 1", "f N 2 3 5 from -1 to 1"}},
    {"Einsum", "equation=...ij,...jk->...ik", {"f N 2 4 5 from -1 to 1", "f N 2 5 3 from -1 to 1"}},
    {"Einsum", "equation=bii->bi", {"f N 3 3 from -1 to 1"}},
    {"Einsum", "equation=biji->bj", {"f N 3 4 3 from -1 to 1"}},
    {"Einsum", "equation=biijj,ik->bkj", {"f N 2 2 3 3 from -1 to 1", "f 2 4 from -1 to 1"}},
    {"Einsum", "equation=biii", {"f N 3 3 3 from -1 to 1"}},
    {"Einsum", "equation=bij,bij->bij", {"f N 3 4 from -1 to 1", "f 1 3 1 from -1 to 1"}},
    {"Einsum", "equation=bij,bjk->bik", {"f N 3 1 from -1 to 1", "f N 4 5 from -1 to 1"}},
    {"Einsum", "equation=...ij,...jk->...ik", {"f N 1 4 5 from -1 to 1", "f 1 3 5 2 from -1 to 1"}},
    {"LpPool", "kernel_shape=2,3 strides=1,2 pads=1,1,0,1", {"f N 3 5 6 from -2 to 2"}},
    {"LpPool", "kernel_shape=3, p=1", {"f N 3 9 from -2 to 2"}},
    {"LpPool", "@opset=18 kernel_shape=2,2 p=3 dilations=2,1", {"f N 3 5 6 from -2 to 2"}},
    {"LpPool", "@opset=18 kernel_shape=3,3 strides=2,2 ceil_mode=1", {"f N 3 6 8 from -2 to 2"}},
    {"LpPool", "kernel_shape=2,3 auto_pad=SAME_UPPER", {"f N 2 4 5 from -2 to 2"}},
    {"GlobalLpPool", "", {"f N 3 5 6 from -2 to 2"}},
    {"GlobalLpPool", "p=1", {"f N 3 7 from -2 to 2"}},
    {"GlobalLpPool", "p=5", {"f N 3 2 3 4 from -2 to 2"}},
    {"Einsum", "equation=bij->bji", {"f N 2 4 from -1 to 1"}},
    {"Einsum", "equation=bij->bi", {"f N 2 4 from -1 to 1"}},
    {"Einsum", "equation=bi,bj->bij", {"f N 2 from -1 to 1", "f N 3 from -1 to 1"}},
    {"Einsum", "equation=bi,bi->b", {"f N 2 from -1 to 1", "f N 2 from -1 to 1"}},
    {"Einsum",
     "equation=bi,ij,jk->bk",
     {"f N 2 from -1 to 1", "f 2 3 from -1 to 1", "f 3 4 from -1 to 1"}},
    {"Einsum",
     "equation=bik,jl,bj->bikl",
     {"f N 2 3 from -1 to 1", "f 4 5 from -1 to 1", "f N 4 from -1 to 1"}},
    {"Einsum", "equation=bi->i @fixed=1", {"f N 2 from -1 to 1"}},
    {"BatchNormalization",
     "@opset=8 spatial=0",
     {"f N 2 3 from -1 to 1", "f 2 3 = 1 2 3 4 5 6", "f 2 3 = 0 1 0 1 0 1", "f 2 3 = 1 1 1 0 0 0",
      "f 2 3 = 1 2 1 2 1 2"}},
};

START_TEST(runs_what_is_said_in_other_operators) {
    case_check(&expanded[_i], case_folder);
}
END_TEST

static const operator_case indexed[] = {
    {"CumSum", "@opset=14", {"f N 3 4 5 from -2 to 3", "i = 1"}},
    {"CumSum", "@opset=14 exclusive=1 reverse=1", {"f N 3 4 from -2 to 3", "i 1 = -1"}},
    {"CumSum", "@opset=11 reverse=1", {"i N 3 4 from -9 to 9", "i = 2"}},
    {"CumSum", "@fixed=1", {"f N 3 from -2 to 3", "i = 0"}},
    {"GatherElements", "axis=1", {"f N 4 3 from -2 to 3", "i N 2 3 from -4 to 3"}},
    {"GatherElements", "axis=-1", {"i N 4 3 from -2 to 3", "i N 2 5 from -3 to 2"}},
    {"GatherElements", "@fixed=1", {"f N 4 from -2 to 3", "i N 4 from 0 to 0"}},
    {"GatherElements", "@fixed=1 axis=1", {"f N 4 from -2 to 3", "i 1 4 from 0 to 3"}},
    {"GatherND", "@opset=12 batch_dims=1", {"f N 4 3 from -2 to 3", "i N 5 1 from -4 to 3"}},
    {"GatherND", "@opset=12 batch_dims=1", {"f N 4 3 from -2 to 3", "i N 5 6 2 from 0 to 2"}},
    {"GatherND", "@opset=12 batch_dims=2", {"b N 2 3 from 0 to 1", "i N 2 1 from -3 to 2"}},
    {"GatherND", "@opset=12", {"f 4 3 from -2 to 3", "i N 5 2 from -3 to 2"}},
    {"GatherND", "@fixed=1", {"f N 4 3 from -2 to 3", "i 5 2 = 0 1 0 -4 0 3 -1 2 0 0"}},
    {"ScatterElements",
     "axis=1",
     {"f N 4 3 from -2 to 3", "i N 2 3 from -4 to 3", "f N 2 3 from 5 to 9"}},
    {"ScatterElements",
     "@opset=18 axis=2 reduction=add",
     {"f N 4 3 from -2 to 3", "i N 4 3 from -3 to 2", "f N 4 3 from 5 to 9"}},
    {"ScatterElements",
     "@export=0 @opset=18 axis=1 reduction=max",
     {"i N 4 from -9 to 9", "i N 4 from 0 to 3", "i N 4 from -9 to 9"}},
    {"ScatterElements", "axis=1", {"b N 4 from 0 to 1", "i N 4 from 0 to 3", "b N 4 from 0 to 1"}},
    {"Scatter",
     "@opset=10 axis=1",
     {"f N 4 from 0 to 1", "i N 2 from 0 to 3", "f N 2 from 4 to 9"}},
    {"ScatterND", "@fixed=1", {"f N 4 3 from -2 to 3", "i 2 2 = 0 -1 0 1", "f 2 3 from 5 to 9"}},
    {"ScatterND",
     "@opset=18 reduction=mul",
     {"f 4 3 from -2 to 3", "i 3 1 from -4 to 3", "f 3 3 from 1 to 2"}},
    {"ScatterND",
     "@export=0 @opset=18 reduction=min",
     {"i 9 from -9 to 9", "i 3 1 from -9 to 8", "i 3 from -9 to 9"}},
    {"MaxUnpool",
     "@opset=11 kernel_shape=2,2 strides=2,2",
     {"f 1 1 2 2 from 1 to 2", "i 1 1 2 2 = 5 7 13 15"}},
    {"MaxUnpool",
     "@export=0 @opset=11 kernel_shape=2,2 strides=2,2",
     {"f 1 2 2 2 from 1 to 2", "i 1 2 2 2 = 31 0 3 5 7 9 11 16", "i 4 = 1 2 5 6"}},
    {"MaxUnpool",
     "@fixed=1 @opset=11 kernel_shape=3, strides=2, pads=1,1",
     {"f N 2 4 from 1 to 2", "i N 2 4 from 0 to 13"}},
};

static const operator_case sampling[] = {
    {"GridSample", "@opset=16", {"f N 3 4 5 from -2 to 3", "f N 6 7 2 from -1.5 to 1.5"}},
    {"GridSample",
     "@opset=16 mode=nearest",
     {"f N 3 4 5 from -2 to 3", "f N 6 7 2 from -1.5 to 1.5"}},
    {"GridSample",
     "@opset=16 mode=nearest padding_mode=border align_corners=1",
     {"f N 3 4 5 from -2 to 3", "f N 6 7 2 from -1.5 to 1.5"}},
    {"GridSample",
     "@opset=16 mode=nearest padding_mode=reflection",
     {"f N 3 4 5 from -2 to 3", "f N 6 7 2 from -9 to 9"}},
    {"GridSample",
     "@opset=16 padding_mode=border",
     {"f N 3 4 5 from -2 to 3", "f N 6 7 2 from -1.5 to 1.5"}},
    {"GridSample",
     "@opset=16 padding_mode=reflection align_corners=1",
     {"f N 3 4 5 from -2 to 3", "f N 6 7 2 from -9 to 9"}},
    {"GridSample",
     "@opset=16 padding_mode=reflection",
     {"f N 3 1 5 from -2 to 3", "f N 6 7 2 from -9 to 9"}},
    {"GridSample",
     "@opset=16 padding_mode=reflection align_corners=1",
     {"f N 3 1 5 from -2 to 3", "f N 6 7 2 from -9 to 9"}},
    {"GridSample",
     "@opset=16 mode=bicubic",
     {"f N 3 4 5 from -2 to 3", "f N 6 7 2 from -1.5 to 1.5"}},
    {"GridSample",
     "@opset=20 mode=cubic padding_mode=border align_corners=1",
     {"f N 3 4 5 from -2 to 3", "f N 6 7 2 from -1.5 to 1.5"}},
    {"GridSample",
     "@opset=16 mode=bicubic padding_mode=reflection",
     {"f N 3 4 5 from -2 to 3", "f N 6 7 2 from -9 to 9"}},
    {"GridSample",
     "@opset=16 @fixed=1",
     {"f N 1 2 2 from 0 to 1", "f 1 1 3 2 = nan 0 inf -inf 1e30 -1e30"}},
    {"RoiAlign",
     "@opset=16 @fixed=1 output_height=3 output_width=2",
     {"f N 3 6 7 from -2 to 3", "f 5 4 from -2 to 8", "i 5 from 0 to 0"}},
    {"RoiAlign",
     "@opset=16 @fixed=1 output_height=3 output_width=2 mode=max sampling_ratio=2",
     {"f N 3 6 7 from -2 to 3", "f 5 4 from -2 to 8", "i 5 from 0 to 0"}},
    {"RoiAlign",
     "@opset=10 @fixed=1 output_height=2 output_width=2 mode=max spatial_scale=0.5",
     {"f N 3 6 7 from -2 to 3", "f 5 4 from -2 to 8", "i 5 from 0 to 0"}},
    {"RoiAlign",
     "@opset=16 output_height=2 output_width=2",
     {"f 2 3 6 7 from -2 to 3", "f 2 4 = nan 0 1 1 -1e30 0 1e30 5", "i 2 = 0 1"}},
};

START_TEST(runs_what_takes_indices) {
    case_check(&indexed[_i], case_folder);
}
END_TEST

START_TEST(runs_what_samples_pictures) {
    case_check(&sampling[_i], case_folder);
}
END_TEST

/* The evaluator on constants. */
static const tensor *evaluated(network *n, const operator_case *c) {
    case_evaluate(n, case_begin(n, c, 1, true));
    return n->outputs[0];
}

static const struct {
    operator_case c;
    double expected[12];
} known[] = {
    {{"Mod", "", {"i 6 = -7 7 -7 7 5 5", "i 6 = 3 -3 -3 3 0 -1"}}, {2, -2, -1, 1, 0, 0}},
    {{"Mod", "fmod=1", {"f 4 = -4.3 7.2 5 4.3", "f 4 = 2.1 -3.4 8 -2.1"}}, {-0.1, 0.4, 5, 0.1}},
    {{"Shrink", "lambd=1.5 bias=1.5", {"f 5 = -2 -1 0 1 2"}}, {-0.5, 0, 0, 0, 0.5}},
    {{"IsNaN", "", {"f 4 = nan 1 inf -inf"}}, {1, 0, 0, 0}},
    {{"IsInf", "", {"f 4 = nan 1 inf -inf"}}, {0, 0, 1, 1}},
    {{"IsInf", "detect_positive=0", {"f 4 = nan 1 inf -inf"}}, {0, 0, 0, 1}},
    {{"LessOrEqual", "", {"f 4 = nan 1 2 3", "f 4 = 1 1 1 nan"}}, {0, 1, 0, 0}},
    {{"GreaterOrEqual", "", {"f 4 = nan 1 2 3", "f 4 = 1 1 1 nan"}}, {0, 1, 1, 0}},
    {{"BitShift", "direction=LEFT", {"i 3 = 16 4 1", "i 3 = 1 2 64"}}, {32, 16, 0}},
    {{"BitwiseAnd", "@opset=18", {"i 3 = 6 -1 5", "i 3 = 3 7 -2"}}, {2, 7, 4}},
    {{"BitwiseOr", "@opset=18", {"i 3 = 6 -1 5", "i 3 = 3 7 -2"}}, {7, -1, -1}},
    {{"BitwiseXor", "@opset=18", {"i 3 = 6 -1 5", "i 3 = 3 7 -2"}}, {5, -8, -5}},
    {{"BitwiseNot", "@opset=18", {"i 3 = 6 -1 5"}}, {-7, 0, -6}},
    {{"OneHot", "", {"i 4 = 0 -1 3 -4", "i = 3", "f 2 = 5 7"}},
     {7, 5, 5, 5, 5, 7, 5, 5, 5, 5, 5, 5}},
    {{"Hardmax", "", {"f 1 4 = 1 3 3 2"}}, {0, 1, 0, 0}},
    {{"Trilu", "@opset=14", {"f 2 3 = 0 1 2 3 4 5", "i = 1"}}, {0, 1, 2, 0, 0, 5}},
    {{"EyeLike", "k=1", {"f 2 3 from 0 to 1"}}, {0, 1, 0, 0, 0, 1}},
    {{"NonZero", "", {"f 2 2 = 1 0 0 4"}}, {0, 1, 0, 1}},
    {{"NonZero", "", {"f = 3"}}, {0}},
    {{"Unique", "", {"f 6 = 2 1 1 3 -4 -0.5"}}, {-4, -0.5, 1, 2, 3}},
    {{"Unique", "sorted=0", {"i 6 = 2 1 1 3 4 3"}}, {2, 1, 3, 4}},
    {{"Unique", "axis=0", {"f 3 3 = 1 0 0 1 0 0 2 3 4"}}, {1, 0, 0, 2, 3, 4}},
    {{"Unique", "axis=-1", {"f 2 3 = 1 0 1 1 0 1"}}, {0, 1, 0, 1}},
    {{"Compress", "axis=1", {"f 2 3 = 0 1 2 3 4 5", "b 5 = 0 1 1 1 1"}}, {1, 2, 4, 5}},
    {{"ReduceLogSumExp", "axes=1,", {"f 4 2 = -inf -inf 1000 1000 inf 1 -1000 -1000"}},
     {-INFINITY, 1000.6931762695312, INFINITY, -999.3068237304688}},
    {{"ReduceLogSum", "axes=1,", {"f 2 2 = 1 2 0 0"}}, {1.0986123085021973, -INFINITY}},
    {{"ReduceProd", "axes=1,", {"f 2 0 ="}}, {1, 1}},
    {{"ReduceMax", "axes=1,", {"f 2 0 ="}}, {-INFINITY, -INFINITY}},
    {{"CumSum", "@opset=14 exclusive=1 reverse=1", {"f 3 = 1 2 3", "i = 0"}}, {5, 3, 0}},
    {{"GatherElements", "axis=1", {"f 3 4 = 0 1 2 3 4 5 6 7 8 9 10 11", "i 2 2 = 0 -1 2 1"}},
     {0, 3, 6, 5}},
    {{"GatherND", "", {"f 2 2 = 0 1 2 3", "i 2 1 = -1 0"}}, {2, 3, 0, 1}},
    {{"GatherND", "@opset=12 batch_dims=1", {"f 2 2 2 = 0 1 2 3 4 5 6 7", "i 2 1 = 1 0"}},
     {2, 3, 4, 5}},
    {{"ScatterND", "", {"f 4 = 0 1 2 3", "i 2 1 = 1 1", "f 2 = 9 8"}}, {0, 8, 2, 3}},
    {{"ScatterND", "@opset=18 reduction=mul", {"f 4 = 0 1 2 3", "i 2 1 = 1 1", "f 2 = 9 8"}},
     {0, 72, 2, 3}},
    {{"ScatterElements", "@opset=18 reduction=min", {"f 4 = 0 1 2 3", "i 2 = 1 1", "f 2 = 9 8"}},
     {0, 1, 2, 3}},
    {{"GridSample",
      "@opset=16 mode=bicubic padding_mode=reflection",
      {"f 1 1 3 4 = 1 2 3 4 5 6 7 8 9 10 11 12",
       "f 1 1 5 2 = 0 0 -1 -1 -1.2 0.3 1.5 -1.7 3.1 -4.2"}},
     {6.5, 0.0625, 7.116127014160156, 5.4101243019104, 3.2855005264282227}},
    {{"GridSample",
      "@opset=16 mode=bicubic padding_mode=border",
      {"f 1 1 3 4 = 1 2 3 4 5 6 7 8 9 10 11 12",
       "f 1 1 5 2 = 0 0 -1 -1 -1.2 0.3 1.5 -1.7 0.25 0.5"}},
     {6.5, 0.53125, 7.176877021789551, 4, 10.234375}},
    {{"GridSample",
      "@opset=16 mode=nearest padding_mode=reflection",
      {"f 1 1 3 4 = 1 2 3 4 5 6 7 8 9 10 11 12",
       "f 1 1 5 2 = 1 1 -1.2 0.3 1.5 -1.7 3.1 -4.2 0.5 0"}},
     {12, 5, 8, 5, 7}},
    {{"RoiAlign",
      "@opset=16 output_height=2 output_width=2 sampling_ratio=2",
      {"f 1 1 3 4 = 1 2 3 4 5 6 7 8 9 10 11 12", "f 2 4 = 0 0 3 2 -2 -1 6 5", "i 2 = 0 0"}},
     {1.8125, 3.25, 5.3125, 6.75, 1.5, 2.5, 2.375, 2.875}},
    {{"RoiAlign",
      "@opset=16 output_height=2 output_width=2 mode=max",
      {"f 1 1 3 4 = 1 2 3 4 5 6 7 8 9 10 11 12", "f 2 4 = 0 0 3 2 1 1 1 1", "i 2 = 0 0"}},
     {1.25, 2.625, 5, 6.125, 0, 0, 0, 0}},
    {{"RoiAlign",
      "@opset=10 output_height=2 output_width=2 sampling_ratio=2",
      {"f 1 1 3 4 = 1 2 3 4 5 6 7 8 9 10 11 12", "f 2 4 = 0 0 3 2 1 1 1 1", "i 2 = 0 0"}},
     {3.75, 5.25, 7.75, 9.25, 7.25, 7.75, 9.25, 9.75}},
    {{"MeanVarianceNormalization", "", {"f 1 1 2 2 = 1 2 3 4"}},
     {-1.3416407108306885, -0.4472135901451111, 0.4472135901451111, 1.3416407108306885}},
    {{"BatchNormalization",
      "@opset=15 training_mode=1 @outputs=3",
      {"f 1 2 3 = 0 1 2 3 4 5", "f 2 = 1 1", "f 2 = 0 0", "f 2 = 0 0", "f 2 = 1 1"}},
     {-1.2247356176376343, 0, 1.2247356176376343, -1.2247357368469238, 0, 1.2247357368469238}},
};

static double element(const tensor *t, int64_t k) {
    return t->dtype == KILN_F32   ? (double)((const float *)t->data)[k]
           : t->dtype == KILN_I64 ? (double)((const int64_t *)t->data)[k]
                                  : (double)((const uint8_t *)t->data)[k];
}

START_TEST(evaluates_as_onnx_runtime_does) {
    network n;
    const tensor *y = evaluated(&n, &known[_i].c);
    for (int64_t k = 0; k < tensor_elements(y); k++) {
        double found = element(y, k), expected = known[_i].expected[k];
        ck_assert_msg(found == expected || fabs(found - expected) < 1e-5 * fmax(1, fabs(expected)),
                      "%s %s, element %lld: %g, expected %g", known[_i].c.op,
                      known[_i].c.attributes, (long long)k, found, expected);
    }
    graph_free(n.g);
}
END_TEST

START_TEST(tells_where_unique_elements_are) {
    static const operator_case c = {"Unique", "sorted=0 @outputs=4", {"f 6 = 2 1 1 3 4 3"}};
    static const double expected[3][6] = {{0, 1, 3, 4}, {0, 1, 1, 2, 3, 2}, {1, 2, 2, 1}};
    network n;
    (void)evaluated(&n, &c);
    for (size_t k = 0; k < 3; k++) {
        for (int64_t i = 0; i < tensor_elements(n.outputs[k + 1]); i++) {
            ck_assert_double_eq(element(n.outputs[k + 1], i), expected[k][i]);
        }
    }
    graph_free(n.g);
}
END_TEST

START_TEST(keeps_statistics_of_a_training_batch) {
    static const operator_case c = {
        "BatchNormalization",
        "@opset=9 @outputs=4",
        {"f 1 2 3 = 0 1 2 3 4 5", "f 2 = 1 1", "f 2 = 0 0", "f 2 = 0 0", "f 2 = 1 1"}};
    static const double expected[3][2] = {{0.1, 0.4}, {0.96666664, 0.96666664}, {1, 4}};
    network n;
    (void)evaluated(&n, &c);
    for (size_t k = 0; k < 3; k++) {
        for (int64_t f = 0; f < 2; f++) {
            ck_assert_double_eq_tol(element(n.outputs[k + 1], f), expected[k][f], 1e-6);
        }
    }
    graph_free(n.g);
}
END_TEST

int main(void) {
    const suite_test tests[] = {
        EACH("elementwise", runs_elementwise_operators, elementwise),
        EACH("products", runs_products_and_reductions, products),
        EACH("expanded", runs_what_is_said_in_other_operators, expanded),
        EACH("indexed", runs_what_takes_indices, indexed),
        EACH("sampling", runs_what_samples_pictures, sampling),
        EACH("known", evaluates_as_onnx_runtime_does, known),
        TEST("outputs", tells_where_unique_elements_are),
        TEST("outputs", keeps_statistics_of_a_training_batch),
    };
    return SUITE("operators", tests, .begin = case_make_folder, .end = case_remove_folder);
}
