import android.graphics.Bitmap;
import android.graphics.PixelFormat;
import java.io.File;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicReference;
import org.kiln.KilnException.Status;
import org.kiln.KilnFace;
import org.kiln.KilnNamer;
import org.kiln.KilnPlan;

/**
 * Somebody becomes known by pictures and is recognised on others, also by the plan that was saved.
 * The folder holds faces.plan, known/ and new/ (a folder of pictures for each person).
 */
final class FaceTest {
    private final File folder;
    private final List<File> people = new ArrayList<>();
    private final List<File> strangers = new ArrayList<>();

    FaceTest(File folder) {
        this.folder = folder;
        collect(new File(folder, "known"), people);
        collect(new File(folder, "new"), strangers);
    }

    private static void collect(File from, List<File> to) {
        File[] folders = from.listFiles();
        Arrays.sort(folders);
        to.addAll(Arrays.asList(folders));
    }

    void run() throws IOException, InterruptedException {
        File saved = new File(folder, "saved.plan");
        String name = "Zo\u00EB \uD83D\uDE00";
        List<Bitmap> pictures = pictures(strangers.get(0));
        int half = pictures.size() / 2;
        Bitmap[] enrolled = pictures.subList(0, half).toArray(new Bitmap[0]);
        List<Bitmap> others = pictures.subList(half, pictures.size());
        try (KilnPlan plan = KilnPlan.open(new File(folder, "faces.plan"));
                KilnNamer namer = plan.namer(new KilnNamer.Options().threads(2).faces(4))) {
            Checks.holds("people: " + namer.getPeople(), namer.getPeople().size() == people.size());
            refuses(plan, namer);
            int known = named(namer, others, name);
            namer.enrol(name, enrolled);
            int knownNow = named(namer, others, name);
            System.out.println(known + ", then " + knownNow + " of " + others.size() + " are " + name);
            Checks.holds("nobody is, then most are " + name, known == 0 && knownNow * 2 > others.size());
            namer.save(saved);
            namer.forget(name);
            Checks.holds("forgotten", named(namer, others, name) == 0);
            Checks.fails(Status.ARGUMENT, "", () -> namer.forget(name));
            Checks.fails(Status.IO, "", () -> namer.save(new File(folder, "no folder/x.plan")));
            checkKnown(namer);
            closesDuringRun(plan, enrolled[0]);
        }
        try (KilnPlan plan = KilnPlan.open(saved); KilnNamer namer = plan.namer()) {
            Checks.holds("saved: " + namer.getPeople(), namer.getPeople().contains(name)
                && named(namer, others, name) * 2 > others.size());
        }
    }

    /** Those whom the plan knows are named right, mostly; a face has a box and points in it. */
    private void checkKnown(KilnNamer namer) throws IOException {
        int right = 0;
        int all = 0;
        for (File person : people) {
            List<Bitmap> pictures = pictures(person);
            right += named(namer, pictures, person.getName());
            all += pictures.size();
            for (KilnFace face : namer.recognise(pictures.get(0))) {
                float[] points = face.getPoints();
                Checks.holds("face of " + person, points.length == 10 && face.getScore() > 0
                    && points[0] > face.getLeft() && points[0] < points[2] && points[2] < face.getRight()
                    && points[1] > face.getTop() && points[9] < face.getBottom()
                    && face.isKnown() == face.getSimilarity() >= face.getAsked()
                    && !(face.getProbability() < 0 || face.getProbability() > 1.0001));
            }
        }
        System.out.println(right + " of " + all + " named right");
        Checks.holds("named right", right * 4 > all * 3);
    }

    private void refuses(KilnPlan plan, KilnNamer namer) {
        Bitmap gray = new Bitmap(64, 64, Bitmap.Config.ARGB_8888);
        Checks.holds("no face", namer.recognise(gray).isEmpty());
        int count = namer.getPeople().size();
        Checks.fails(Status.ARGUMENT, "shows no face", () -> namer.enrol("nobody", gray));
        ByteBuffer pixels = ByteBuffer.allocateDirect(64 * 64 * 4);
        Checks.fails(Status.ARGUMENT, "shows no face", () -> namer.enrol("nobody", Pictures.proxy(
            PixelFormat.RGBA_8888, 64, 64, 90, null, Pictures.plane(pixels, 64 * 4, 4))));
        Checks.holds("nobody was enrolled", namer.getPeople().size() == count);
        Checks.fails(IllegalArgumentException.class, "no image", () -> namer.enrol("x", new Bitmap[0]));
        Checks.fails(Status.ARGUMENT, "", () -> plan.namer(new KilnNamer.Options().rate(1e-9)));
        KilnNamer closed = plan.namer();
        closed.close();
        closed.close();
        Checks.fails(IllegalStateException.class, "closed", () -> closed.recognise(gray));
        Checks.fails(IllegalStateException.class, "closed", closed::getPeople);
    }

    /** Closed while it recognises, which ends well; then it does no more. */
    private static void closesDuringRun(KilnPlan plan, Bitmap picture) throws InterruptedException {
        KilnNamer namer = plan.namer();
        AtomicInteger runs = new AtomicInteger();
        AtomicReference<Throwable> end = new AtomicReference<>();
        Thread thread = new Thread(() -> {
            try {
                while (true) {
                    namer.recognise(picture);
                    runs.incrementAndGet();
                }
            } catch (Throwable t) {
                end.set(t);
            }
        });
        thread.start();
        while (runs.get() < 3 && thread.isAlive()) {
            Thread.sleep(1);
        }
        namer.close();
        thread.join();
        Checks.holds("closed while it recognised: " + end, end.get() instanceof IllegalStateException);
    }

    private static List<Bitmap> pictures(File person) throws IOException {
        File[] files = person.listFiles();
        Arrays.sort(files);
        List<Bitmap> pictures = new ArrayList<>();
        for (File file : files) {
            pictures.add(Pictures.read(file));
        }
        return pictures;
    }

    /** On how many of the pictures is a face that is known by the name. */
    private static int named(KilnNamer namer, List<Bitmap> pictures, String name) {
        int count = 0;
        for (Bitmap picture : pictures) {
            for (KilnFace face : namer.recognise(picture)) {
                if (face.isKnown() && face.getName().equals(name)) {
                    count++;
                    break;
                }
            }
        }
        return count;
    }
}
