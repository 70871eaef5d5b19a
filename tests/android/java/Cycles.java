import android.graphics.Bitmap;
import java.io.File;
import java.util.List;
import org.kiln.KilnAnswer;
import org.kiln.KilnException;
import org.kiln.KilnPlan;
import org.kiln.KilnSession;

/** A plan opened, a session, an answer, an error, all closed: over and over, in constant memory. */
final class Cycles {
    /** Bytes that memory may grow by, after a fifth of the cycles: a leak of 1 KiB each shows. */
    private static final long GROWTH = 4 << 20;

    private Cycles() {}

    static void run(File folder, int cycles) throws Exception {
        File file = new File(folder, "net.plan");
        File broken = new File(folder, "broken \uD83D\uDE00.plan");
        Bitmap picture = Pictures.read(new File(folder, "picture.ppm"));
        int best = -1;
        int references = 0;
        long before = 0;
        long start = System.nanoTime();
        for (int k = 0; k < cycles; k++) {
            if (k == cycles / 5) {
                references = Memory.globalReferences();
                before = Memory.resident();
            }
            try (KilnPlan plan = KilnPlan.open(file); KilnSession session = plan.session()) {
                List<KilnAnswer> answers = session.classify(picture);
                if (best != -1 && answers.get(0).getIndex() != best) {
                    throw new IllegalStateException("another answer in cycle " + k);
                }
                best = answers.get(0).getIndex();
            }
            try {
                KilnPlan.open(broken);
                throw new IllegalStateException("a broken plan was opened");
            } catch (KilnException expected) {
                // As it should be.
            }
        }
        long grown = Memory.resident() - before;
        int added = Memory.globalReferences() - references;
        System.out.printf("%d cycles: %.1f s, %d KiB more in memory, %d global references more%n", cycles,
            (System.nanoTime() - start) / 1e9, grown >> 10, added);
        Checks.holds("memory grows by " + grown + " bytes", grown < GROWTH);
        Checks.holds(added + " global references more", added <= 0);
    }
}
