/* Which algorithm each convolution runs with: a model of what they cost. `kiln tune` measures
 * instead, on the machine that will run the plan. */
#include "compiler/lower/lowering.h"

#include <math.h>

/* Costs in multiply-accumulates at full speed: those with which the sums of what `kiln tune`
 * measured over 117 layers (ResNets, VGG16, Inception, SqueezeNet, DenseNet; one thread of an
 * x86-64 with AVX2) come nearest to each layer's best. */
#define PRODUCT_COST 8.0 /* of starting and storing an element of a product */
/* An element that goes through a transform costs as much; small tiles stay in registers. */
#define TRANSFORM_COST_2 8.0
#define TRANSFORM_COST 16.0
#define TRANSFORM_COST_BY_2 24.0 /* of stride 2: pixels are many, and come from farther */
/* A transformed weight costs as much, since every run reads it; and more, the more of them there
 * are, for the memory that they take. */
#define WEIGHT_COST 4.0
#define WEIGHT_COST_BYTES (6.0 * 1024 * 1024) /* as many raise it by 1 */
/* But at most so much where many are kept as they are and transformed by each run: F(4)'s, F(6)'s.
 */
#define WEIGHT_COST_MOST 8.0
#define CALL_COST 20000.0 /* of the layer */

typedef struct conv_size {
    double inputs, outputs, height, width, batch; /* height and width of the output */
    bool strided;                                 /* by 2 */
} conv_size;

static double product_cost(const conv_size *s) {
    return 9 * s->inputs * s->outputs * s->height * s->width * s->batch;
}

static double winograd_cost(const conv_size *s, double m) {
    double side = s->strided ? 2 * m + 1 : m + 2, positions = side * side;
    double tiles = s->batch * ceil(s->height / m) * ceil(s->width / m);
    double outputs = ceil(s->outputs / 32) * 32;
    double element = s->strided ? TRANSFORM_COST_BY_2 : TRANSFORM_COST;
    double transform = (m < 3 ? TRANSFORM_COST_2 : element) * (s->inputs + outputs);
    double weights = (m + 2) * (m + 2) * s->inputs * outputs;
    double weight_cost = WEIGHT_COST + weights * sizeof(float) / WEIGHT_COST_BYTES;
    weight_cost = m > 3 && weight_cost > WEIGHT_COST_MOST ? WEIGHT_COST_MOST : weight_cost;
    return positions * tiles * ((s->inputs + PRODUCT_COST) * outputs + transform) +
           weight_cost * weights + CALL_COST;
}

/* A convolution that algorithms of ours can compute. */
static bool is_ours(const program *p, const program_step *step) {
    const kiln_conv_params *c = step->params;
    return step->kernel == KILN_KERNEL_CONV_2D && c->groups == 1 &&
           p->tensors[step->operands[0]].place == KILN_PLACE_ARENA;
}

static bool is_depthwise(const program *p, const program_step *step) {
    const kiln_conv_params *c = step->params;
    return step->kernel == KILN_KERNEL_CONV_2D && c->groups > 1 &&
           c->groups == p->tensors[step->operands[0]].dims[1] &&
           p->tensors[step->operands[1]].dims[0] / c->groups <= KILN_DEPTHWISE_OUTPUTS &&
           p->tensors[step->operands[0]].place == KILN_PLACE_ARENA;
}

/* The largest of Winograd's algorithms that the layer can have; KILN_CONV_DIRECT: none. */
static uint32_t largest_winograd(const program *p, const program_step *step) {
    const kiln_conv_params *c = step->params;
    const program_tensor *w = &p->tensors[step->operands[1]];
    bool takes = (step->flags & KILN_STEP_EXACT) == 0 && w->dims[1] == 3 && w->dims[2] == 3 &&
                 c->stride_height == c->stride_width && c->stride_height <= 2 &&
                 c->dilation_height == 1 && c->dilation_width == 1;
    uint32_t largest = c->stride_height == 1 ? KILN_CONV_WINOGRAD_6 : KILN_CONV_WINOGRAD_4;
    return takes ? largest : KILN_CONV_DIRECT;
}

static uint32_t cheapest(const program *p, const program_step *step, uint32_t largest) {
    const kiln_conv_params *c = step->params;
    const program_tensor *x = &p->tensors[step->operands[0]];
    const program_tensor *y = &p->tensors[step->operands[step->input_count]];
    bool line = y->rank == 3;
    conv_size s = {x->dims[1], y->dims[1],           line ? 1 : y->dims[2], y->dims[line ? 2 : 3],
                   y->dims[0], c->stride_height == 2};
    uint32_t best = KILN_CONV_GEMM;
    double cost = product_cost(&s);
    for (uint32_t a = KILN_CONV_WINOGRAD_2; a <= largest; a++) {
        double of_this = winograd_cost(&s, 2.0 * a);
        if (of_this < cost) {
            best = a;
            cost = of_this;
        }
    }
    return best;
}

bool conv_adds(uint32_t algorithm) {
    return algorithm == KILN_CONV_GEMM ||
           (algorithm >= KILN_CONV_WINOGRAD_2 && algorithm <= KILN_CONV_WINOGRAD_6);
}

void lowering_choose_algorithms(lowering *l) {
    program *p = l->p;
    kiln_convolution preference = l->options->convolution;
    for (size_t k = 0; k < p->step_count; k++) {
        program_step *step = &p->steps[k];
        bool depthwise = is_depthwise(p, step);
        if (preference == KILN_CONVOLUTION_DIRECT || !(depthwise || is_ours(p, step))) {
            continue;
        }
        kiln_conv_params *c = step->params;
        c->algorithm = depthwise ? KILN_CONV_DEPTHWISE : KILN_CONV_GEMM;
        if (depthwise) {
            continue; /* nothing to choose from */
        }
        uint32_t largest = largest_winograd(p, step);
        if (preference == KILN_CONVOLUTION_AUTO) {
            c->algorithm = cheapest(p, step, largest);
        } else if (preference != KILN_CONVOLUTION_EXACT) {
            uint32_t wanted = KILN_CONV_WINOGRAD_2 + preference - KILN_CONVOLUTION_WINOGRAD_2;
            c->algorithm = wanted <= largest ? wanted : KILN_CONV_GEMM;
        }
    }
}
