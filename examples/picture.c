/* Draws a small landscape as a PNG file: something to look at for networks in the examples.
 *
 *   picture FILE.png */
#include <png.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

enum { WIDTH = 320, HEIGHT = 240 };

typedef struct colour {
    uint8_t red, green, blue;
} colour;

static colour blend(colour from, colour to, double share) {
    return (colour){(uint8_t)(from.red + share * (to.red - from.red)),
                    (uint8_t)(from.green + share * (to.green - from.green)),
                    (uint8_t)(from.blue + share * (to.blue - from.blue))};
}

/* Sky, sun, two hills, a lake with the sun's reflection; x and y in 0..1, y downwards. */
static colour scene(double x, double y) {
    const colour high = {64, 120, 210}, low = {235, 205, 170}, sun = {255, 240, 190};
    const colour far_hill = {90, 110, 130}, near_hill = {50, 90, 50}, lake = {40, 70, 120};
    const double far_edge = 0.5 + 0.9 * (x - 0.3) * (x - 0.3);
    const double near_edge = 0.62 + 0.5 * (x - 0.9) * (x - 0.9);
    const double sun_distance = (x - 0.72) * (x - 0.72) * 16 / 9 + (y - 0.25) * (y - 0.25);
    if (y > 0.8)
        return blend(lake, sun, x > 0.66 && x < 0.78 && (int)(y * 60) % 2 == 0 ? 0.6 : 0);
    if (y > near_edge)
        return blend(near_hill, lake, (y - near_edge) / 2);
    if (y > far_edge)
        return far_hill;
    if (sun_distance < 0.008)
        return sun;
    return blend(high, low, y / 0.8);
}

int main(int argc, char **argv) {
    static colour pixels[HEIGHT][WIDTH];
    png_image image = {
        .version = PNG_IMAGE_VERSION, .width = WIDTH, .height = HEIGHT, .format = PNG_FORMAT_RGB};
    if (argc != 2) {
        fprintf(stderr, "usage: picture FILE.png\n");
        return EXIT_FAILURE;
    }
    for (int y = 0; y < HEIGHT; y++)
        for (int x = 0; x < WIDTH; x++)
            pixels[y][x] = scene((double)x / WIDTH, (double)y / HEIGHT);
    if (!png_image_write_to_file(&image, argv[1], 0, pixels, 0, NULL)) {
        fprintf(stderr, "picture: %s: %s\n", argv[1], image.message);
        return EXIT_FAILURE;
    }
    return EXIT_SUCCESS;
}
