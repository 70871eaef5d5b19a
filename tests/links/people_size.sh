#!/bin/bash
# How much code an app takes along that knows people: functions of runtime/people/ in a linked program.
#   people_size.sh LIBRARY PROGRAM MOST_BYTES
set -uo pipefail
library=$1 program=$2 most=$3
{
    nm -S "$library" 2>/dev/null
    echo "program:"
    nm -S "$program"
} | awk -v most="$most" '
    function bytes(hex,   k, n) {
        for (k = 1; k <= length(hex); k++) n = n * 16 + index("0123456789abcdef", substr(hex, k, 1)) - 1
        return n
    }
    BEGIN { n = split("edit gallery judge metric plans portraits section similarity threshold vectors", names, " ")
            for (k = 1; k <= n; k++) ours[names[k] ".c.o:"] = 1 }
    /:$/ { from = $1; next }
    NF != 4 || $3 !~ /^[tT]$/ { next }
    from == "program:" { if (("x" size[$4]) == ("x" $2)) { total += bytes($2); count++ } next }
    from in ours { size[$4] = $2 }
    END { printf "%d functions of people, %d bytes; at most %d\n", count, total, most
          exit !(count > 20 && total <= most) }'
