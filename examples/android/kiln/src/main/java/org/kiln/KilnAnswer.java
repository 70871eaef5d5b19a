package org.kiln;

/** A class that a network sees on an image. */
public final class KilnAnswer {
    private final int index;
    private final String label;
    private final float score;

    KilnAnswer(int index, String label, float score) {
        this.index = index;
        this.label = label;
        this.score = score;
    }

    /** Of the network's numbers, from 0. */
    public int getIndex() {
        return index;
    }

    /** The plan's, or "" where it has none. */
    public String getLabel() {
        return label;
    }

    /** A probability, where the network ends in softmax. */
    public float getScore() {
        return score;
    }

    @Override
    public String toString() {
        return label + " " + score;
    }
}
