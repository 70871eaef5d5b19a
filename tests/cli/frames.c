/* Pictures as a camera would give them, all of the first one's size:
 *   frames nv21 FILE.nv21 PICTURE         prints width and height
 *   frames y4m FILE.y4m PICTURE...        I420 of full range */
#include "compiler/cli/picture.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static double channel(const rgb_picture *p, uint32_t x, uint32_t y, int c) {
    x = x < p->width ? x : p->width - 1;
    y = y < p->height ? y : p->height - 1;
    return p->rgb[((size_t)y * p->width + x) * 3 + (size_t)c];
}

/* ITU-R BT.601, of full range. plane 0: luma, 1: Cb, 2: Cr. */
static double convert(const rgb_picture *p, uint32_t x, uint32_t y, int plane) {
    static const double rows[3][3] = {
        {0.299, 0.587, 0.114}, {-0.168736, -0.331264, 0.5}, {0.5, -0.418688, -0.081312}};
    double sum = plane == 0 ? 0 : 128;
    for (int c = 0; c < 3; c++) {
        sum += rows[plane][c] * channel(p, x, y, c);
    }
    return sum;
}

static void put(double value, FILE *out) {
    value = value < 0 ? 0 : value > 255 ? 255 : value;
    fputc((int)(value + 0.5), out);
}

static void put_chroma(const rgb_picture *p, uint32_t x, uint32_t y, int plane, FILE *out) {
    put((convert(p, x, y, plane) + convert(p, x + 1, y, plane) + convert(p, x, y + 1, plane) +
         convert(p, x + 1, y + 1, plane)) /
            4,
        out);
}

static void put_frame(const rgb_picture *p, bool nv21, FILE *out) {
    for (uint32_t y = 0; y < p->height; y++) {
        for (uint32_t x = 0; x < p->width; x++) {
            put(convert(p, x, y, 0), out);
        }
    }
    for (int plane = nv21 ? 2 : 1; plane <= 2; plane++) {
        for (uint32_t y = 0; y < p->height; y += 2) {
            for (uint32_t x = 0; x < p->width; x += 2) {
                put_chroma(p, x, y, plane, out);
                if (nv21) {
                    put_chroma(p, x, y, 1, out);
                }
            }
        }
    }
}

int main(int argc, char **argv) {
    kiln_error error;
    bool nv21 = argc == 4 && strcmp(argv[1], "nv21") == 0;
    FILE *out = argc >= 4 ? fopen(argv[2], "wb") : NULL;
    for (int k = 3; out != NULL && k < argc; k++) {
        rgb_picture p;
        if (picture_load(argv[k], &p, &error) != KILN_OK) {
            fprintf(stderr, "frames: %s\n", error.message);
            return EXIT_FAILURE;
        }
        if (nv21) {
            printf("%u %u\n", p.width, p.height);
        } else if (k == 3) {
            fprintf(out, "YUV4MPEG2 W%u H%u F30:1 C420jpeg XCOLORRANGE=FULL\n", p.width, p.height);
        }
        fputs(nv21 ? "" : "FRAME\n", out);
        put_frame(&p, nv21, out);
        picture_free(&p);
    }
    return out != NULL && fclose(out) == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
