package android.content.res;

import java.io.File;
import java.io.FileInputStream;
import java.io.FileNotFoundException;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;

/** An app's assets: of a file NAME.apk the part from byte 4 on, as it lies there; of others a stream alone. */
public final class AssetManager {
    public static final int PREFIX = 4;
    private final File folder;

    public AssetManager(File folder) {
        this.folder = folder;
    }

    public AssetFileDescriptor openFd(String name) throws IOException {
        File file = new File(folder, name + ".apk");
        if (!file.exists()) {
            throw new FileNotFoundException("This file can not be opened as a file descriptor; it is "
                + "probably compressed");
        }
        return new AssetFileDescriptor(new FileInputStream(file), PREFIX, file.length() - PREFIX);
    }

    public InputStream open(String name) throws IOException {
        File file = new File(folder, name);
        if (!file.exists()) {
            throw new FileNotFoundException(name);
        }
        return Files.newInputStream(file.toPath());
    }
}
