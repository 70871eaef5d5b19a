package org.kiln;

/** An error of Kiln's: its message is one line that says which file, what was found, what is supported. */
public final class KilnException extends RuntimeException {
    /** What kind of error it is: kiln_status of kiln/kiln.h, in its order. */
    public enum Status {
        OK, ARGUMENT, IO, FORMAT, UNSUPPORTED, MEMORY, MISMATCH, INTERNAL,
        /** The session was closed during the run, or cancel() was called. */
        CANCELLED
    }

    private static final long serialVersionUID = 1;
    private final Status status;

    /** Called by libkiln_jni. */
    KilnException(int status, byte[] message) {
        super(Native.text(message));
        Status[] all = Status.values();
        this.status = status >= 0 && status < all.length ? all[status] : Status.INTERNAL;
    }

    public Status getStatus() {
        return status;
    }
}
