package org.kiln;

import java.lang.ref.PhantomReference;
import java.lang.ref.ReferenceQueue;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;

/**
 * The address of a native object, and how many need it: its Java object until it is closed, each
 * call in progress, each object made of it. The last one frees it, so that no close() can take it
 * from under a call, or has to wait for one.
 *
 * <p>A Java object that becomes unreachable is closed by a thread of this class. (Android has
 * java.lang.ref.Cleaner from API 33 on.)
 */
final class Handle extends PhantomReference<Object> {
    /** What is done with an address. */
    interface Action {
        void on(long address);
    }

    private static final ReferenceQueue<Object> UNREACHABLE = new ReferenceQueue<>();
    /** A reference that is itself unreachable would never be queued. */
    private static final Set<Handle> OPEN = ConcurrentHashMap.newKeySet();

    static {
        Thread thread = new Thread(Handle::closeUnreachable, "kiln-cleaner");
        thread.setDaemon(true);
        thread.start();
    }

    private final long address;
    private final Action free;
    private final Object kept;
    private final Handle[] needed;
    private int users = 1;
    private boolean closed;

    /**
     * @param kept what must stay in memory as long as the native object; or null
     * @param needed on which enter() has been called: they are left when this one is freed
     */
    Handle(Object owner, long address, Action free, Object kept, Handle... needed) {
        super(owner, UNREACHABLE);
        this.address = address;
        this.free = free;
        this.kept = kept;
        this.needed = needed;
        OPEN.add(this);
    }

    /** The address, until leave() is called. */
    synchronized long enter() {
        if (closed) {
            throw new IllegalStateException("it is closed");
        }
        users++;
        return address;
    }

    /** For who has entered, or keeps it by a handle that needs this one. */
    long address() {
        return address;
    }

    void leave() {
        synchronized (this) {
            if (--users > 0) {
                return;
            }
        }
        OPEN.remove(this);
        free.on(address);
        leave(needed);
    }

    static void leave(Handle[] handles) {
        for (Handle handle : handles) {
            handle.leave();
        }
    }

    /** Ends the owner's use. A second time does nothing. */
    void close() {
        close(null);
    }

    /** @param cancel for the call in progress, where there is one */
    void close(Action cancel) {
        synchronized (this) {
            if (closed) {
                return;
            }
            closed = true;
            if (cancel != null && users > 1) {
                cancel.on(address);
            }
        }
        leave();
    }

    private static void closeUnreachable() {
        while (true) {
            try {
                ((Handle) UNREACHABLE.remove()).close();
            } catch (InterruptedException ignored) {
                // Nobody has a reason to end this thread.
            }
        }
    }
}
