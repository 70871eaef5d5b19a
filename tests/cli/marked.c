/* What the tests of commands with a detector need (tests/unit/marked_faces.h).
 *   marked detector FILE.onnx, marked boxes FILE.onnx    the latter gives no points
 *   marked open FILE.onnx                                whose input has any height and width
 *   marked picture FILE.ppm SIDE [COLUMN,ROW,KIND ...] */
#include "tests/unit/marked_faces.h"

/* Check's assertions work within its tests alone, so none of the helpers that have some. */
static int write_detector(const char *path, bool with_points, bool open) {
    marked_detector(with_points);
    for (size_t d = 2; open && d < 4; d++) {
        Onnx__TensorShapeProto__Dimension *dim = m.dim_list[0][0][d];
        dim->value_case = ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_PARAM;
        dim->dim_param = (char *)(uintptr_t)(d == 2 ? "height" : "width");
    }
    m.size = onnx__model_proto__get_packed_size(&m.model);
    FILE *file = m.size <= sizeof m.bytes ? fopen(path, "wb") : NULL;
    if (file == NULL) {
        return 1;
    }
    onnx__model_proto__pack(&m.model, m.bytes);
    bool written = fwrite(m.bytes, 1, m.size, file) == m.size;
    return fclose(file) == 0 && written ? 0 : 1;
}

static int write_picture(const char *path, size_t side, char **faces, int count) {
    uint8_t *rgb = malloc(side * side * 3);
    FILE *file = fopen(path, "wb");
    if (rgb == NULL || file == NULL) {
        return 1;
    }
    marked_picture(rgb, side);
    for (int k = 0; k < count; k++) {
        char *at = faces[k];
        size_t column = strtoul(at, &at, 10), row = strtoul(at + 1, &at, 10);
        marked_face(rgb, side, column % 4, row % 4, (int)strtol(at + 1, NULL, 10));
    }
    fprintf(file, "P6 %zu %zu 255\n", side, side);
    bool written = fwrite(rgb, side * 3, side, file) == side;
    free(rgb);
    return fclose(file) == 0 && written ? 0 : 1;
}

int main(int argc, char **argv) {
    if (argc == 3 && strcmp(argv[1], "picture") != 0) {
        return write_detector(argv[2], argv[1][0] != 'b', argv[1][0] == 'o');
    }
    if (argc >= 4 && strcmp(argv[1], "picture") == 0) {
        return write_picture(argv[2], strtoul(argv[3], NULL, 10), argv + 4, argc - 4);
    }
    fputs("marked: detector FILE, boxes FILE, or picture FILE SIDE [COLUMN,ROW,KIND ...]\n",
          stderr);
    return 2;
}
