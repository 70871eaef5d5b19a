/* Trigonometric and hyperbolic functions, ThresholdedRelu, Shrink: see unary.c. */
#include "compiler/ops/support.h"
#include "compiler/ops/unary.h"

#include <math.h>

static double f_sin(double x, double a, double b) {
    (void)a, (void)b;
    return sin(x);
}
static double f_cos(double x, double a, double b) {
    (void)a, (void)b;
    return cos(x);
}
static double f_tan(double x, double a, double b) {
    (void)a, (void)b;
    return tan(x);
}
static double f_asin(double x, double a, double b) {
    (void)a, (void)b;
    return asin(x);
}
static double f_acos(double x, double a, double b) {
    (void)a, (void)b;
    return acos(x);
}
static double f_atan(double x, double a, double b) {
    (void)a, (void)b;
    return atan(x);
}
static double f_sinh(double x, double a, double b) {
    (void)a, (void)b;
    return sinh(x);
}
static double f_cosh(double x, double a, double b) {
    (void)a, (void)b;
    return cosh(x);
}
static double f_asinh(double x, double a, double b) {
    (void)a, (void)b;
    return asinh(x);
}
static double f_acosh(double x, double a, double b) {
    (void)a, (void)b;
    return acosh(x);
}
static double f_atanh(double x, double a, double b) {
    (void)a, (void)b;
    return atanh(x);
}
static double f_thresholded_relu(double x, double a, double b) {
    (void)b;
    return x > a ? x : 0;
}
static double f_shrink(double x, double a, double b) {
    return x < -a ? x + b : x > a ? x - b : 0;
}

const unary_spec unary_more_specs[] = {
    {"Sin", KILN_UNARY_SIN, MASK_F32, NULL, NULL, 0, 0, f_sin},
    {"Cos", KILN_UNARY_COS, MASK_F32, NULL, NULL, 0, 0, f_cos},
    {"Tan", KILN_UNARY_TAN, MASK_F32, NULL, NULL, 0, 0, f_tan},
    {"Asin", KILN_UNARY_ASIN, MASK_F32, NULL, NULL, 0, 0, f_asin},
    {"Acos", KILN_UNARY_ACOS, MASK_F32, NULL, NULL, 0, 0, f_acos},
    {"Atan", KILN_UNARY_ATAN, MASK_F32, NULL, NULL, 0, 0, f_atan},
    {"Sinh", KILN_UNARY_SINH, MASK_F32, NULL, NULL, 0, 0, f_sinh},
    {"Cosh", KILN_UNARY_COSH, MASK_F32, NULL, NULL, 0, 0, f_cosh},
    {"Asinh", KILN_UNARY_ASINH, MASK_F32, NULL, NULL, 0, 0, f_asinh},
    {"Acosh", KILN_UNARY_ACOSH, MASK_F32, NULL, NULL, 0, 0, f_acosh},
    {"Atanh", KILN_UNARY_ATANH, MASK_F32, NULL, NULL, 0, 0, f_atanh},
    {"ThresholdedRelu", KILN_UNARY_THRESHOLDED_RELU, MASK_F32, "alpha", NULL, 1.0f, 0,
     f_thresholded_relu},
    {"Shrink", KILN_UNARY_SHRINK, MASK_F32, "lambd", "bias", 0.5f, 0, f_shrink},
};

const op ops_unary_more[] = {
    UNARY_ROW("Sin", 7, 0),    UNARY_ROW("Cos", 7, 0),   UNARY_ROW("Tan", 7, 0),
    UNARY_ROW("Asin", 7, 0),   UNARY_ROW("Acos", 7, 0),  UNARY_ROW("Atan", 7, 0),
    UNARY_ROW("Sinh", 9, 0),   UNARY_ROW("Cosh", 9, 0),  UNARY_ROW("Asinh", 9, 0),
    UNARY_ROW("Acosh", 9, 0),  UNARY_ROW("Atanh", 9, 0), UNARY_ROW("ThresholdedRelu", 10, 0),
    UNARY_ROW("Shrink", 9, 0), {.name = NULL},
};
