/* Which algorithm each convolution runs with: a model of what they cost. `kiln tune` measures
 * instead, on the machine that will run the plan. */
#include "compiler/lower/lowering.h"

#include <math.h>

/* Costs in multiply-accumulates at full speed, fitted to VGG16's layers on one thread of an x86-64
 * with AVX-512 (Zen 4). */
#define PRODUCT_COST 8.0 /* of starting and storing an element of a product */
/* Of an element that goes through a transform: small tiles stay in registers. */
#define TRANSFORM_COST_2 10.0
#define TRANSFORM_COST 25.0
/* Of a transformed weight: half of it for reading it from memory in every run, half for the memory
 * it takes and the time to make it at load. */
#define WEIGHT_COST 8.0
#define CALL_COST 20000.0 /* of the layer */

typedef struct conv_size {
    double inputs, outputs, height, width, batch;
} conv_size;

static double direct_cost(const conv_size *s) {
    return 9 * s->inputs * s->outputs * s->height * s->width * s->batch;
}

static double winograd_cost(const conv_size *s, double m) {
    double positions = (m + 2) * (m + 2);
    double tiles = s->batch * ceil(s->height / m) * ceil(s->width / m);
    double outputs = ceil(s->outputs / 32) * 32;
    double transform = (m < 3 ? TRANSFORM_COST_2 : TRANSFORM_COST) * (s->inputs + outputs);
    return positions * (tiles * ((s->inputs + PRODUCT_COST) * outputs + transform) +
                        WEIGHT_COST * s->inputs * outputs) +
           CALL_COST;
}

static bool takes_winograd(const program *p, const program_step *step, conv_size *out_size) {
    const kiln_conv_params *c = step->params;
    if (step->kernel != KILN_KERNEL_CONV_2D || step->input_count < 2) {
        return false;
    }
    const program_tensor *x = &p->tensors[step->operands[0]];
    const program_tensor *w = &p->tensors[step->operands[1]];
    const program_tensor *y = &p->tensors[step->operands[step->input_count]];
    if (x->rank != 4 || x->place != KILN_PLACE_ARENA || w->dims[1] != 3 || w->dims[2] != 3 ||
        c->groups != 1 || c->stride_height != 1 || c->stride_width != 1 ||
        c->dilation_height != 1 || c->dilation_width != 1) {
        return false;
    }
    *out_size = (conv_size){x->dims[1], y->dims[1], y->dims[2], y->dims[3], y->dims[0]};
    return true;
}

static uint32_t cheapest(const conv_size *s) {
    uint32_t best = KILN_CONV_DIRECT;
    double cost = direct_cost(s);
    for (uint32_t a = KILN_CONV_WINOGRAD_2; a <= KILN_CONV_WINOGRAD_6; a++) {
        double of_this = winograd_cost(s, 2.0 * a);
        if (of_this < cost) {
            best = a;
            cost = of_this;
        }
    }
    return best;
}

void choose_algorithms(program *p, kiln_convolution preference) {
    conv_size size;
    for (size_t k = 0; k < p->step_count; k++) {
        if (takes_winograd(p, &p->steps[k], &size)) {
            kiln_conv_params *c = p->steps[k].params;
            c->algorithm =
                preference == KILN_CONVOLUTION_AUTO ? cheapest(&size) : (uint32_t)preference - 1;
        }
    }
}
