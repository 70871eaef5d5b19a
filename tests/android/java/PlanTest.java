import android.content.res.AssetManager;
import android.graphics.Bitmap;
import java.io.File;
import java.io.FileNotFoundException;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.util.Arrays;
import java.util.List;
import org.kiln.KilnAnswer;
import org.kiln.KilnException.Status;
import org.kiln.KilnPlan;
import org.kiln.KilnSession;

/** Opening plans in all ways, what they say, and what is refused. */
final class PlanTest {
    private final File folder;
    private final File file;
    private final Bitmap picture;

    /** Holds net.plan, picture.ppm, and what kiln run makes of it in arrays/. */
    PlanTest(File folder) throws IOException {
        this.folder = folder;
        file = new File(folder, "net.plan");
        picture = Pictures.read(new File(folder, "picture.ppm"));
    }

    void run() throws Exception {
        opens();
        describes();
        refuses();
        closes();
        runsBuffers();
    }

    /** Bit by bit what the command computes of the picture. */
    private void agrees(KilnPlan plan) throws IOException {
        byte[] array = Files.readAllBytes(new File(folder, "arrays/picture.ppm.output.npy").toPath());
        ByteBuffer expected = ByteBuffer.wrap(array, array.length - 4000, 4000).slice()
            .order(ByteOrder.LITTLE_ENDIAN);
        try (KilnPlan open = plan; KilnSession session = open.session(2)) {
            List<KilnAnswer> answers = session.classify(picture, 2000);
            boolean good = answers.size() == 1000;
            for (int k = 0; k < answers.size(); k++) {
                KilnAnswer answer = answers.get(k);
                good &= answer.getScore() == expected.getFloat(4 * answer.getIndex())
                    && answer.getLabel().equals(plan.getLabels().get(answer.getIndex()))
                    && (k == 0 || answers.get(k - 1).getScore() >= answer.getScore());
            }
            Checks.holds("answers: " + answers.subList(0, 5), good);
        }
    }

    private void opens() throws IOException {
        byte[] bytes = Files.readAllBytes(file.toPath());
        byte[] inside = new byte[bytes.length + AssetManager.PREFIX];
        System.arraycopy(bytes, 0, inside, AssetManager.PREFIX, bytes.length);
        Files.write(new File(folder, "mapped.plan.apk").toPath(), inside);
        AssetManager assets = new AssetManager(folder);
        agrees(KilnPlan.open(file));
        agrees(KilnPlan.fromAsset(assets, "mapped.plan"));
        agrees(KilnPlan.fromAsset(assets, "net.plan"));
        agrees(KilnPlan.fromBuffer(ByteBuffer.wrap(bytes), null));
        File prepacked = new File(folder, "prep\u00E4cked \uD83D\uDE00");
        agrees(KilnPlan.open(file, prepacked));
        Checks.holds("packed weights are kept", prepacked.length() > 0);
        agrees(KilnPlan.open(file, prepacked));
    }

    private void describes() {
        try (KilnPlan plan = KilnPlan.open(file)) {
            Checks.holds("labels: " + plan.getLabels(), plan.getLabels().size() == 1000
                && plan.getLabels().get(1).equals("\u732B \uD83D\uDE00"));
            Checks.holds("input: " + plan.getInputs(), plan.getInputs().size() == 1
                && Arrays.equals(plan.getInputs().get(0).getShape(), new int[] {1, 3, 64, 64})
                && plan.getInputs().get(0).getType().equals("f32")
                && plan.getInputs().get(0).getBytes() == 3 * 64 * 64 * 4);
            Checks.holds("output: " + plan.getOutputs(), plan.getOutputs().get(0).getBytes() == 4000);
            Checks.holds("metadata", plan.getMetadata("no such key") == null);
        }
    }

