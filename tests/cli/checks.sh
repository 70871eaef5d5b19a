# What the scripts of this folder count by; sourced. A command's output is left in the files out and err.
passed=0 failed=0

outcome() { # STATUS WHAT...: 0 is good
    if [ "$1" -eq 0 ]; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        printf 'FAILED: %s\n' "${*:2}"
        head -c 3000 out err 2>/dev/null
    fi
}
holds() { # COMMAND...
    "$@"
    outcome $? "$@"
}
check() { # NAME COMMAND...
    "${@:2}" >out 2>err
    outcome $? "$1: ${*:2}"
}
told() { # NAME TEXT: by the last command that was checked
    grep -q -- "$2" out err
    outcome $? "$1: no '$2'"
}
silent() { # NAME TEXT
    ! grep -q -- "$2" out err
    outcome $? "$1: '$2'"
}
refuses() { # STATUS TEXT COMMAND...: and nothing is left behind
    local status
    "${@:3}" >out 2>err
    status=$?
    [ $status -eq "$1" ] && grep -q -- "$2" err && ! ls -- .*.kiln-tmp >/dev/null 2>&1
    outcome $? "status $status, expected $1 and '$2': ${*:3}"
}
