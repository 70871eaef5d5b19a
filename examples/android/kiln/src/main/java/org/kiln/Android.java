package org.kiln;

import android.content.res.AssetFileDescriptor;
import android.content.res.AssetManager;
import android.graphics.Bitmap;
import android.graphics.ImageFormat;
import android.graphics.PixelFormat;
import android.graphics.Rect;
import androidx.camera.core.ImageProxy;
import java.io.File;
import java.io.FileNotFoundException;
import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.channels.Channels;
import java.nio.channels.ReadableByteChannel;

/** All that Kiln knows of Android's classes. */
final class Android {
    private static final int LEAST_ROOM = 1 << 16;

    private Android() {}

    static KilnPlan plan(AssetManager assets, String name, File prepacked) throws IOException {
        try (AssetFileDescriptor file = assets.openFd(name)) {
            return KilnPlan.fromDescriptor(file.getParcelFileDescriptor().getFd(),
                file.getStartOffset(), file.getLength(), prepacked);
        } catch (FileNotFoundException compressed) {
            // Or absent, which open() tells.
            try (InputStream stream = assets.open(name)) {
                return KilnPlan.fromBuffer(contents(stream), prepacked);
            }
        }
    }

    /** To the end; available() is no more than a hint. */
    private static ByteBuffer contents(InputStream stream) throws IOException {
        ByteBuffer bytes = ByteBuffer.allocateDirect(Math.max(stream.available() + 1, LEAST_ROOM));
        ReadableByteChannel channel = Channels.newChannel(stream);
        while (channel.read(bytes) >= 0) {
            if (!bytes.hasRemaining()) {
                ByteBuffer larger = ByteBuffer.allocateDirect(Math.multiplyExact(bytes.capacity(), 2));
                bytes.flip();
                bytes = larger.put(bytes);
            }
        }
        bytes.flip();
        return bytes;
    }

    /** A bitmap's pixels, in the buffer where that has room: one a frame would keep the collector busy. */
    static ByteBuffer pixels(Bitmap bitmap, ByteBuffer buffer) {
        if (bitmap.getConfig() != Bitmap.Config.ARGB_8888) {
            throw new IllegalArgumentException("a bitmap of the configuration " + bitmap.getConfig()
                + "; Kiln takes ARGB_8888: bitmap.copy(Bitmap.Config.ARGB_8888, false)");
        }
        int bytes = bitmap.getByteCount();
        ByteBuffer pixels = buffer != null && buffer.capacity() >= bytes ? buffer
            : ByteBuffer.allocateDirect(bytes);
        pixels.clear();
        bitmap.copyPixelsToBuffer(pixels);
        pixels.flip();
        return pixels;
    }

    /** ARGB_8888 is how Android writes an int; in memory its bytes are red, green, blue, alpha. */
    static KilnImage image(Bitmap bitmap, ByteBuffer pixels) {
        return KilnImage.rgba(pixels, bitmap.getWidth(), bitmap.getHeight(), bitmap.getRowBytes());
    }

    static KilnImage image(ImageProxy image) {
        ImageProxy.PlaneProxy[] planes = image.getPlanes();
        int width = image.getWidth();
        int height = image.getHeight();
        KilnImage pixels;
        if (image.getFormat() == ImageFormat.YUV_420_888) {
            pixels = yuv(planes, width, height);
        } else if (image.getFormat() == PixelFormat.RGBA_8888) {
            pixels = KilnImage.rgba(planes[0].getBuffer(), width, height, planes[0].getRowStride());
        } else {
            throw new IllegalArgumentException("an image of the format " + image.getFormat()
                + "; Kiln takes YUV_420_888 and RGBA_8888");
        }
        Rect seen = image.getCropRect();
        return pixels.cropped(seen.left, seen.top, seen.width(), seen.height())
            .rotated(image.getImageInfo().getRotationDegrees());
    }

    private static KilnImage yuv(ImageProxy.PlaneProxy[] planes, int width, int height) {
        if (planes[0].getPixelStride() != 1 || planes[1].getRowStride() != planes[2].getRowStride()
                || planes[1].getPixelStride() != planes[2].getPixelStride()) {
            throw new IllegalArgumentException("planes that are not as YUV_420_888 promises");
        }
        return KilnImage.yuv420(width, height, planes[0].getBuffer(), planes[0].getRowStride(),
            planes[1].getBuffer(), planes[2].getBuffer(), planes[1].getRowStride(),
            planes[1].getPixelStride());
    }
}
