package org.kiln;

import java.util.Arrays;

/** An object with a native part, which close() frees, or the collector's finding that nobody has it. */
abstract class NativeObject implements AutoCloseable {
    /** Makes the native part of those of the objects that it needs. */
    interface Make {
        long of(long[] needed);
    }

    /** What is done with the native part. */
    interface Run<T> {
        T on(long address);
    }

    final Handle handle;
    /** Held while the native part works for somebody who must be alone with it. */
    final Object running = new Object();

    /** @param kept what must stay in memory as long as the native part; or null */
    NativeObject(Make make, Handle.Action free, Object kept, NativeObject... needed) {
        Handle[] handles = new Handle[needed.length];
        long[] addresses = new long[needed.length];
        int entered = 0;
        try {
            for (; entered < needed.length; entered++) {
                handles[entered] = needed[entered].handle;
                addresses[entered] = handles[entered].enter();
            }
            handle = new Handle(this, make.of(addresses), free, kept, handles);
        } catch (Throwable failed) {
            Handle.leave(Arrays.copyOf(handles, entered));
            throw failed;
        }
    }

    /** One at a time; a call that waited for another sees whether this was closed meanwhile. */
    final <T> T run(Run<T> run) {
        synchronized (running) {
            long address = handle.enter();
            try {
                return run.on(address);
            } finally {
                handle.leave();
            }
        }
    }

    /** May be called at any time, from any thread, and more than once. */
    @Override
    public void close() {
        handle.close();
    }
}
