# What the scripts of this folder start Java by; sourced, with java, classes and library set.

# in_jvm ARGUMENT...: the tests, in a virtual machine that checks each call of JNI, and whose own memory does not
# grow: it begins with all its heap, and compiles less.
in_jvm() {
    LC_ALL=C.UTF-8 "$java" -Xcheck:jni -Xms48m -Xmx48m -XX:+AlwaysPreTouch -XX:+UseSerialGC -XX:TieredStopAtLevel=1 \
        -Djava.awt.headless=true -Djava.library.path="$(dirname "$library")" \
        --add-opens java.base/java.io=ALL-UNNAMED \
        -cp "$classes/android:$classes/kiln:$classes/tests" Tests "$@" 2>&1 | tee log
    local status=${PIPESTATUS[0]}
    if grep -E 'WARNING in native|WARNING: JNI|FATAL ERROR in native|^Warning' log; then
        echo 'FAILED: -Xcheck:jni warns'
        return 1
    fi
    return "$status"
}
