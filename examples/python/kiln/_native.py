"""The library, and what every call of it shares: errors, texts, options, element types."""

from __future__ import annotations

import os
import weakref
from pathlib import Path
from typing import Any, Callable, Union

import numpy as np

from ._declarations import ffi as ffi
from .errors import CLASSES, Error

PathLike = Union[str, "os.PathLike[str]"]

lib = ffi.dlopen(str(Path(__file__).parent / "libkiln.so"))


# Computation is in float32; bfloat16, which numpy does not know, is passed as its bits.
DTYPES: dict[int, np.dtype[Any]] = {
    lib.KILN_F32: np.dtype(np.float32),
    lib.KILN_F64: np.dtype(np.float64),
    lib.KILN_F16: np.dtype(np.float16),
    lib.KILN_BF16: np.dtype(np.uint16),
    lib.KILN_BOOL: np.dtype(np.bool_),
    lib.KILN_I64: np.dtype(np.int64),
    lib.KILN_I32: np.dtype(np.int32),
    lib.KILN_I16: np.dtype(np.int16),
    lib.KILN_I8: np.dtype(np.int8),
    lib.KILN_U64: np.dtype(np.uint64),
    lib.KILN_U32: np.dtype(np.uint32),
    lib.KILN_U16: np.dtype(np.uint16),
    lib.KILN_U8: np.dtype(np.uint8),
}


def call(function: Callable[..., int], *arguments: Any) -> None:
    """Calls what returns a kiln_status; one that is not KILN_OK is raised with Kiln's own text.

    The interpreter's lock is not held meanwhile (cffi releases it around each call)."""
    error = ffi.new("kiln_error *")
    status = function(*arguments, error)
    if status != lib.KILN_OK:
        raise CLASSES[status](text(error.message))


def error_of(error: Any) -> Error | None:
    """What a kiln_error tells; None: all is well."""
    return None if error.status == lib.KILN_OK else CLASSES[error.status](text(error.message))


def text(value: Any) -> str:
    """Names come from files, which may hold anything."""
    return ffi.string(value).decode("utf-8", "backslashreplace")  # type: ignore[no-any-return]


def optional_text(value: Any) -> str | None:
    return None if value == ffi.NULL else text(value)


def path_bytes(path: PathLike) -> bytes:
    return os.fsencode(path)


def options(name: str, **members: Any) -> Any:
    """A struct of options, which begins with its own size; what is not given is zero, the default."""
    return ffi.new(f"{name} *", {"size": ffi.sizeof(name), **members})


def owned(pointer: Any, release: Callable[[Any], None], *needs: Any) -> Any:
    """A handle that is released with the last reference to it, before any of what it needs: that is
    kept by the finalizer, since a collector that breaks a cycle keeps to no order."""
    same = ffi.cast(ffi.typeof(pointer), pointer)  # the handle itself would never die
    weakref.finalize(pointer, _release, release, same, needs).atexit = False
    return pointer


def _release(release: Callable[[Any], None], pointer: Any, _needs: tuple[Any, ...]) -> None:
    release(pointer)


def buffer(array: np.ndarray[Any, Any], writable: bool = False) -> dict[str, Any]:
    """A kiln_buffer over an array's own memory: C-contiguous, and kept alive by the caller."""
    if not array.size:
        return {"data": ffi.NULL, "size": 0}
    data = ffi.cast("void *", array.ctypes.data)
    if writable and not array.flags.writeable:
        raise ValueError("an output array must be writable")
    return {"data": data, "size": array.nbytes}
