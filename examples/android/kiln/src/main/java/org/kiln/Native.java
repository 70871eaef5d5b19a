package org.kiln;

import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;

/**
 * The functions of libkiln_jni, which trust their arguments: whoever calls them has checked these.
 * Texts go as bytes of UTF-8, since what JNI calls UTF-8 is another code; images as three planes and
 * {@link KilnImage#GEOMETRY} numbers each. All but those that free throw {@link KilnException}.
 */
final class Native {
    static {
        System.loadLibrary("kiln_jni");
    }

    private Native() {}

    // prepacked: null, or where packed weights are kept.
    static native long planOpen(byte[] path, byte[] prepacked);
    static native long planOpenDescriptor(int descriptor, long offset, long length, byte[] prepacked);
    static native long planOpenMemory(ByteBuffer bytes, byte[] prepacked);
    static native void planClose(long plan);
    static native byte[][] planLabels(long plan);
    static native byte[] planMetadata(long plan, byte[] key);
    static native byte[][] planNames(long plan, boolean outputs);
    /** Element type, then the dimensions; of all inputs or all outputs. */
    static native int[][] planShapes(long plan, boolean outputs);

    static native long sessionCreate(long plan, int threads);
    static native void sessionDestroy(long session);
    static native void sessionCancel(long session);
    static native void sessionRun(long session, ByteBuffer[] inputs, ByteBuffer[] outputs);
    /** Fills the arrays, of one length, as far as there are classes; how many that were. */
    static native int classify(long session, ByteBuffer[] planes, int[] geometry, int[] indices,
            float[] scores);
    static native float[] embed(long session, long plan, ByteBuffer[] planes, int[] geometry);
    static native float similarity(float[] a, float[] b);

    /** detector: 0, or a plan. */
    static native long namerOpen(long plan, long detector, int threads, int faces, double rate);
    static native void namerClose(long namer);
    /** Fills names and {@link KilnFace#NUMBERS} numbers for each; how many faces there are. */
    static native int recognise(long namer, ByteBuffer[] planes, int[] geometry, byte[][] names,
            float[] numbers);
    static native void enrol(long namer, byte[] name, ByteBuffer[] planes, int[] geometry);
    static native void forget(long namer, byte[] name);
    static native byte[][] people(long namer);
    static native void save(long namer, long plan, byte[] path);

    static int positive(String what, int number) {
        if (number < 1) {
            throw new IllegalArgumentException(number + " " + what);
        }
        return number;
    }

    static byte[] utf8(String text) {
        if (text.indexOf('\0') >= 0) {
            throw new IllegalArgumentException("a text with the character 0");
        }
        return text.getBytes(StandardCharsets.UTF_8);
    }

    static String text(byte[] utf8) {
        return new String(utf8, StandardCharsets.UTF_8);
    }
}
