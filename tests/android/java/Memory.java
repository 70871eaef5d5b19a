import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.nio.file.Files;
import java.nio.file.Paths;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import javax.management.JMException;
import javax.management.ObjectName;

/** What this process holds. */
final class Memory {
    private static final long PAGE = 4096;

    private Memory() {}

    /** Bytes in memory that are no file's. */
    static long resident() throws IOException {
        String[] pages = new String(Files.readAllBytes(Paths.get("/proc/self/statm"))).split(" ");
        return (Long.parseLong(pages[1]) - Long.parseLong(pages[2])) * PAGE;
    }

    /** References of native code that the collector respects, as the virtual machine counts them. */
    static int globalReferences() throws JMException {
        String threads = (String) ManagementFactory.getPlatformMBeanServer().invoke(
            new ObjectName("com.sun.management:type=DiagnosticCommand"), "threadPrint",
            new Object[] {new String[0]}, new String[] {String[].class.getName()});
        Matcher count = Pattern.compile("JNI global refs: (\\d+)").matcher(threads);
        if (!count.find()) {
            throw new IllegalStateException(threads);
        }
        return Integer.parseInt(count.group(1));
    }
}
