#!/usr/bin/env python3
"""Pictures of every kind that Kiln reads, its pixels beside Pillow's.

    python3 tests/peers/pictures.py build/release/compiler/cli/kiln [PHOTO...]

Pillow writes each kind (from photographs, or from a drawn picture), reads it again (upright by EXIF,
as RGB, alpha dropped) and Kiln runs a network that changes nothing on the same file. Where both
have one decoder's arithmetic the pixels are the same; where they do not (AVIF: libheif repeats chroma
that was halved, libavif interpolates it) the mean difference is bounded. Exit status 1 when one is
not. Needs numpy, onnx and Pillow; HEIC also pillow-heif.
"""
import os
import subprocess
import sys
import tempfile

import numpy as np
import onnx
from onnx import TensorProto, helper
from PIL import Image, ImageOps

try:
    import pillow_heif
    pillow_heif.register_heif_opener()
except ImportError:
    pillow_heif = None


def drawn():
    y, x = np.mgrid[0:93, 0:130].astype(np.float64)
    rgb = np.stack([128 + 127 * np.sin(x / 9 + y / 31), 255 * x / 129, 255 * y / 92], 2)
    rgb[20:50, 30:70] = (250, 20, 40)
    return Image.fromarray(rgb.astype(np.uint8))


def with_alpha(picture):
    """Opaque at the left, and less and less so."""
    alpha = np.linspace(255, 1, picture.width).astype(np.uint8)
    picture = picture.convert("RGBA")
    picture.putalpha(Image.fromarray(np.tile(alpha, (picture.height, 1))))
    return picture


def sixteen(picture):
    return Image.fromarray((np.asarray(picture.convert("L"), np.uint16) * 257))


def kinds(picture):
    """Name, what is saved, how; the mean difference that is allowed."""
    exif = Image.Exif()
    exif[0x112] = 6
    palette = picture.quantize(200)
    rows = [
        ("png", "plain.png", picture, {}, 0),
        ("png of 16 bits", "16.png", sixteen(picture), {}, 1),
        ("png with alpha", "alpha.png", with_alpha(picture), {}, 0),
        ("png turned", "turned.png", picture, {"exif": exif}, 0),
        ("jpeg", "plain.jpg", picture, {"quality": 90}, 0.5),
        ("jpeg turned", "turned.jpg", picture, {"quality": 90, "exif": exif}, 0.5),
        ("jpeg of inks", "cmyk.jpg", picture.convert("CMYK"), {"quality": 95}, 1),
        ("bmp", "plain.bmp", picture, {}, 0),
        ("bmp with a palette", "palette.bmp", palette, {}, 0),
        ("bmp of 1 bit", "1.bmp", picture.convert("1"), {}, 0),
        ("bmp, gray", "gray.bmp", picture.convert("L"), {}, 0),
        ("bmp of 32 bits", "32.bmp", with_alpha(picture), {}, 0),
        ("gif", "plain.gif", palette, {}, 0),
        ("gif, interlaced", "interlaced.gif", palette, {"interlace": 1}, 0),
        ("gif, animated", "animated.gif", palette,
         {"save_all": True, "append_images": [ImageOps.mirror(picture).quantize(50)]}, 0),
        ("webp", "plain.webp", picture, {"quality": 90}, 0.5),
        ("webp without loss", "lossless.webp", picture, {"lossless": True}, 0),
        ("webp with alpha", "alpha.webp", with_alpha(picture),
         {"lossless": True, "exact": True}, 0),
        ("webp turned", "turned.webp", picture, {"lossless": True, "exif": exif}, 0),
        ("webp, animated", "animated.webp", picture,
         {"lossless": True, "save_all": True, "append_images": [ImageOps.mirror(picture)]}, 0),
        ("avif", "plain.avif", picture, {"quality": 90}, 3),
        ("avif, chroma whole", "444.avif", picture, {"quality": 90, "subsampling": "4:4:4"}, 1),
        ("avif turned", "turned.avif", picture, {"quality": 90, "exif": exif}, 3),
        ("tiff", "plain.tiff", picture, {}, 0),
        ("tiff turned", "turned.tiff", picture, {"exif": exif}, 0),
        ("tiff with alpha", "alpha.tiff", with_alpha(picture), {}, 0),
        ("tiff of inks", "cmyk.tiff", picture.convert("CMYK"), {}, 1),
        ("tiff of 16 bits", "16.tiff", sixteen(picture), {}, 1),
        ("tiff, gray", "gray.tiff", picture.convert("L"), {}, 0),
        ("tiff of 1 bit", "1.tiff", picture.convert("1"), {"compression": "group4"}, 0),
        ("tiff with a palette", "palette.tiff", palette, {}, 0),
    ]
    for method in "tiff_lzw", "tiff_adobe_deflate", "packbits", "jpeg", "zstd":
        rows.append((f"tiff, {method}", f"{method}.tiff", picture, {"compression": method},
                     0.5 if method == "jpeg" else 0))
    if pillow_heif is not None:
        rows += [("heic", "plain.heic", picture, {"quality": 95}, 1.5),
                 ("heic turned", "turned.heic", picture, {"quality": 95, "exif": exif}, 1.5)]
    return rows


