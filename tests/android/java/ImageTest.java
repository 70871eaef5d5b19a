import android.graphics.Bitmap;
import android.graphics.ImageFormat;
import android.graphics.PixelFormat;
import android.graphics.Rect;
import androidx.camera.core.ImageProxy;
import java.io.File;
import java.nio.ByteBuffer;
import java.util.Arrays;
import org.kiln.KilnAnswer;
import org.kiln.KilnException.Status;
import org.kiln.KilnImage;
import org.kiln.KilnPlan;
import org.kiln.KilnSession;

/** The same pixels give the same answers, however they lie in memory. */
final class ImageTest {
    private static final int WIDTH = 61;
    private static final int HEIGHT = 47;

    private final KilnSession session;

    private ImageTest(KilnSession session) {
        this.session = session;
    }

    static void run(File folder) {
        try (KilnPlan plan = KilnPlan.open(new File(folder, "net.plan"));
                KilnSession session = plan.session()) {
            ImageTest test = new ImageTest(session);
            test.layouts();
            test.rotations();
            test.packed();
            test.refuses();
        }
    }

    private float[] scores(ImageProxy frame) {
        float[] scores = new float[1000];
        for (KilnAnswer answer : session.classify(frame, scores.length)) {
            scores[answer.getIndex()] = answer.getScore();
        }
        return scores;
    }

    private void layouts() {
        float[] expected = scores(Pictures.frame(WIDTH, HEIGHT, Pictures.Layout.PLANES, 0, null));
        for (Pictures.Layout layout : Pictures.Layout.values()) {
            float[] scores = scores(Pictures.frame(WIDTH, HEIGHT, layout, 0, null));
            Checks.holds("chroma as " + layout, Arrays.equals(scores, expected));
        }
        byte[] nv21 = new byte[WIDTH * HEIGHT + 62 * 24];
        Arrays.fill(nv21, (byte) 128);
        int row = 62;
        for (int k = 0; k < WIDTH * HEIGHT; k++) {
            nv21[k] = (byte) (k % WIDTH * 2 + k / WIDTH);
        }
        for (int k = 0; k < 31 * 24; k++) {
            int at = WIDTH * HEIGHT + k / 31 * row + k % 31 * 2;
            nv21[at] = (byte) (200 - k / 31 * 3);
            nv21[at + 1] = (byte) (k % 31 * 3 + 20);
        }
        KilnAnswer best = session.classify(KilnImage.nv21(ByteBuffer.wrap(nv21), WIDTH, HEIGHT), 1).get(0);
        Checks.holds("NV21 in one array", best.getScore() == expected[best.getIndex()]);
    }

    /** What a frame says of its rotation and its crop is what is done to it by hand. */
    private void rotations() {
        Rect part = new Rect(10, 4, 40, 44);
        float[] turned = scores(Pictures.frame(WIDTH, HEIGHT, Pictures.Layout.NV21, 90, part));
        Checks.holds("a part, turned, is other than all", !Arrays.equals(turned,
            scores(Pictures.frame(WIDTH, HEIGHT, Pictures.Layout.NV21, 0, null))));
        Bitmap upright = new Bitmap(40, 30, Bitmap.Config.ARGB_8888);
        Bitmap lying = new Bitmap(30, 40, Bitmap.Config.ARGB_8888);
        for (int y = 0; y < 30; y++) {
            for (int x = 0; x < 40; x++) {
                int colour = 0xFF000000 | x * 6 << 16 | y * 8 << 8 | (x * y & 255);
                upright.setPixel(x, y, colour);
                lying.setPixel(y, 39 - x, colour);
            }
        }
        float[] expected = scores(rgba(upright, 0));
        Checks.holds("clockwise by 90 degrees", Arrays.equals(expected, scores(rgba(lying, 90))));
        Checks.holds("not by 270", !Arrays.equals(expected, scores(rgba(lying, 270))));
    }

    private static ImageProxy rgba(Bitmap bitmap, int rotation) {
        ByteBuffer pixels = ByteBuffer.allocateDirect(bitmap.getByteCount());
        bitmap.copyPixelsToBuffer(pixels);
        pixels.flip();
        return Pictures.proxy(PixelFormat.RGBA_8888, bitmap.getWidth(), bitmap.getHeight(), rotation, null,
            Pictures.plane(pixels, bitmap.getRowBytes(), 4));
    }

    private void packed() {
        ByteBuffer gray = ByteBuffer.allocateDirect(20 * 10 + 3);
        ByteBuffer rgb = ByteBuffer.allocate(20 * 10 * 3);
        for (int k = 0; k < 200; k++) {
            gray.put(k + 3, (byte) k);
            rgb.put(3 * k, (byte) k).put(3 * k + 1, (byte) k).put(3 * k + 2, (byte) k);
        }
        gray.position(3);
        KilnImage image = KilnImage.gray(gray, 20, 10, 20);
        String expected = session.classify(image, 5).toString();
        String answers = session.classify(KilnImage.rgb(rgb, 20, 10, 60), 5).toString();
        Checks.holds("gray and RGB: " + answers, answers.equals(expected));
        String mirrored = session.classify(image.mirrored(), 5).toString();
        Checks.holds("mirrored", !mirrored.equals(expected)
            && session.classify(image.mirrored().mirrored(), 5).toString().equals(expected));
    }

    private void refuses() {
        ByteBuffer pixels = ByteBuffer.allocateDirect(300);
        Class<?> argument = IllegalArgumentException.class;
        Checks.fails(argument, "300 bytes", () -> KilnImage.rgb(pixels, 10, 11, 30));
        Checks.fails(argument, "29 from row", () -> KilnImage.rgb(pixels, 10, 10, 29));
        Checks.fails(argument, "0x10", () -> KilnImage.gray(pixels, 0, 10, 30));
        Checks.fails(argument, "2147483647", () -> KilnImage.rgba(pixels, Integer.MAX_VALUE, 1, 300));
        Checks.fails(argument, "300 bytes", () -> KilnImage.nv21(pixels, 20, 11));
        Checks.fails(argument, "in 24 bytes", () -> KilnImage.yuv420(10, 10, pixels, 10,
            ByteBuffer.allocateDirect(25), ByteBuffer.allocateDirect(24), 5, 1));
        KilnImage image = KilnImage.rgb(pixels, 10, 10, 30);
        Checks.fails(argument, "45", () -> image.rotated(45));
        Checks.fails(argument, "at 5, 0", () -> image.cropped(5, 0, 6, 10));
        Checks.fails(argument, "format 256", () -> session.classify(
            Pictures.proxy(ImageFormat.JPEG, 1, 1, 0, null), 1));
        ImageProxy.PlaneProxy plane = Pictures.plane(pixels, 10, 2);
        Checks.fails(argument, "promises", () -> session.classify(
            Pictures.proxy(ImageFormat.YUV_420_888, 4, 4, 0, null, plane, plane, plane), 1));
        Checks.fails(Status.CANCELLED, "", () -> {
            session.cancel();
            session.classify(image, 1);
        });
    }
}
