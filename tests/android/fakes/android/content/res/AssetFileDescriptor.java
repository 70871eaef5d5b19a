package android.content.res;

import android.os.ParcelFileDescriptor;
import java.io.Closeable;
import java.io.FileInputStream;
import java.io.IOException;

public final class AssetFileDescriptor implements Closeable {
    private final FileInputStream stream;
    private final long offset;
    private final long length;

    AssetFileDescriptor(FileInputStream stream, long offset, long length) {
        this.stream = stream;
        this.offset = offset;
        this.length = length;
    }

    public ParcelFileDescriptor getParcelFileDescriptor() {
        return new ParcelFileDescriptor(stream);
    }

    public long getStartOffset() {
        return offset;
    }

    public long getLength() {
        return length;
    }

    @Override
    public void close() throws IOException {
        stream.close();
    }
}
