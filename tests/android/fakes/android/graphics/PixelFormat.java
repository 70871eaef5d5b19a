package android.graphics;

public final class PixelFormat {
    public static final int RGBA_8888 = 1;

    private PixelFormat() {}
}
