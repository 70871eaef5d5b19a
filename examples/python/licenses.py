"""Puts the licence texts of the libraries inside a wheel into it: licenses.py RAW REPAIRED FOLDER.

RAW is a wheel whose library finds others on this machine, REPAIRED what auditwheel has made of it,
which holds these; that with their licences is written to FOLDER. The texts are Debian's copyright files of the packages that the libraries come
from, and of what is compiled into Kiln (xxHash's header). They lie in the wheel's metadata
(dist-info/licenses), which names them (License-File, PEP 639).
"""

import re
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

INLINE = {"xxhash": "libxxhash-dev"}


def run(*command: str) -> str:
    return subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout


def stem(library: str) -> str:
    """libpng16 of libpng16.so.16, and of libpng16-0a0c6ccf.so.16.39.0, as auditwheel names it."""
    return re.sub(r"(-[0-9a-f]{8})?\.so.*", "", library)


def package_of(path: Path) -> str:
    """The Debian package that a file is of; what /lib holds may be listed as of /usr/lib."""
    for name in (str(path), str(path).removeprefix("/usr")):
        found = subprocess.run(["dpkg", "-S", name], stdout=subprocess.PIPE, text=True, check=False)
        if found.returncode == 0:
            return found.stdout.split(":")[0]
    sys.exit(f"licenses.py: {path} is of no Debian package: whose licence is it under?")


def texts(vendored: Path, library: str) -> dict[str, str]:
    """By library inside the wheel, its licence."""
    loaded = dict(re.findall(r"(\S+) => (\S+)", run("ldd", library)))
    paths = {stem(name): Path(path).resolve() for name, path in loaded.items()}
    packages = {stem(file.name): package_of(paths[stem(file.name)]) for file in vendored.iterdir()}
    return {
        name: Path(f"/usr/share/doc/{package}/copyright").read_text(encoding="utf-8")
        for name, package in {**packages, **INLINE}.items()
    }


def add(metadata: Path, found: dict[str, str]) -> None:
    """The texts beside the metadata, and their names in it."""
    folder = metadata.parent / "licenses"
    folder.mkdir()
    for name, text in found.items():
        (folder / f"{name}.txt").write_text(text, encoding="utf-8")
    head, _, body = metadata.read_text(encoding="utf-8").partition("\n\n")
    head = re.sub("^Metadata-Version: .*", "Metadata-Version: 2.4", head)
    names = "".join(f"\nLicense-File: {name}.txt" for name in sorted(found))
    metadata.write_text(f"{head}{names}\n\n{body}", encoding="utf-8")


def main(raw: str, repaired: str, folder: str) -> None:
    with tempfile.TemporaryDirectory() as work:
        run(sys.executable, "-m", "wheel", "unpack", "-d", work, repaired)
        (root,) = Path(work).iterdir()
        library = zipfile.ZipFile(raw).extract("kiln/libkiln.so", work)
        (metadata,) = root.glob("*.dist-info/METADATA")
        add(metadata, texts(root / "kiln.libs", library))
        run(sys.executable, "-m", "wheel", "pack", "-d", folder, str(root))


if __name__ == "__main__":
    main(*sys.argv[1:])