    private void refuses() throws IOException {
        AssetManager assets = new AssetManager(folder);
        byte[] bytes = Files.readAllBytes(file.toPath());
        File broken = new File(folder, "broken \uD83D\uDE00.plan");
        Files.write(broken.toPath(), Arrays.copyOf(bytes, bytes.length / 2));
        Checks.fails(Status.IO, "absent.plan", () -> KilnPlan.open(new File(folder, "absent.plan")));
        Checks.fails(Status.FORMAT, "broken \uD83D\uDE00", () -> KilnPlan.open(broken));
        Checks.fails(Status.FORMAT, "", () -> KilnPlan.fromBuffer(ByteBuffer.wrap(bytes, 0, 99), null));
        Checks.fails(FileNotFoundException.class, "absent", () -> KilnPlan.fromAsset(assets, "absent"));
        Checks.fails(IllegalArgumentException.class, "character 0", () -> KilnPlan.open(new File("a\0b")));
        Checks.fails(Status.IO, "", () -> KilnPlan.fromDescriptor(-1, 0, 10, null));
        Checks.fails(IllegalArgumentException.class, "-1", () -> KilnPlan.fromDescriptor(0, -1, 10, null));
        try (KilnPlan plan = KilnPlan.open(file); KilnSession session = plan.session()) {
            Bitmap narrow = new Bitmap(9, 9, Bitmap.Config.RGB_565);
            Checks.fails(IllegalArgumentException.class, "RGB_565", () -> session.classify(narrow));
            Checks.fails(IllegalArgumentException.class, "0 answers", () -> session.classify(picture, 0));
            Checks.fails(IllegalArgumentException.class, "0 threads", () -> plan.session(0));
            Checks.fails(Status.ARGUMENT, "detector", plan::namer);
            Checks.fails(NullPointerException.class, "", () -> session.classify((Bitmap) null));
            Checks.holds("after all that", session.classify(picture).size() == 5);
        }
    }

    private void closes() {
        KilnPlan plan = KilnPlan.open(file);
        KilnSession session = plan.session();
        plan.close();
        plan.close();
        Checks.fails(IllegalStateException.class, "closed", plan::session);
        Checks.fails(IllegalStateException.class, "closed", plan::getInputs);
        Checks.holds("a session without its plan", session.classify(picture).size() == 5);
        float[] features = session.embed(picture);
        Checks.holds("features", features.length == 1000
            && Math.abs(KilnSession.similarity(features, features) - 1) < 1e-6);
        session.close();
        session.close();
        Checks.fails(IllegalStateException.class, "closed", () -> session.classify(picture));
        Checks.fails(IllegalStateException.class, "closed", session::cancel);
        Checks.fails(IllegalArgumentException.class, "1 features", () ->
            KilnSession.similarity(new float[1], new float[2]));
    }

    private void runsBuffers() {
        try (KilnPlan plan = KilnPlan.open(file); KilnSession session = plan.session()) {
            ByteBuffer[] in = {ByteBuffer.allocateDirect(plan.getInputs().get(0).getBytes())};
            ByteBuffer[] out = {ByteBuffer.allocateDirect(4000).order(ByteOrder.nativeOrder())};
            Bitmap pixels = prepared(in[0].order(ByteOrder.nativeOrder()));
            session.run(in, out);
            boolean good = true;
            for (KilnAnswer answer : session.classify(pixels, 1000)) {
                good &= Math.abs(answer.getScore() - out[0].getFloat(4 * answer.getIndex())) < 1e-3;
            }
            Checks.holds("the input made by hand", good);
            ByteBuffer[] small = {ByteBuffer.allocateDirect(12)};
            Checks.fails(Status.ARGUMENT, "12", () -> session.run(small, out));
            Checks.fails(Status.ARGUMENT, "", () -> session.run(new ByteBuffer[0], out));
            Checks.fails(IllegalArgumentException.class, "direct", () ->
                session.run(new ByteBuffer[] {ByteBuffer.allocate(in[0].capacity())}, out));
            Checks.fails(IllegalArgumentException.class, "reading", () ->
                session.run(in, new ByteBuffer[] {out[0].asReadOnlyBuffer()}));
        }
    }

    /** A picture of the input's size, and the input that torchvision makes of it. */
    private static Bitmap prepared(ByteBuffer input) {
        Bitmap bitmap = new Bitmap(64, 64, Bitmap.Config.ARGB_8888);
        double[] mean = {0.485, 0.456, 0.406};
        double[] std = {0.229, 0.224, 0.225};
        for (int k = 0; k < 64 * 64; k++) {
            int[] rgb = {k % 64 * 4, k / 64 * 3, k % 251};
            bitmap.setPixel(k % 64, k / 64, 0xFF000000 | rgb[0] << 16 | rgb[1] << 8 | rgb[2]);
            for (int c = 0; c < 3; c++) {
                input.putFloat(4 * (c * 64 * 64 + k), (float) ((rgb[c] / 255.0 - mean[c]) / std[c]));
            }
        }
        return bitmap;
    }
}
