"""Pictures: pixels in arrays, or encoded in files, as Kiln's images."""

from __future__ import annotations

import os
from typing import Any, BinaryIO, Union

import numpy as np

from ._native import PathLike, call, ffi, lib, path_bytes

Pixels = np.ndarray[Any, np.dtype[np.uint8]]
Encoded = Union[bytes, bytearray, memoryview]  # what is in a picture's file
Picture = Union[Pixels, PathLike, Encoded, BinaryIO]

_ENCODED = (bytes, bytearray, memoryview)

_FORMATS = {
    ("rgb", 3): lib.KILN_IMAGE_RGB,
    ("rgb", 4): lib.KILN_IMAGE_RGBA,
    ("bgr", 3): lib.KILN_IMAGE_BGR,
    ("bgr", 4): lib.KILN_IMAGE_BGRA,
    ("rgb", 1): lib.KILN_IMAGE_GRAY,
    ("bgr", 1): lib.KILN_IMAGE_GRAY,
}


def picture_file(source: Union[PathLike, Encoded], keep: list[Any]) -> dict[str, Any]:
    """A kiln_picture_file; what it points to is kept alive by `keep`."""
    if isinstance(source, _ENCODED):
        keep.append(ffi.from_buffer(source))
        return {"bytes": {"data": keep[-1], "size": len(keep[-1])}}
    keep.append(ffi.new("char[]", path_bytes(source)))
    return {"path": keep[-1]}


def read_picture(source: Union[PathLike, Encoded, BinaryIO]) -> Pixels:
    """The pixels of a picture file (or of its bytes) as RGB, [height, width, 3], upright: JPEG, PNG,
    WebP, GIF, BMP, PGM and PPM, as the kiln command reads them.

    Raises FileError where a file cannot be read, FormatError where it is no picture or a damaged
    one, UnsupportedError for other kinds of pictures, and those of too many pixels or too few."""
    content = source if isinstance(source, (str, os.PathLike, *_ENCODED)) else source.read()
    keep: list[Any] = []
    image = ffi.new("kiln_image *")
    call(lib.kiln_picture_read, ffi.new("kiln_picture_file *", picture_file(content, keep)), image)
    pixels = ffi.gc(image.pixels, lib.kiln_picture_free)
    shape = (image.height, image.width, 3)
    held = ffi.buffer(pixels, int(np.prod(shape)))  # holds them, and is held by the array
    return np.frombuffer(held, np.uint8).reshape(shape)


def as_pixels(picture: Picture) -> Pixels:
    """[height, width] or [height, width, 1, 3 or 4], rows without gaps between their pixels."""
    pixels = picture if isinstance(picture, np.ndarray) else read_picture(picture)
    if pixels.dtype != np.uint8 or pixels.ndim not in (2, 3) or not pixels.size:
        raise ValueError(
            f"a picture of {pixels.dtype} {pixels.shape}; expected uint8 [height, width, 3]"
        )
    channels = pixels.shape[2] if pixels.ndim == 3 else 1
    row = pixels.strides[1:] == ((channels, 1) if pixels.ndim == 3 else (1,))
    if not row or pixels.strides[0] < pixels.shape[1] * channels:
        pixels = np.ascontiguousarray(pixels)  # mirrored, or every other pixel
    return pixels


def image_of(pixels: Pixels, order: str = "rgb") -> Any:
    """A kiln_image over an array's own memory, which the caller keeps alive."""
    channels = pixels.shape[2] if pixels.ndim == 3 else 1
    if (order, channels) not in _FORMATS:
        raise ValueError(f'{channels} channels, order "{order}"; expected 1, 3 or 4, "rgb" or "bgr"')
    return ffi.new(
        "kiln_image *",
        {
            "format": _FORMATS[order, channels],
            "width": pixels.shape[1],
            "height": pixels.shape[0],
            "pixels": ffi.cast("uint8_t *", pixels.ctypes.data),
            "stride": pixels.strides[0],
        },
    )
