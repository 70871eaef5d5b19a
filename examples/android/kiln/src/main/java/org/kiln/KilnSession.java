package org.kiln;

import android.graphics.Bitmap;
import androidx.camera.core.ImageProxy;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;

/**
 * A network that is ready to run. Calls of several threads wait for each other; for throughput give
 * each thread a session of its own.
 *
 * <p>close() ends the run in progress, which then throws a {@link KilnException} with the status
 * CANCELLED, and does not wait for it; calls after it throw IllegalStateException.
 */
public final class KilnSession extends NativeObject {
    private final KilnPlan plan;
    private ByteBuffer bitmapPixels;

    KilnSession(KilnPlan plan, int threads) {
        super(needed -> Native.sessionCreate(needed[0], Native.positive("threads", threads)),
            Native::sessionDestroy, null, plan);
        this.plan = plan;
    }

    /** The classes with the largest scores, at most {@code most}, best first. */
    public List<KilnAnswer> classify(KilnImage image, int most) {
        int[] indices = new int[Native.positive("answers", most)];
        float[] scores = new float[most];
        int count = run(session -> Native.classify(session, KilnImage.planesOf(image),
            KilnImage.geometryOf(image), indices, scores));
        List<String> labels = plan.getLabels();
        List<KilnAnswer> answers = new ArrayList<>(count);
        for (int k = 0; k < count; k++) {
            String label = indices[k] < labels.size() ? labels.get(indices[k]) : "";
            answers.add(new KilnAnswer(indices[k], label, scores[k]));
        }
        return answers;
    }

    /** @param bitmap ARGB_8888, and not one of the graphics memory (HARDWARE) */
    public List<KilnAnswer> classify(Bitmap bitmap, int most) {
        synchronized (running) {
            bitmapPixels = Android.pixels(bitmap, bitmapPixels);
            return classify(Android.image(bitmap, bitmapPixels), most);
        }
    }

    /** The five best classes. */
    public List<KilnAnswer> classify(Bitmap bitmap) {
        return classify(bitmap, 5);
    }

    /** @param image YUV_420_888 or RGBA_8888; it is not closed */
    public List<KilnAnswer> classify(ImageProxy image, int most) {
        return classify(Android.image(image), most);
    }

    /**
     * The image's features: the last output's numbers, divided so that the sum of their squares is
     * 1. For plans that end in an embedding.
     */
    public float[] embed(KilnImage image) {
        long planAddress = plan.handle.address();
        return run(session -> Native.embed(session, planAddress, KilnImage.planesOf(image),
            KilnImage.geometryOf(image)));
    }

    public float[] embed(Bitmap bitmap) {
        synchronized (running) {
            bitmapPixels = Android.pixels(bitmap, bitmapPixels);
            return embed(Android.image(bitmap, bitmapPixels));
        }
    }

    /** How alike two images are by their features: -1 to 1. */
    public static float similarity(float[] a, float[] b) {
        if (a.length != b.length) {
            throw new IllegalArgumentException(a.length + " features and " + b.length);
        }
        return Native.similarity(a, b);
    }

    /**
     * Runs any network on one sample: direct buffers, in the order of the plan's inputs and outputs,
     * of {@link KilnTensor#getBytes} bytes each, in the machine's order of bytes
     * ({@code order(ByteOrder.nativeOrder())}). Positions stay as they are.
     */
    public void run(ByteBuffer[] inputs, ByteBuffer[] outputs) {
        ByteBuffer[] from = slices(inputs, false);
        ByteBuffer[] to = slices(outputs, true);
        run(session -> {
            Native.sessionRun(session, from, to);
            return null;
        });
    }

    /** Ends the run in progress, or else the next one, with the status CANCELLED. From any thread. */
    public void cancel() {
        long session = handle.enter();
        try {
            Native.sessionCancel(session);
        } finally {
            handle.leave();
        }
    }

    @Override
    public void close() {
        handle.close(Native::sessionCancel);
    }

    private static ByteBuffer[] slices(ByteBuffer[] buffers, boolean written) {
        ByteBuffer[] slices = new ByteBuffer[buffers.length];
        for (int k = 0; k < buffers.length; k++) {
            if (!buffers[k].isDirect() || (written && buffers[k].isReadOnly())) {
                throw new IllegalArgumentException("buffer " + k + " is not direct, or only for reading");
            }
            slices[k] = buffers[k].slice();
        }
        return slices;
    }
}
