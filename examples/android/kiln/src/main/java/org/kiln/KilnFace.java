package org.kiln;

import java.util.Arrays;

/**
 * A face, and whose it is. Coordinates are pixels of the image as it is seen: its crop, upright,
 * mirrored; boxes and points may lie outside of it.
 */
public final class KilnFace {
    /** Numbers of a face, as libkiln_jni writes them: box, score, similarity, asked, known, probability, points. */
    static final int NUMBERS = 19;
    private static final int POINTS = 9;

    private final String name;
    private final float[] numbers = new float[NUMBERS];

    KilnFace(String name, float[] numbers, int at) {
        this.name = name;
        System.arraycopy(numbers, at, this.numbers, 0, NUMBERS);
    }

    /** Whether it is somebody known. */
    public boolean isKnown() {
        return numbers[7] != 0;
    }

    /** Who it is or, where it is nobody known, who is most like it; "" where there is nobody. */
    public String getName() {
        return name;
    }

    /** To that person, -1 to 1. Of a plan without people: the network's number of that class. */
    public float getSimilarity() {
        return numbers[5];
    }

    /** The similarity that it takes to be known. */
    public float getAsked() {
        return numbers[6];
    }

    /** What the network's head gives to that person, or class; NaN where it gives nothing. */
    public float getProbability() {
        return numbers[8];
    }

    public float getLeft() {
        return numbers[0];
    }

    public float getTop() {
        return numbers[1];
    }

    public float getRight() {
        return numbers[2];
    }

    public float getBottom() {
        return numbers[3];
    }

    /** The detector's, 0 to 1. */
    public float getScore() {
        return numbers[4];
    }

    /**
     * x and y of five points in turn: the eye that is left in the image, the other eye, the tip of
     * the nose, the left and the right corner of the mouth. Empty: the detector gives none.
     */
    public float[] getPoints() {
        boolean none = Float.isNaN(numbers[POINTS]);
        return none ? new float[0] : Arrays.copyOfRange(numbers, POINTS, NUMBERS);
    }

    @Override
    public String toString() {
        return (isKnown() ? name : "?") + " " + getSimilarity();
    }
}
