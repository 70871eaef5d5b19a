import groovy.lang.Closure;
import groovy.lang.GroovyObjectSupport;
import groovy.lang.MissingMethodException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.gradle.api.Plugin;
import org.gradle.api.Project;

/** Stands for Android's plugins: takes any word of "android { }", and prints it with its values. */
public final class Recorder implements Plugin<Project> {
    /** A block: what it was told, and the blocks in it. */
    public static final class Block extends GroovyObjectSupport {
        private final Map<String, Object> told = new LinkedHashMap<>();

        @Override
        public Object invokeMethod(String name, Object arguments) {
            Object[] all = (Object[]) arguments;
            Object last = all.length > 0 ? all[all.length - 1] : null;
            if (last instanceof Closure) {
                String block = name.equals("create") ? all[0].toString() : name;
                Closure<?> inside = (Closure<?>) ((Closure<?>) last).clone();
                inside.setDelegate(told.computeIfAbsent(block, key -> new Block()));
                inside.setResolveStrategy(Closure.DELEGATE_FIRST);
                inside.call();
            } else if (name.equals("file")) { // the project's
                throw new MissingMethodException(name, Block.class, all);
            } else if (name.startsWith("get")) {
                return Arrays.toString(all);
            } else {
                values(name).addAll(Arrays.asList(all));
            }
            return null;
        }

        @SuppressWarnings("unchecked")
        private List<Object> values(String name) {
            return (List<Object>) told.computeIfAbsent(name, key -> new ArrayList<>());
        }

        @Override
        public void setProperty(String name, Object value) {
            values(name).add(value);
        }

        void print(String prefix) {
            told.forEach((name, value) -> {
                if (value instanceof Block) {
                    System.out.println(prefix + name);
                    ((Block) value).print(prefix + name + ".");
                } else {
                    ((List<?>) value).forEach(v -> System.out.println(prefix + name + " " + v));
                }
            });
        }
    }

    @Override
    public void apply(Project project) {
        Block android = new Block();
        project.getExtensions().add("android", android);
        for (String name : new String[] {"implementation", "compileOnly"}) {
            project.getConfigurations().create(name);
        }
        project.afterEvaluate(done -> {
            android.print(project.getName() + ".");
            project.getConfigurations().forEach(c -> c.getDependencies().forEach(d ->
                System.out.println(project.getName() + "." + c.getName() + " " + d.getName())));
        });
    }
}
