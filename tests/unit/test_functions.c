/* Functions of the model's own are inlined. */
#include "tests/unit/parts.h"
#include "tests/unit/suite.h"

static Onnx__NodeProto *referring(Onnx__NodeProto *n, char *name, char *to, int type) {
    part_attribute(n, name, type)->ref_attr_name = to;
    return n;
}

static void add_default(Onnx__FunctionProto *f, char *name, float value) {
    static Onnx__AttributeProto a;
    onnx__attribute_proto__init(&a);
    a.name = name;
    a.has_type = a.has_f = true;
    a.type = ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__FLOAT;
    a.f = value;
    f->attribute_proto[f->n_attribute_proto++] = &a;
}

static float leaky(float x) {
    return x < 0 ? x * 0.5f * 0.25f : x;
}

/* One call takes the default, one gives the attribute on from its own. */
START_TEST(passes_attributes_on) {
    parts_begin("N 3 4");
    Onnx__NodeProto *slope = referring(part_node("LeakyRelu", "a", "b"), "alpha", "slope", 1);
    add_default(part_function("Leaky", "a", "b", 1, &slope), "slope", 0.5f);
    Onnx__NodeProto *inner = referring(call("Leaky", "x", "y"), "slope", "s", 1);
    part_function("Outer", "x", "y", 1, &inner);
    in_graph(call("Leaky", "x", "t"));
    part_float(in_graph(call("Outer", "t", "y")), "s", 0.25f);
    check_elements(leaky);
}
END_TEST

static float leaky_by_default(float x) {
    return x < 0 ? x * 0.01f : x;
}

/* What neither the call nor the function gives is not given: LeakyRelu's own default. */
START_TEST(leaves_attributes_out) {
    parts_begin("N 3");
    Onnx__NodeProto *slope = referring(part_node("LeakyRelu", "a", "b"), "alpha", "slope", 1);
    Onnx__FunctionProto *f = part_function("Leaky", "a", "b", 1, &slope);
    f->attribute[f->n_attribute++] = (char *)(uintptr_t) "slope";
    in_graph(call("Leaky", "x", "y"));
    check_elements(leaky_by_default);
}
END_TEST

static float scaled(float x) {
    return x * 2.5f * -1.5f;
}

START_TEST(makes_constants_of_attributes) {
    parts_begin("N 3");
    Onnx__NodeProto *body[] = {
        referring(part_node("Constant", "", "k"), "value_float", "factor", 1),
        part_node("Mul", "x k", "y")};
    part_function("Scale", "x", "y", 2, body);
    part_float(in_graph(call("Scale", "x", "t")), "factor", 2.5f);
    part_float(in_graph(call("Scale", "t", "y")), "factor", -1.5f);
    check_elements(scaled);
}
END_TEST

static float clipped(float x) {
    return fminf(fmaxf(x, -0.5f), 1.5f);
}

/* Clip's bounds, each left out in one call; a name that the graph has, too. */
START_TEST(leaves_operands_out) {
    static float low = -0.5f, high = 1.5f;
    parts_begin("N 3");
    set_raw(model_initializer("low", FLOAT, 0, NULL), &low, sizeof low);
    set_raw(model_initializer("high", FLOAT, 0, NULL), &high, sizeof high);
    Onnx__NodeProto *body[] = {part_node("Clip", "x low high", "t"),
                               part_node("Identity", "t", "y")};
    part_function("Bound", "x low high", "y", 2, body);
    in_graph(call("Bound", "x - high", "t"));
    in_graph(call("Bound", "t low", "y"));
    check_elements(clipped);
}
END_TEST

static float absolute_minus_x(float x) {
    return fabsf(x) - x + fabsf(x);
}

/* An output that is an input, one that stands twice, one that nobody wants. */
START_TEST(passes_outputs_through) {
    parts_begin("N 3");
    Onnx__NodeProto *body[] = {part_node("Abs", "a", "b"), part_node("Foo", "a", "c")};
    part_function("Pass", "a", "a b b c", 2, body);
    in_graph(call("Pass", "x", "u v w"));
    in_graph(part_node("Sub", "v u", "t"));
    in_graph(part_node("Add", "t w", "y"));
    check_elements(absolute_minus_x);
}
END_TEST

static float exp_of_minus(float x) {
    return expf(-fabsf(x));
}

/* Names inside do not meet names outside, whatever they are. */
START_TEST(keeps_names_apart) {
    parts_begin("N 3");
    Onnx__NodeProto *body[] = {part_node("Exp", "t", "y"), part_node("Neg", "x", "t")};
    part_function("Apart", "x", "y", 2, body); /* not in order either */
    in_graph(part_node("Abs", "x", "t"));
    in_graph(call("Apart", "t", "y"))->name = (char *)(uintptr_t) "n";
    in_graph(part_node("Foo", "x", "n/t"));
    check_elements(exp_of_minus);
}
END_TEST

static float negative(float x) {
    return -x;
}

