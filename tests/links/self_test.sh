#!/bin/sh
# check.sh finds what it is there to find: in objects that are made up.
#   self_test.sh CC NM
set -eu
here=$(dirname "$0")
cc=$1
nm=$2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
list=$work/list

begin() {
    rm -rf "$work/runtime"
    : >"$list"
}

# object PATH SOURCE
object() {
    to=$work/$1.c.o
    mkdir -p "$(dirname "$to")"
    echo "$2" | $cc -ffunction-sections -x c -c -o "$to" -
    echo "$to" >>"$list"
}

# expect WHAT: the check fails and says so; nothing: it passes
expect() {
    if "$here/check.sh" "$nm" "$work" "$list" >"$work/out" 2>&1; then
        test -z "$1" || { echo "passed, though: $1"; exit 1; }
    else
        test -n "$1" && grep -q "$1" "$work/out" || { cat "$work/out"; exit 1; }
    fi
}

base='int fail(void); int fail(void) { return 1; }'
kernel='int fail(void); int run(void); int run(void) { return fail(); }'

begin
object runtime/base/status "$base"
object runtime/CMakeFiles/kiln.dir/./kernels/copy "$kernel"
object runtime/session/step 'int run(void); int step(void); int step(void) { return run(); }'
expect ''

begin # two files of one module call each other, a third stands beside
object runtime/base/status "$base"
object runtime/kernels/a 'int fail(void), b(void); int a(void); int a(void) { return b() + fail(); }'
object runtime/kernels/b 'int a(void); int b(void); int b(void) { return a(); }'
expect 'in a circle: runtime/kernels/b calls a of runtime/kernels/a'
if grep -q status "$work/out"; then cat "$work/out"; exit 1; fi

begin # a kernel calls the session
object runtime/base/status "$base"
object runtime/session/pack 'int pack(void); int pack(void) { return 0; }'
object runtime/kernels/copy 'int pack(void); int run(void); int run(void) { return pack(); }'
expect 'kernels may not call session: runtime/kernels/copy calls pack of runtime/session/pack'

begin # modules side by side
object runtime/tune/tune 'int tune(void); int tune(void) { return 0; }'
object runtime/train/fit 'int tune(void); int fit(void); int fit(void) { return tune(); }'
expect 'train may not call tune'

begin # data counts, too
object runtime/plan/table 'extern const int row; const int *table(void); const int *table(void) { return &row; }'
object runtime/session/row 'extern const int row; const int row = 1;'
expect 'plan may not call session'

begin
object runtime/elsewhere/file 'int one(void); int one(void) { return 1; }'
expect 'runtime/elsewhere/file belongs to no module'

begin # memory that is not the caller's
object runtime/base/allocator 'void *malloc(unsigned long); void *take(void); void *take(void) { return malloc(8); }'
expect ''
object runtime/plan/copy 'char *strdup(const char *); char *copy(char *); char *copy(char *x) { return strdup(x); }'
expect 'runtime/plan/copy calls strdup'

begin
expect 'no objects'
