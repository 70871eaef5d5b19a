/* The table of one set of instructions. */
#include "runtime/lanes/vector.h"

extern const lanes LANE(lanes);
const lanes LANE(lanes) = {
    .name = LANES_NAME,
    .width = LANES_WIDTH,
    .rows = LANES_ROWS,
    .columns = (size_t)LANES_WIDTH * LANES_VECTORS,
    .product = LANE(lane_product),
    .winograd = &LANE(lane_winograd),
    .window = &LANE(lane_window),
    .peak = &LANE(lane_peak),
    .dense = &LANE(lane_dense),
    .elementwise = &LANE(lane_elementwise),
};