/* Only the functions say which operators they are of. */
START_TEST(takes_the_version_of_functions) {
    static Onnx__OperatorSetIdProto opset, *opsets[] = {&opset};
    parts_begin("N 3");
    Onnx__NodeProto *body = part_node("Neg", "a", "b");
    Onnx__FunctionProto *f = part_function("Negate", "a", "b", 1, &body);
    onnx__operator_set_id_proto__init(&opset);
    opset.has_version = true;
    opset.version = 18;
    f->opset_import = opsets;
    f->n_opset_import = 1;
    m.model.n_opset_import = 0;
    in_graph(call("Negate", "x", "y"));
    check_elements(negative);
}
END_TEST

static float doubled_in_8_bits(float x) {
    return (float)(uint8_t)(2 * (int)(fabsf(x) * 20));
}

/* In a function, too, arithmetic on narrow integers wraps. */
START_TEST(wraps_narrow_integers) {
    static float twenty = 20;
    parts_begin("N 3");
    set_raw(model_initializer("twenty", FLOAT, 0, NULL), &twenty, sizeof twenty);
    Onnx__NodeProto *to = part_node("Cast", "x", "u"), *from = part_node("Cast", "d", "y");
    part_int(to, "to", UINT8);
    part_int(from, "to", FLOAT);
    part_function("Double", "x", "y", 3,
                  (Onnx__NodeProto *[]){to, part_node("Add", "u u", "d"), from});
    in_graph(part_node("Abs", "x", "t"));
    in_graph(part_node("Mul", "t twenty", "h"));
    in_graph(call("Double", "h", "y"));
    check_elements(doubled_in_8_bits);
}
END_TEST

#define FUNCTION_REFUSED(status, ...) ASSERT_REFUSED(model_compile(NULL, NULL), status, __VA_ARGS__)

START_TEST(refuses_recursion) {
    parts_begin("N 3");
    Onnx__NodeProto *a = call("B", "x", "y"), *b = call("A", "x", "y");
    part_function("A", "x", "y", 1, &a);
    part_function("B", "x", "y", 1, &b);
    in_graph(call("A", "x", "y"));
    FUNCTION_REFUSED(KILN_ERROR_FORMAT, "calls itself");
}
END_TEST

/* Under a kilobyte that means 4^14 nodes. */
START_TEST(bounds_growth) {
    static char names_of[16][4];
    parts_begin("N 3");
    for (size_t k = 0; k < 15; k++) {
        snprintf(names_of[k], sizeof names_of[k], "F%zu", k);
    }
    for (size_t k = 0; k < 14; k++) {
        Onnx__NodeProto *again = call(names_of[k + 1], "x", "x2");
        part_function(names_of[k], "x", "x2", 4,
                      (Onnx__NodeProto *[4]){again, again, again, again});
    }
    Onnx__NodeProto *body = part_node("Neg", "x", "x2");
    part_function(names_of[14], "x", "x2", 1, &body);
    for (size_t k = 0; k < 14; k++) { /* four calls whose results nobody wants twice */
        static Onnx__NodeProto calls[14][4];
        static char *outputs[14][4][1], text[14][4][4];
        for (size_t i = 0; i < 4; i++) {
            calls[k][i] = *parts.lists[k][i];
            snprintf(text[k][i], sizeof text[k][i], "t%zu", i);
            outputs[k][i][0] = i == 3 ? calls[k][i].output[0] : text[k][i];
            calls[k][i].output = outputs[k][i];
            parts.lists[k][i] = &calls[k][i];
        }
    }
    in_graph(call("F0", "x", "y"));
    FUNCTION_REFUSED(KILN_ERROR_UNSUPPORTED, "more than 100000 nodes");
}
END_TEST

START_TEST(refuses_wrong_functions) {
    parts_begin("N 3");
    Onnx__NodeProto *body = part_node("Neg", "a", "b");
    part_function("One", "a", "b", 1, &body);
    in_graph(call("One", "x x", "y"));
    FUNCTION_REFUSED(KILN_ERROR_FORMAT, "2 inputs and 1 outputs; the function has 1 and 1");
    part_function("One", "a", "b", 1, &body);
    FUNCTION_REFUSED(KILN_ERROR_FORMAT, "'local:One:' is defined twice");
    parts_begin("N 3");
    body = part_node("Neg", "outside", "b");
    part_function("One", "a", "b", 1, &body);
    in_graph(part_node("Abs", "x", "outside"));
    in_graph(call("One", "x", "y"));
    FUNCTION_REFUSED(KILN_ERROR_FORMAT, "'y/outside' is not defined");
}
END_TEST

int main(void) {
    const suite_test tests[] = {
        TEST("attributes", passes_attributes_on),
        TEST("attributes", leaves_attributes_out),
        TEST("attributes", makes_constants_of_attributes),
        TEST("operands", leaves_operands_out),
        TEST("operands", passes_outputs_through),
        TEST("names", keeps_names_apart),
        TEST("versions", takes_the_version_of_functions),
        TEST("types", wraps_narrow_integers),
        TEST("refused", refuses_recursion),
        TEST("refused", bounds_growth),
        TEST("refused", refuses_wrong_functions),
    };
    return SUITE("functions", tests, .begin = make_folder, .end = remove_folder);
}
