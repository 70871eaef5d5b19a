"""Makes kiln/_declarations.py of Kiln's headers: declare.py COMPILER ROOT OUTPUT.

The binding has no declarations of its own, which could fall behind: what cffi is told is what the
preprocessor makes of the headers. How cffi lays out their structs is then compared, member by
member, with what the compiler does; a difference ends the build.
"""

import re
import subprocess
import sys
from pathlib import Path

import cffi

# Of Kiln's, and what the package adds to them.
HEADERS = [
    *(f"kiln/{name}.h" for name in ("kiln", "image", "faces", "people", "answer", "compile")),
    "examples/python/native/reader.h",
]


def includes() -> str:
    return "".join(f"#include <{header}>\n" for header in HEADERS)


def command(compiler: str, root: str, *options: str) -> list[str]:
    return [compiler, "-std=c11", f"-I{root}/include", f"-I{root}", *options, "-xc", "-"]


def declarations(compiler: str, root: str) -> str:
    lines, ours = [], False
    for line in subprocess.run(
        command(compiler, root, "-E", "-DKILN_STATIC", "-U__GNUC__"),
        input=includes(),
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    ).stdout.splitlines():
        marker = re.match(r'# \d+ "(.*?)"', line)
        if marker:  # which file the lines that follow are of; the system's types cffi knows
            ours = marker[1].endswith(tuple(HEADERS)) or Path(marker[1]).parent.name == "kiln"
        elif ours:
            lines.append(line)
    text = re.sub(r"_Static_assert\(.*?\);", "", "\n".join(lines), flags=re.DOTALL)
    return re.sub(r"static inline [^;{]*\{[^{}]*\}", "", text)  # in no library


def members(ffi: cffi.FFI, struct: str):
    fields = ffi.typeof(struct).fields
    return [(name, field.offset, ffi.sizeof(field.type)) for name, field in fields or [] if name]


def assertions(ffi: cffi.FFI) -> str:
    """C that compiles only where structs are what cffi takes them for."""
    lines = [includes(), "#include <stddef.h>"]
    for name in ffi.list_types()[0]:
        type_of = ffi.typeof(name)
        if type_of.kind != "struct" or type_of.fields is None:
            continue  # an opaque one
        lines.append(f'_Static_assert(sizeof({name}) == {ffi.sizeof(name)}, "{name}");')
        for member, offset, size in members(ffi, name):
            lines.append(f'_Static_assert(offsetof({name}, {member}) == {offset}, "{name}");')
            lines.append(f'_Static_assert(sizeof((({name} *)0)->{member}) == {size}, "{name}");')
    return "\n".join(lines) + "\n"


def main(compiler: str, root: str, output: str) -> None:
    ffi = cffi.FFI()
    ffi.cdef(declarations(compiler, root))
    subprocess.run(
        command(compiler, root, "-fsyntax-only"), input=assertions(ffi), text=True, check=True
    )
    ffi.set_source("kiln._declarations", None)  # ABI mode: nothing to compile, here or there
    ffi.emit_python_code(output)


if __name__ == "__main__":
    main(*sys.argv[1:])
