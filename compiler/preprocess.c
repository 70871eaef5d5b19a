/* How images become a network's input, by the name of who trained it. */
#include <kiln/compile.h>

#include <string.h>

/* mean and deviation are per tensor channel, in units of pixel * unit. */
static void set_statistics(kiln_preprocess *preprocess, double unit, const double mean[3],
                           const double deviation[3]) {
    for (int c = 0; c < 4; c++) {
        int from = c < 3 ? c : 2;
        preprocess->scale[c] = (float)(unit / deviation[from]);
        preprocess->bias[c] = (float)(-mean[from] / deviation[from]);
    }
}

kiln_status kiln_preprocess_preset(const char *name, kiln_preprocess *out_preprocess) {
    static const struct {
        const char *name;
        bool bgr;
        uint32_t resize;
        double unit, mean[3], deviation[3];
    } presets[] = {
        /* torchvision.transforms' ImageNet statistics, RGB in 0..1 */
        {"imagenet",
         false,
         KILN_RESIZE_CENTRE_CROP,
         1.0 / 255.0,
         {0.485, 0.456, 0.406},
         {0.229, 0.224, 0.225}},
        /* Keras' caffe mode: BGR in 0..255 minus the ImageNet mean */
        {"caffe", true, KILN_RESIZE_CENTRE_CROP, 1.0, {103.939, 116.779, 123.68}, {1, 1, 1}},
        /* Keras' tf mode: -1..1 */
        {"tf", false, KILN_RESIZE_CENTRE_CROP, 1.0 / 127.5, {1, 1, 1}, {1, 1, 1}},
        {"none", false, KILN_RESIZE_STRETCH, 1.0, {0, 0, 0}, {1, 1, 1}},
    };
    for (size_t k = 0; k < sizeof presets / sizeof *presets; k++) {
        if (strcmp(name, presets[k].name) == 0) {
            *out_preprocess = (kiln_preprocess){.present = true,
                                                .bgr = presets[k].bgr,
                                                .resize = presets[k].resize,
                                                .crop_fraction = 0.875f};
            set_statistics(out_preprocess, presets[k].unit, presets[k].mean, presets[k].deviation);
            return KILN_OK;
        }
    }
    return KILN_ERROR_ARGUMENT;
}
