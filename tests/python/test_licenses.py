"""What is inside the wheel comes with its licence."""

import importlib.metadata
import re
from pathlib import Path

import kiln


def test_each_library_inside_has_its_licence():
    distribution = importlib.metadata.distribution("kiln")
    named = distribution.metadata.get_all("License-File")
    texts = {
        file.name: file.read_text()
        for file in distribution.files
        if file.parent.name == "licenses"
    }
    assert sorted(texts) == sorted(named)
    libraries = list((Path(kiln.__file__).parents[1] / "kiln.libs").iterdir())
    names = [re.sub(r"-[0-9a-f]{8}\.so.*", ".txt", library.name) for library in libraries]
    assert {"libXNNPACK.txt", "libcpuinfo.txt", "libjpeg.txt"} <= set(names)
    assert sorted([*names, "xxhash.txt"]) == sorted(named)
    assert all("opyright" in text for text in texts.values())


def test_nothing_inside_asks_for_the_source():
    """x265 and jbigkit (GPL) would come with Debian's libheif and libtiff."""
    libraries = {file.name.split("-")[0] for file in (Path(kiln.__file__).parents[1] / "kiln.libs").iterdir()}
    assert not libraries & {"libx265", "libjbig", "libheif", "libtiff"}
