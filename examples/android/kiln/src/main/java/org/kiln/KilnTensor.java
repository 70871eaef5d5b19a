package org.kiln;

import java.util.Arrays;

/** An input or an output of a network. */
public final class KilnTensor {
    /** Names and bytes of kiln_dtype of kiln/kiln.h, in its order, which begins with 1. */
    private static final String[] TYPES = {"?", "f32", "i64", "bool", "f16", "i32", "u8", "i8", "f64",
        "bf16", "u16", "i16", "u32", "u64"};
    private static final int[] BYTES = {0, 4, 8, 1, 2, 4, 1, 1, 8, 2, 2, 2, 4, 8};

    private final String name;
    private final int type;
    private final int[] shape;

    KilnTensor(byte[] name, int[] typeAndShape) {
        this.name = Native.text(name);
        this.type = typeAndShape[0];
        this.shape = Arrays.copyOfRange(typeAndShape, 1, typeAndShape.length);
    }

    public String getName() {
        return name;
    }

    /** "f32", "u8", ... */
    public String getType() {
        return TYPES[type];
    }

    /** Of a batch of one, in ONNX's order: of images N, C, H, W. */
    public int[] getShape() {
        return shape.clone();
    }

    /** Of a buffer that holds it, row after row without gaps. */
    public int getBytes() {
        int bytes = BYTES[type];
        for (int size : shape) {
            bytes = Math.multiplyExact(bytes, size);
        }
        return bytes;
    }

    @Override
    public String toString() {
        return name + " " + getType() + " " + Arrays.toString(shape);
    }
}
