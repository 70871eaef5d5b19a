/* The table of reference networks: a new one is a row here and a file of its own. */
#include "models/networks.h"

#include <string.h>

const network networks[] = {
    {"alexnet", "AlexNet, one tower (Krizhevsky 2014, arXiv:1404.5997)", 224, build_alexnet},
    {"vgg16", "VGG16 (Simonyan 2014, arXiv:1409.1556)", 224, build_vgg16},
    {"vgg19", "VGG19 (Simonyan 2014, arXiv:1409.1556)", 224, build_vgg19},
    {"googlenet", "GoogLeNet with batch norm (Szegedy 2014, arXiv:1409.4842)", 224,
     build_googlenet},
    {"inception_v3", "Inception v3 (Szegedy 2015, arXiv:1512.00567)", 299, build_inception_v3},
    {"resnet18", "ResNet-18 (He 2015, arXiv:1512.03385)", 224, build_resnet18},
    {"resnet50", "ResNet-50 v1.5 (He 2015, arXiv:1512.03385)", 224, build_resnet50},
    {"squeezenet", "SqueezeNet 1.1 (Iandola 2016, arXiv:1602.07360)", 224, build_squeezenet},
    {"densenet121", "DenseNet-121 (Huang 2016, arXiv:1608.06993)", 224, build_densenet121},
    {"mobilenetv2", "MobileNetV2 (Sandler 2018, arXiv:1801.04381)", 224, build_mobilenetv2},
};
const size_t network_count = sizeof(networks) / sizeof(networks[0]);

const network *network_find(const char *name) {
    for (size_t i = 0; i < network_count; i++)
        if (strcmp(networks[i].name, name) == 0)
            return &networks[i];
    return NULL;
}
