package android.graphics;

import java.nio.Buffer;
import java.nio.ByteBuffer;

/** Of the configuration ARGB_8888, with a gap at the end of rows as some devices have it. */
public final class Bitmap {
    public enum Config { ALPHA_8, RGB_565, ARGB_4444, ARGB_8888, RGBA_F16, HARDWARE }

    private static final int GAP = 8;
    private final Config config;
    private final int width;
    private final int height;
    private final byte[] bytes;

    public Bitmap(int width, int height, Config config) {
        this.width = width;
        this.height = height;
        this.config = config;
        bytes = new byte[getRowBytes() * height];
    }

    public void setPixel(int x, int y, int argb) {
        int at = y * getRowBytes() + x * 4;
        bytes[at] = (byte) (argb >> 16);
        bytes[at + 1] = (byte) (argb >> 8);
        bytes[at + 2] = (byte) argb;
        bytes[at + 3] = (byte) (argb >>> 24);
    }

    public Config getConfig() {
        return config;
    }

    public int getWidth() {
        return width;
    }

    public int getHeight() {
        return height;
    }

    public int getRowBytes() {
        return width * 4 + GAP;
    }

    public int getByteCount() {
        return bytes.length;
    }

    public void copyPixelsToBuffer(Buffer to) {
        ((ByteBuffer) to).put(bytes);
    }
}
