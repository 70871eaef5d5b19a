/* The table of reference networks. Each is described in the file of its family, as torchvision
 * (github.com/pytorch/vision, torchvision/models) defines it. */
#ifndef KILN_MODELS_NETWORKS_H
#define KILN_MODELS_NETWORKS_H

#include "models/builder.h"

typedef struct network {
    const char *name;
    const char *title; /* paper */
    size_t size;       /* usual height and width of the input */
    void (*build)(builder *b);
} network;

extern const network networks[];
extern const size_t network_count;

/* NULL when there is none of this name. */
const network *network_find(const char *name);

void build_alexnet(builder *b);
void build_vgg16(builder *b);
void build_vgg19(builder *b);
void build_resnet18(builder *b);
void build_resnet50(builder *b);
void build_inception_v3(builder *b);
void build_googlenet(builder *b);
void build_mobilenetv2(builder *b);
void build_squeezenet(builder *b);
void build_densenet121(builder *b);

#endif