def as_pillow(path):
    picture = Image.open(path)
    picture.seek(0)
    picture = ImageOps.exif_transpose(picture)
    if picture.mode in ("I;16", "I;16B", "I"):
        return np.repeat(np.asarray(picture, np.float64)[:, :, None] / 257, 3, 2)
    if picture.mode == "CMYK" and not path.endswith(".jpg"):
        inks = 255 - np.asarray(picture, np.float64)
        return inks[:, :, :3] * inks[:, :, 3:] / 255
    return np.asarray(picture.convert("RGB"), np.float64)


def as_kiln(kiln, path, shape, folder):
    height, width, _ = shape
    ends = [helper.make_tensor_value_info(n, TensorProto.FLOAT, [1, 3, height, width])
            for n in ("x", "y")]
    node = helper.make_node("Mul", ["x", "one"], ["y"])
    one = helper.make_tensor("one", TensorProto.FLOAT, [1], [1.0])
    model = helper.make_model(helper.make_graph([node], "g", ends[:1], ends[1:], [one]),
                              opset_imports=[helper.make_opsetid("", 13)])
    model.ir_version = 8
    net, plan, out = (os.path.join(folder, n) for n in ("net.onnx", "net.plan", "out"))
    onnx.save(model, net)
    subprocess.run([kiln, "compile", net, "-o", plan, "-q", "--mean", "0", "--std", "1"],
                   check=True)
    run = subprocess.run([kiln, "run", plan, path, "--output", out], capture_output=True, text=True)
    if run.returncode != 0:
        return run.stderr.strip()
    return np.load(os.path.join(out, os.listdir(out)[0]))[0].transpose(1, 2, 0)


def main():
    kiln, failed = sys.argv[1], 0
    pictures = [Image.open(p).convert("RGB") for p in sys.argv[2:]] or [drawn()]
    for picture in pictures:
        for name, file, saved, options, bound in kinds(picture):
            with tempfile.TemporaryDirectory() as folder:
                path = os.path.join(folder, file)
                try:
                    saved.save(path, **options)
                except (OSError, KeyError, ValueError) as why:
                    print(f"{name}: not written by Pillow ({why})")
                    continue
                expected = as_pillow(path)
                found = as_kiln(kiln, path, expected.shape, folder)
                if isinstance(found, str):
                    print(f"FAILED: {name}: {found}")
                    failed = 1
                    continue
                difference = np.abs(found - expected)
                good = difference.mean() <= bound
                failed |= not good
                print(f"{'' if good else 'FAILED: '}{name}: mean {difference.mean():.3f}, "
                      f"most {difference.max():.0f}")
    sys.exit(failed)


main()
