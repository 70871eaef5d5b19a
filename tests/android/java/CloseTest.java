import android.graphics.Bitmap;
import java.io.File;
import java.io.IOException;
import java.util.Random;
import java.util.concurrent.atomic.AtomicInteger;
import org.kiln.KilnException;
import org.kiln.KilnPlan;
import org.kiln.KilnSession;

/** Sessions that are closed while others run them, or that nobody closes. */
final class CloseTest {
    private static final int TIMES = 100;

    private CloseTest() {}

    static void run(File folder) throws Exception {
        Bitmap picture = Pictures.read(new File(folder, "picture.ppm"));
        duringRuns(new File(folder, "net.plan"), picture);
        forgotten(new File(folder, "net.plan"), picture);
    }

    /** Two threads run it; this one closes it at a random moment, the plan before it. */
    private static void duringRuns(File file, Bitmap picture) throws InterruptedException {
        AtomicInteger cancelled = new AtomicInteger();
        AtomicInteger refused = new AtomicInteger();
        AtomicInteger others = new AtomicInteger();
        Random random = new Random(7);
        for (int k = 0; k < TIMES; k++) {
            KilnPlan plan = KilnPlan.open(file);
            KilnSession session = plan.session();
            Thread[] threads = new Thread[2];
            for (int t = 0; t < threads.length; t++) {
                threads[t] = new Thread(() -> {
                    try {
                        while (true) {
                            session.classify(picture);
                        }
                    } catch (KilnException e) {
                        boolean right = e.getStatus() == KilnException.Status.CANCELLED;
                        (right ? cancelled : others).incrementAndGet();
                    } catch (IllegalStateException e) {
                        refused.incrementAndGet();
                    }
                });
                threads[t].start();
            }
            Thread.sleep(1 + random.nextInt(5), random.nextInt(1_000_000));
            plan.close();
            session.close();
            for (Thread thread : threads) {
                thread.join();
            }
        }
        System.out.println("closed during runs: " + cancelled + " cancelled, " + refused + " refused");
        Checks.holds("closed during runs: " + others + " other errors", others.get() == 0
            && cancelled.get() + refused.get() == 2 * TIMES && cancelled.get() > 0);
    }

    /** What the collector finds is freed: kept, these would take hundreds of megabytes. */
    private static void forgotten(File file, Bitmap picture) throws IOException, InterruptedException {
        long before = Memory.resident();
        for (int k = 0; k < 400; k++) {
            KilnPlan.open(file).session().classify(picture);
            if (k % 20 == 19) {
                System.gc();
                Thread.sleep(20);
            }
        }
        long grown = Memory.resident() - before;
        System.out.println("400 sessions forgotten: " + (grown >> 10) + " KiB more");
        Checks.holds("forgotten sessions are freed: " + (grown >> 20) + " MiB more", grown < 60 << 20);
    }
}
