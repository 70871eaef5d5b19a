#!/bin/bash
# The rules that the module brings are enough: the tests run with all classes shrunk and renamed, by ProGuard, whose
# rules R8 reads.
#   shrunk.sh JAVA CLASSES LIBRARY KILN GENERATOR      as api.sh
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
classes=$2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# Java 8's classes, as the JDK's compiler knows them: ProGuard is older than the JDK's own, and than the version that
# is written in these.
home=$(dirname "$(dirname "$(realpath "$(command -v javac)")")")
python3 - "$home/lib/ct.sym" "$work/rt.jar" <<'PY'
import sys, zipfile
with zipfile.ZipFile(sys.argv[1]) as signatures, zipfile.ZipFile(sys.argv[2], "w") as jar:
    for name in signatures.namelist():
        releases, _, path = name.partition("/")
        if "8" in releases and path.endswith(".sig"):
            content = signatures.read(name)
            jar.writestr(path.partition("/")[2][:-4] + ".class", content[:4] + b"\0\0\0\x34" + content[8:])
PY
cat >"$work/rules" <<RULES
-injars $classes/kiln
-injars $classes/tests
-injars $classes/android
-outjars $work/shrunk/tests
-libraryjars $work/rt.jar
-keep public class Tests { public static void main(java.lang.String[]); }
-keep class android.** { *; }
-keep class androidx.** { *; }
-printmapping $work/mapping
-include $here/../../examples/android/kiln/consumer-rules.pro
RULES
mkdir -p "$work/shrunk/tests"
proguard "@$work/rules" >"$work/log" 2>&1 || { cat "$work/log"; exit 1; }
grep -q 'org.kiln.KilnSession -> ' "$work/mapping"
! grep 'org.kiln.KilnSession -> org.kiln.KilnSession:' "$work/mapping"
KILN_CYCLES=100 "$here/api.sh" "$1" "$work/shrunk" "${@:3}"
