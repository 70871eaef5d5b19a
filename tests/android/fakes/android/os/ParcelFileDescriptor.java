package android.os;

import java.io.FileDescriptor;
import java.io.FileInputStream;
import java.lang.reflect.Field;

public final class ParcelFileDescriptor {
    private final FileInputStream stream;

    public ParcelFileDescriptor(FileInputStream stream) {
        this.stream = stream;
    }

    /** The desktop's classes hide the number (--add-opens java.base/java.io=ALL-UNNAMED). */
    public int getFd() {
        try {
            Field field = FileDescriptor.class.getDeclaredField("fd");
            field.setAccessible(true);
            return field.getInt(stream.getFD());
        } catch (ReflectiveOperationException | java.io.IOException e) {
            throw new IllegalStateException(e);
        }
    }
}
