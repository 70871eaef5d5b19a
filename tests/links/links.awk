# Which object calls which, as the linker sees it: reads modules.txt, then what `nm -A -P -g` says of all
# objects, which lie in the folder `build`. Fails where objects call each other in a circle, where a module calls
# one that it may not (see modules.txt), where an object belongs to no module, and where an object of the runtime
# takes memory from the C library and not from an allocator.

function fail(message) {
    print "links: " message
    failures++
}

# BUILD/x/CMakeFiles/target.dir/./folder/file.c.o -> x/folder/file
function name_of(path) {
    path = substr(path, length(build) + 2)
    sub(/CMakeFiles\/[^\/]*\.dir\//, "", path)
    sub(/\.\//, "", path)
    sub(/\.c\.o:$/, "", path)
    return path
}

function module_of(object,    m, p, patterns, count) {
    for (m = 1; m <= module_count; m++) {
        count = split(objects_of[m], patterns, " ")
        for (p = 1; p <= count; p++) {
            if (object ~ "^" patterns[p]) {
                return m
            }
        }
    }
    return 0
}

BEGIN {
    count = split("malloc calloc realloc reallocarray free strdup strndup aligned_alloc posix_memalign memalign " \
                  "valloc asprintf vasprintf open_memstream getline getdelim", words, " ")
    for (k = 1; k <= count; k++) {
        heap[words[k]] = 1
    }
}

FNR == 1 {
    part++
}

part == 1 && !/^#/ && NF > 0 {
    module_count++
    split($0, halves, " : | :$")
    count = split(halves[1], words, " ")
    name[module_count] = words[1]
    for (k = 2; k <= count; k++) {
        objects_of[module_count] = objects_of[module_count] " " words[k]
    }
    count = split(halves[2], words, " ")
    for (k = 1; k <= count; k++) {
        if (!(words[k] in number)) {
            fail("modules.txt: " name[module_count] " is above " words[k])
        }
        may[module_count, number[words[k]]] = 1
    }
    number[name[module_count]] = module_count
}

part == 2 {
    object = name_of($1)
    objects[object] = 1
    if ($3 ~ /^[Uwv]$/) {
        uses[object, $2] = 1
        if ($2 in heap && object ~ /^runtime\// && object != "runtime/base/allocator") {
            fail(object " calls " $2 ": memory of the runtime is its caller's, see runtime/base/memory.h")
        }
    } else {
        home[$2] = object
    }
}

END {
    for (use in uses) {
        split(use, pair, SUBSEP)
        if (pair[2] in home && home[pair[2]] != pair[1]) {
            calls[pair[1], home[pair[2]]] = calls[pair[1], home[pair[2]]] " " pair[2]
        }
    }
    for (object in objects) {
        object_count++
        module[object] = module_of(object)
        if (!module[object]) {
            fail(object " belongs to no module")
        }
    }
    for (call in calls) {
        split(call, pair, SUBSEP)
        from = module[pair[1]]
        to = module[pair[2]]
        if (from && to && from != to && !((from, to) in may)) {
            fail(name[from] " may not call " name[to] ": " pair[1] " calls" calls[call] " of " pair[2])
        }
    }
    # What calls nothing that is left is taken out, and what nothing calls, until nothing more can be: what
    # stays are circles, and what lies between two of them.
    for (changed = 1; changed;) {
        changed = 0
        split("", out)
        split("", into)
        for (call in calls) {
            split(call, pair, SUBSEP)
            out[pair[1]] = into[pair[2]] = 1
        }
        for (call in calls) {
            split(call, pair, SUBSEP)
            if (!(pair[2] in out) || !(pair[1] in into)) {
                delete calls[call]
                changed = 1
            }
        }
    }
    for (call in calls) {
        split(call, pair, SUBSEP)
        fail("in a circle: " pair[1] " calls" calls[call] " of " pair[2])
    }
    if (object_count == 0) {
        fail("no objects")
    }
    if (!failures) {
        print object_count " objects, no circle"
    }
    exit failures != 0
}
