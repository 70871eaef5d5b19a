package org.kiln;

import java.util.Arrays;

/** An object with a native part, which close() frees, or the collector's finding that nobody has it. */
abstract class NativeObject implements AutoCloseable {
    /** Makes the native part of those of the objects that it needs. */
    interface Make {
        long of(long[] needed);
    }

    final Handle handle;

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

    /** May be called at any time, from any thread, and more than once. */
    @Override
    public void close() {
        handle.close();
    }
}
