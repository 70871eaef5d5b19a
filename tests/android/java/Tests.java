import java.io.File;

/** Tests api FOLDER CYCLES; Tests faces FOLDER. */
public final class Tests {
    private Tests() {}

    public static void main(String[] args) throws Exception {
        File folder = new File(args[1]);
        if (args[0].equals("faces")) {
            new FaceTest(folder).run();
        } else {
            new PlanTest(folder).run(); // makes the plan that cycles finds broken, too
            ImageTest.run(folder);
            CloseTest.run(folder);
            Cycles.run(folder, Integer.parseInt(args[2]));
        }
        System.out.println(Checks.passed + " passed, " + Checks.failed + " failed");
        System.exit(Checks.failed > 0 ? 1 : 0);
    }
}
