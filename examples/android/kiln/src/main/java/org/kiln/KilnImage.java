package org.kiln;

import java.nio.ByteBuffer;

/**
 * Pixels of a camera or a bitmap, as they lie in memory: nothing is copied, so that they must stay
 * as they are while the image is used. What is seen of an image is its crop, turned upright, then
 * mirrored. Immutable.
 *
 * <p>Buffers that are not direct are copied. Of each, what is between its position and its limit counts.
 */
public final class KilnImage {
    // Numbers of kiln_image_format.
    private static final int RGB = 1;
    private static final int RGBA = 3;
    private static final int GRAY = 5;
    private static final int YUV = 8;

    /** Numbers that libkiln_jni gets of an image, in the order of geometryOf. */
    static final int GEOMETRY = 12;
    static final int PLANES = 3;

    private final ByteBuffer[] planes = new ByteBuffer[PLANES];
    private final int[] geometry;

    private KilnImage(int format, int width, int height, int stride, int chromaStride,
            int chromaPixelStride) {
        if (width < 1 || height < 1) {
            throw new IllegalArgumentException("an image of " + width + "x" + height);
        }
        geometry = new int[] {format, width, height, stride, chromaStride, chromaPixelStride,
            0, 0, 0, 0, 0, 0};
    }

    private KilnImage(KilnImage other, int index, int... values) {
        System.arraycopy(other.planes, 0, planes, 0, PLANES);
        geometry = other.geometry.clone();
        System.arraycopy(values, 0, geometry, index, values.length);
    }

    /** Native code cannot read others, and begins at the start of what it gets. */
    static ByteBuffer direct(ByteBuffer buffer) {
        if (buffer.isDirect()) {
            return buffer.slice();
        }
        ByteBuffer copy = ByteBuffer.allocateDirect(buffer.remaining());
        copy.put(buffer.duplicate()).rewind();
        return copy;
    }

    /** Native code does not look for the end of what it gets: here it is seen that all is there. */
    private static ByteBuffer plane(ByteBuffer buffer, int width, int height, int stride, int step,
            int pixel) {
        long row = (long) (width - 1) * step + pixel;
        if (step < 1 || stride < row || buffer.remaining() < (long) (height - 1) * stride + row) {
            throw new IllegalArgumentException("a plane of " + width + "x" + height + " pixels, "
                + step + " bytes from one to the next, " + stride + " from row to row, in "
                + buffer.remaining() + " bytes");
        }
        return direct(buffer);
    }

    private static KilnImage packed(int format, ByteBuffer pixels, int width, int height, int stride,
            int pixel) {
        KilnImage image = new KilnImage(format, width, height, stride, 0, 0);
        image.planes[0] = plane(pixels, width, height, stride, pixel, pixel);
        return image;
    }

    /** A byte each of red, green, blue and one that is passed over; stride: bytes from row to row. */
    public static KilnImage rgba(ByteBuffer pixels, int width, int height, int stride) {
        return packed(RGBA, pixels, width, height, stride, 4);
    }

    /** A byte each of red, green and blue. */
    public static KilnImage rgb(ByteBuffer pixels, int width, int height, int stride) {
        return packed(RGB, pixels, width, height, stride, 3);
    }

    public static KilnImage gray(ByteBuffer pixels, int width, int height, int stride) {
        return packed(GRAY, pixels, width, height, stride, 1);
    }

    /**
     * Android's YUV_420_888: three planes, those of colour of half the width and height (rounded
     * up), with {@code chromaPixelStride} bytes from one of its pixels to the next.
     */
    public static KilnImage yuv420(int width, int height, ByteBuffer y, int stride, ByteBuffer u,
            ByteBuffer v, int chromaStride, int chromaPixelStride) {
        KilnImage image = new KilnImage(YUV, width, height, stride, chromaStride, chromaPixelStride);
        int halfWidth = (width + 1) / 2;
        int halfHeight = (height + 1) / 2;
        image.planes[0] = plane(y, width, height, stride, 1, 1);
        image.planes[1] = plane(u, halfWidth, halfHeight, chromaStride, chromaPixelStride, 1);
        image.planes[2] = plane(v, halfWidth, halfHeight, chromaStride, chromaPixelStride, 1);
        return image;
    }

    /** All in one buffer, without gaps: luma, then rows of V and U in turn. */
    public static KilnImage nv21(ByteBuffer pixels, int width, int height) {
        int row = (width + 1) / 2 * 2;
        long luma = (long) width * height;
        if (width < 1 || height < 1 || pixels.remaining() < luma + (long) row * ((height + 1) / 2)) {
            throw new IllegalArgumentException("an image of " + width + "x" + height + " in "
                + pixels.remaining() + " bytes");
        }
        ByteBuffer y = direct(pixels);
        ByteBuffer v = y.duplicate();
        v.position((int) luma);
        ByteBuffer u = y.duplicate();
        u.position((int) luma + 1);
        return yuv420(width, height, y, width, u, v, row, 2);
    }

    /** @param degrees clockwise, until it is upright: 0, 90, 180 or 270 */
    public KilnImage rotated(int degrees) {
        if (degrees % 90 != 0 || degrees < 0 || degrees > 270) {
            throw new IllegalArgumentException("a rotation by " + degrees + " degrees");
        }
        return new KilnImage(this, 10, degrees);
    }

    /** Left and right change places, as front cameras show it. */
    public KilnImage mirrored() {
        return new KilnImage(this, 11, 1 - geometry[11]);
    }

    /** The part that is seen, in pixels as they are stored. */
    public KilnImage cropped(int left, int top, int width, int height) {
        if (left < 0 || top < 0 || width < 1 || height < 1 || (long) left + width > geometry[1]
                || (long) top + height > geometry[2]) {
            throw new IllegalArgumentException("a part of " + width + "x" + height + " at " + left
                + ", " + top + " of an image of " + geometry[1] + "x" + geometry[2]);
        }
        return new KilnImage(this, 6, left, top, width, height);
    }

    static int[] geometryOf(KilnImage... images) {
        int[] all = new int[images.length * GEOMETRY];
        for (int k = 0; k < images.length; k++) {
            System.arraycopy(images[k].geometry, 0, all, k * GEOMETRY, GEOMETRY);
        }
        return all;
    }

    static ByteBuffer[] planesOf(KilnImage... images) {
        ByteBuffer[] all = new ByteBuffer[images.length * PLANES];
        for (int k = 0; k < images.length; k++) {
            System.arraycopy(images[k].planes, 0, all, k * PLANES, PLANES);
        }
        return all;
    }
}
