package org.kiln;

import android.content.res.AssetManager;
import java.io.File;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;

/**
 * A network, as {@code kiln compile} or {@code kiln train} writes it. Any number of sessions and
 * namers, of any threads, may be made of one plan; it may be closed before they are, since they keep
 * what they need.
 *
 * <p>All errors are {@link KilnException}s, but that of a closed plan: IllegalStateException.
 */
public final class KilnPlan extends NativeObject {
    private final List<String> labels;

    private KilnPlan(Make make, Object kept) {
        super(make, Native::planClose, kept);
        try {
            labels = texts(read(Native::planLabels));
        } catch (Throwable failed) {
            close();
            throw failed;
        }
    }

    /** Maps a file, which must stay as it is while the plan is open: replace it by renaming another. */
    public static KilnPlan open(File file) {
        return open(file, null);
    }

    /**
     * @param prepacked a file, of the cache folder say, that keeps packed weights for the next start,
     *     which is then faster; or null. It is written when a session is made; a damaged one is replaced.
     */
    public static KilnPlan open(File file, File prepacked) {
        byte[] path = Native.utf8(file.getPath());
        return new KilnPlan(none -> Native.planOpen(path, path(prepacked)), null);
    }

    /**
     * Opens an asset: one that is not compressed in the app (noCompress "plan" in build.gradle) is
     * mapped where it lies, another is unpacked into memory.
     *
     * @throws IOException there is no such asset, or it cannot be read
     */
    public static KilnPlan fromAsset(AssetManager assets, String name) throws IOException {
        return fromAsset(assets, name, null);
    }

    /** @param prepacked as in {@link #open(File, File)} */
    public static KilnPlan fromAsset(AssetManager assets, String name, File prepacked)
            throws IOException {
        return Android.plan(assets, name, prepacked);
    }

    /**
     * Maps a part of a file. The descriptor is the caller's, and may be closed afterwards.
     *
     * @param offset a multiple of 4
     */
    public static KilnPlan fromDescriptor(int descriptor, long offset, long length, File prepacked) {
        if (offset < 0 || length < 0) {
            throw new IllegalArgumentException(length + " bytes at " + offset);
        }
        return new KilnPlan(none -> Native.planOpenDescriptor(descriptor, offset, length, path(prepacked)),
            null);
    }

    /** Without a copy of a direct buffer, which must not change while the plan is open. */
    public static KilnPlan fromBuffer(ByteBuffer bytes, File prepacked) {
        ByteBuffer direct = KilnImage.direct(bytes);
        return new KilnPlan(none -> Native.planOpenMemory(direct, path(prepacked)), direct);
    }

    /** Of the classes, in the order of the network's numbers. Empty where the plan has none. */
    public List<String> getLabels() {
        return labels;
    }

    /** "producer", "source", ...; null where the plan does not say. */
    public String getMetadata(String key) {
        byte[] text = read(plan -> Native.planMetadata(plan, Native.utf8(key)));
        return text == null ? null : Native.text(text);
    }

    public List<KilnTensor> getInputs() {
        return tensors(false);
    }

    public List<KilnTensor> getOutputs() {
        return tensors(true);
    }

    /** One that computes on this many threads, the caller's included. */
    public KilnSession session(int threads) {
        return new KilnSession(this, threads);
    }

    /** One that computes on the caller's thread. */
    public KilnSession session() {
        return session(1);
    }

    /** With the options' defaults. */
    public KilnNamer namer() {
        return namer(new KilnNamer.Options());
    }

    /** For a plan of {@code kiln train --detector FILE --bundle}, or any with a detector of the options. */
    public KilnNamer namer(KilnNamer.Options options) {
        return new KilnNamer(this, options);
    }

    private interface Read<T> {
        T of(long plan);
    }

    private <T> T read(Read<T> read) {
        long plan = handle.enter();
        try {
            return read.of(plan);
        } finally {
            handle.leave();
        }
    }

    private List<KilnTensor> tensors(boolean outputs) {
        byte[][] names = read(plan -> Native.planNames(plan, outputs));
        int[][] shapes = read(plan -> Native.planShapes(plan, outputs));
        KilnTensor[] all = new KilnTensor[names.length];
        Arrays.setAll(all, k -> new KilnTensor(names[k], shapes[k]));
        return Collections.unmodifiableList(Arrays.asList(all));
    }

    static List<String> texts(byte[][] all) {
        List<String> texts = new ArrayList<>(all.length);
        for (byte[] text : all) {
            texts.add(Native.text(text));
        }
        return Collections.unmodifiableList(texts);
    }

    private static byte[] path(File file) {
        return file == null ? null : Native.utf8(file.getPath());
    }
}
