import android.graphics.Bitmap;
import android.graphics.ImageFormat;
import android.graphics.Rect;
import androidx.camera.core.ImageInfo;
import androidx.camera.core.ImageProxy;
import java.awt.image.BufferedImage;
import java.io.File;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import javax.imageio.ImageIO;

/** Pictures as bitmaps, and as a camera would give them. */
final class Pictures {
    private Pictures() {}

    /** Of PNG, JPEG, and binary PGM and PPM of 8 bits. */
    static Bitmap read(File file) throws IOException {
        if (file.getName().matches(".*\\.p[gp]m")) {
            return netpbm(Files.readAllBytes(file.toPath()));
        }
        BufferedImage image = ImageIO.read(file);
        Bitmap bitmap = new Bitmap(image.getWidth(), image.getHeight(), Bitmap.Config.ARGB_8888);
        for (int y = 0; y < image.getHeight(); y++) {
            for (int x = 0; x < image.getWidth(); x++) {
                bitmap.setPixel(x, y, image.getRGB(x, y));
            }
        }
        return bitmap;
    }

    private static Bitmap netpbm(byte[] bytes) {
        int[] numbers = new int[3];
        int at = 2;
        for (int k = 0; k < 3; k++) {
            for (at++; bytes[at] >= '0'; at++) {
                numbers[k] = numbers[k] * 10 + bytes[at] - '0';
            }
        }
        int channels = bytes[1] == '6' ? 3 : 1;
        Bitmap bitmap = new Bitmap(numbers[0], numbers[1], Bitmap.Config.ARGB_8888);
        at++;
        for (int k = 0; k < numbers[0] * numbers[1]; k++, at += channels) {
            int last = channels - 1;
            bitmap.setPixel(k % numbers[0], k / numbers[0], 0xFF000000 | (bytes[at] & 255) << 16
                | (bytes[at + last / 2] & 255) << 8 | bytes[at + last] & 255);
        }
        return bitmap;
    }

    /** How chroma lies in memory. */
    enum Layout { PLANES, NV12, NV21, APART, WIDE }

    /** A frame of the size, its colours changing over it, as YUV_420_888 with gaps between rows. */
    static ImageProxy frame(int width, int height, Layout layout, int rotation, Rect crop) {
        int step = layout == Layout.PLANES ? 1 : layout == Layout.WIDE ? 3 : 2;
        int halfWidth = (width + 1) / 2;
        int halfHeight = (height + 1) / 2;
        int stride = width + 16;
        int chromaStride = halfWidth * step + 10;
        ByteBuffer y = ByteBuffer.allocateDirect(stride * height);
        ByteBuffer both = ByteBuffer.allocateDirect(chromaStride * halfHeight + 1);
        ByteBuffer[] chroma = {both, ByteBuffer.allocateDirect(both.capacity())};
        if (layout == Layout.NV12 || layout == Layout.NV21) {
            int first = layout == Layout.NV12 ? 0 : 1;
            chroma[first] = both;
            both.position(1);
            chroma[1 - first] = both.slice();
            both.position(0);
        }
        for (int k = 0; k < width * height; k++) {
            y.put(k / width * stride + k % width, (byte) (k % width * 2 + k / width));
        }
        for (int k = 0; k < halfWidth * halfHeight; k++) {
            int at = k / halfWidth * chromaStride + k % halfWidth * step;
            chroma[0].put(at, (byte) (k % halfWidth * 3 + 20));
            chroma[1].put(at, (byte) (200 - k / halfWidth * 3));
        }
        for (ByteBuffer each : chroma) { // the last row ends with its last pixel, as cameras have it
            each.limit((halfHeight - 1) * chromaStride + (halfWidth - 1) * step + 1);
        }
        return proxy(ImageFormat.YUV_420_888, width, height, rotation, crop,
            plane(y, stride, 1), plane(chroma[0], chromaStride, step), plane(chroma[1], chromaStride, step));
    }

    static ImageProxy.PlaneProxy plane(ByteBuffer buffer, int stride, int step) {
        return new ImageProxy.PlaneProxy() {
            @Override
            public int getRowStride() {
                return stride;
            }

            @Override
            public int getPixelStride() {
                return step;
            }

            @Override
            public ByteBuffer getBuffer() {
                return buffer;
            }
        };
    }

    /** crop: null for all of it. */
    static ImageProxy proxy(int format, int width, int height, int rotation, Rect crop,
            ImageProxy.PlaneProxy... planes) {
        return new ImageProxy() {
            @Override
            public void close() {}

            @Override
            public Rect getCropRect() {
                return crop != null ? crop : new Rect(0, 0, width, height);
            }

            @Override
            public int getFormat() {
                return format;
            }

            @Override
            public int getHeight() {
                return height;
            }

            @Override
            public int getWidth() {
                return width;
            }

            @Override
            public PlaneProxy[] getPlanes() {
                return planes;
            }

            @Override
            public ImageInfo getImageInfo() {
                return () -> rotation;
            }
        };
    }
}
