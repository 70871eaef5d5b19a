"""Pictures: pixels in arrays, or files that Pillow reads, as Kiln's images."""

from __future__ import annotations

import io
from typing import Any, BinaryIO, Union

import numpy as np

from ._native import PathLike, ffi, lib

Pixels = np.ndarray[Any, np.dtype[np.uint8]]
Picture = Union[Pixels, PathLike, bytes, BinaryIO]

_FORMATS = {
    ("rgb", 3): lib.KILN_IMAGE_RGB,
    ("rgb", 4): lib.KILN_IMAGE_RGBA,
    ("bgr", 3): lib.KILN_IMAGE_BGR,
    ("bgr", 4): lib.KILN_IMAGE_BGRA,
    ("rgb", 1): lib.KILN_IMAGE_GRAY,
    ("bgr", 1): lib.KILN_IMAGE_GRAY,
}


def read_picture(source: Union[PathLike, bytes, BinaryIO]) -> Pixels:
    """The pixels of a picture file (or of its bytes) as RGB, [height, width, 3], upright.

    Needs Pillow (pip install kiln[pictures]). Raises OSError or ValueError where it is no picture,
    or one of too many pixels (Pillow's limit)."""
    try:
        from PIL import Image, ImageOps
    except ImportError as missing:
        raise ImportError("reading picture files needs Pillow: pip install kiln[pictures]") from missing
    file = io.BytesIO(source) if isinstance(source, bytes) else source
    try:
        with Image.open(file) as opened:
            upright = ImageOps.exif_transpose(opened) or opened
            if upright.mode.startswith("I;16"):  # convert would cut, not scale
                upright = upright.point(lambda value: value / 256).convert("L")
            return np.asarray(upright.convert("RGB"))
    except Image.DecompressionBombError as bomb:
        raise ValueError(str(bomb)) from bomb
    except (SyntaxError, EOFError) as damaged:  # what some of Pillow's readers raise
        raise ValueError(f"a damaged picture: {damaged}") from damaged


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
