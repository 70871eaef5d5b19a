package org.kiln;

import android.graphics.Bitmap;
import androidx.camera.core.ImageProxy;
import java.io.File;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;

/**
 * Finds the faces of an image and names them: from a camera's frame to who is there, in one call.
 * People are made known while it runs, and saved. Calls of several threads wait for each other.
 *
 * <p>close() lets the call in progress end, and does not wait for it; calls after it throw
 * IllegalStateException.
 */
public final class KilnNamer extends NativeObject {
    /** What a namer may be told; the defaults are zeros. */
    public static final class Options {
        private int threads;
        private int faces = 16;
        private double rate;
        private KilnPlan detector;

        /** Of both networks; 1. */
        public Options threads(int count) {
            threads = Native.positive("threads", count);
            return this;
        }

        /** Of an image, at most; 16. */
        public Options faces(int most) {
            faces = Native.positive("faces", most);
            return this;
        }

        /**
         * Of strangers that get a name, at most: 0.01 is one in a hundred, which is what it aims at
         * unless told otherwise. A rate that the people cannot vouch for is refused.
         */
        public Options rate(double strangers) {
            rate = strangers;
            return this;
        }

        /** The network that finds faces; without one, the one inside of the plan. */
        public Options detector(KilnPlan plan) {
            detector = plan;
            return this;
        }
    }

    private final KilnPlan plan;
    private final int faces;
    private ByteBuffer bitmapPixels;

    KilnNamer(KilnPlan plan, Options o) {
        super(needed -> Native.namerOpen(needed[0], needed.length > 1 ? needed[1] : 0, o.threads,
            o.faces, o.rate), Native::namerClose, null,
            o.detector == null ? new NativeObject[] {plan} : new NativeObject[] {plan, o.detector});
        this.plan = plan;
        this.faces = o.faces;
    }

    /** Who is on the image, by the falling score of their faces. */
    public List<KilnFace> recognise(KilnImage image) {
        byte[][] names = new byte[faces][];
        float[] numbers = new float[faces * KilnFace.NUMBERS];
        int count = run(namer -> Native.recognise(namer, KilnImage.planesOf(image),
            KilnImage.geometryOf(image), names, numbers));
        List<KilnFace> found = new ArrayList<>(count);
        for (int k = 0; k < count; k++) {
            found.add(new KilnFace(Native.text(names[k]), numbers, k * KilnFace.NUMBERS));
        }
        return found;
    }

    /** @param image YUV_420_888 or RGBA_8888; it is not closed */
    public List<KilnFace> recognise(ImageProxy image) {
        return recognise(Android.image(image));
    }

    /** @param bitmap ARGB_8888, and not one of the graphics memory (HARDWARE) */
    public List<KilnFace> recognise(Bitmap bitmap) {
        synchronized (running) {
            bitmapPixels = Android.pixels(bitmap, bitmapPixels);
            return recognise(Android.image(bitmap, bitmapPixels));
        }
    }

    /**
     * Makes a person known, or better known, by the largest face of each image. Fails where one shows
     * no face: nobody is enrolled then.
     */
    public void enrol(String name, KilnImage... images) {
        if (images.length == 0) {
            throw new IllegalArgumentException("no image of " + name);
        }
        change(namer -> Native.enrol(namer, Native.utf8(name), KilnImage.planesOf(images),
            KilnImage.geometryOf(images)));
    }

    /** @param bitmaps as for {@link #recognise(Bitmap)} */
    public void enrol(String name, Bitmap... bitmaps) {
        KilnImage[] images = new KilnImage[bitmaps.length];
        for (int k = 0; k < bitmaps.length; k++) {
            images[k] = Android.image(bitmaps[k], Android.pixels(bitmaps[k], null));
        }
        enrol(name, images);
    }

    /** @param frame as for {@link #recognise(ImageProxy)} */
    public void enrol(String name, ImageProxy frame) {
        enrol(name, Android.image(frame));
    }

    /** Nothing of the person is kept. */
    public void forget(String name) {
        change(namer -> Native.forget(namer, Native.utf8(name)));
    }

    /** Their names, sorted. */
    public List<String> getPeople() {
        return KilnPlan.texts(run(Native::people));
    }

    /**
     * Writes the plan with these people to a file, which is complete or as it was before; it may be
     * the plan's own. Open that one at the next start.
     */
    public void save(File file) {
        long planAddress = plan.handle.address();
        change(namer -> Native.save(namer, planAddress, Native.utf8(file.getPath())));
    }

    private void change(Handle.Action action) {
        run(namer -> {
            action.on(namer);
            return null;
        });
    }
}
