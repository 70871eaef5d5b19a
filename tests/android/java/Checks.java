import org.kiln.KilnException;

/** Counts what holds and what does not. */
final class Checks {
    static int passed;
    static int failed;

    interface Code {
        void run() throws Exception;
    }

    private Checks() {}

    static void holds(String what, boolean good) {
        if (good) {
            passed++;
        } else {
            failed++;
            System.out.println("FAILED: " + what);
        }
    }

    /** It throws this class, and the message has this text. */
    static void fails(Class<?> expected, String text, Code code) {
        Throwable thrown = null;
        try {
            code.run();
        } catch (Throwable t) {
            thrown = t;
        }
        holds(thrown + ", expected " + expected + " with '" + text + "'", expected.isInstance(thrown)
            && String.valueOf(thrown.getMessage()).contains(text));
    }

    static void fails(KilnException.Status status, String text, Code code) {
        fails(KilnException.class, text, () -> {
            try {
                code.run();
            } catch (KilnException e) {
                holds(e.getStatus() + ", expected " + status, e.getStatus() == status);
                throw e;
            }
        });
    }
}
