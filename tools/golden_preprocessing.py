#!/usr/bin/env python3
"""Writes Tests/ModelTests/Golden/preprocessing: images of every kind and what Pillow makes of them.

Needs numpy and Pillow (13.0.0 wrote the committed files) and, for the one YCCK file, libturbojpeg.
Run from the repository's root: tools/golden_preprocessing.py

manifest.json lists each file with its expected image (PNG), a digest of that image's raw bytes, and crops of it:
short side to `size` with Image.resize(BICUBIC), long side int(size * long / short), centre crop at (long - size) // 2.
"""

import ctypes
import ctypes.util
import json
import struct
import sys
import zlib
from pathlib import Path

import numpy
from PIL import Image, ImageOps

ROOT = Path("Tests/ModelTests/Golden/preprocessing")
entries = []


def picture(width, height, seed=1):
    """Gradients, edges and some noise: RGB [height, width, 3]."""
    y, x = numpy.mgrid[0:height, 0:width].astype(float)
    u, v = x / max(width - 1, 1), y / max(height - 1, 1)
    image = numpy.stack([255 * u, 255 * v, 255 * (0.5 + 0.5 * numpy.sin(9 * u + 5 * v))], axis=2)
    disc = (u - 0.6) ** 2 + (v - 0.4) ** 2 < 0.05
    image[disc] = [230, 40, 60]
    image[(numpy.floor(8 * u) + numpy.floor(8 * v)) % 5 == 0] *= 0.4
    image += numpy.random.default_rng(seed).normal(0, 4, image.shape)
    return image.clip(0, 255).astype(numpy.uint8)


def png(path, samples, color, depth=8, interlaced=False, palette=None, transparency=None, exif=None, extra=()):
    """Writes what Pillow does not: any depth, Adam7, chunks. samples: [height, width, channels], unpacked."""
    height, width = samples.shape[:2]

    def pack(block):
        rows = []
        for row in block:
            flat = row.reshape(-1)
            if depth == 16:
                data = flat.astype(">u2").tobytes()
            elif depth == 8:
                data = flat.astype(numpy.uint8).tobytes()
            else:
                bits = "".join(format(int(value), f"0{depth}b") for value in flat)
                bits += "0" * (-len(bits) % 8)
                data = bytes(int(bits[i : i + 8], 2) for i in range(0, len(bits), 8))
            rows.append(b"\0" + data)
        return b"".join(rows)

    if interlaced:
        starts = [(0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)]
        raw = b""
        for left, top, across, down in starts:
            block = samples[top::down, left::across]
            if block.size:
                raw += pack(block)
    else:
        raw = pack(samples)

    def chunk(name, data):
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    out = b"\x89PNG\r\n\x1a\n"
    out += chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, color, 0, 0, int(interlaced)))
    if palette is not None:
        out += chunk(b"PLTE", palette.astype(numpy.uint8).tobytes())
    if transparency is not None:
        out += chunk(b"tRNS", transparency)
    if exif is not None:
        out += chunk(b"eXIf", exif)
    for name, data in extra:
        out += chunk(name, data)
    out += chunk(b"IDAT", zlib.compress(raw, 9)) + chunk(b"IEND", b"")
    path.write_bytes(out)


def upright(path):
    return ImageOps.exif_transpose(Image.open(path)).convert("RGB")


def crop(image, size):
    width, height = image.size
    short = min(width, height)
    width, height = (int(size * side / short) for side in (width, height))
    left, top = (width - size) // 2, (height - size) // 2
    resized = image.resize((width, height), Image.Resampling.BICUBIC)
    return resized.crop((left, top, left + size, top + size))


def digest(image):
    """FNV-1a, 64 bits, of the raw RGB bytes: short enough to restate in the test."""
    value = 0xCBF29CE484222325
    for byte in image.tobytes():
        value = (value ^ byte) * 0x100000001B3 & 0xFFFFFFFFFFFFFFFF
    return f"{value:016x}"


def add(name, crops=(), expected=None, store=True):
    """Records a file that has been written."""
    image = upright(ROOT / name) if expected is None else expected
    entry = {"file": name, "width": image.width, "height": image.height, "digest": digest(image), "crops": []}
    if store:
        entry["expected"] = f"{name}.expected.png"
        image.save(ROOT / entry["expected"], optimize=True)
    for size in crops:
        cropped = crop(image, size)
        file = f"{name}.crop{size}.png"
        cropped.save(ROOT / file, optimize=True)
        entry["crops"].append({"size": size, "expected": file, "digest": digest(cropped)})
    entries.append(entry)


def exif_block(orientation, order=">"):
    mark = b"MM" if order == ">" else b"II"
    return mark + struct.pack(order + "HIHHHIHHI", 42, 8, 1, 0x0112, 3, 1, orientation, 0, 0)


def jpeg_files():
    small = Image.fromarray(picture(61, 43))
    small.save(ROOT / "rgb444.jpg", quality=90, subsampling=0)
    add("rgb444.jpg", crops=[32])
    small.save(ROOT / "rgb422.jpg", quality=75, subsampling=1)
    add("rgb422.jpg")
    small.save(ROOT / "rgb420.jpg", quality=75, subsampling=2)
    add("rgb420.jpg")
    small.save(ROOT / "progressive.jpg", quality=80, progressive=True)
    add("progressive.jpg")
    small.save(ROOT / "restarts.jpg", quality=80, restart_marker_rows=1)
    add("restarts.jpg")
    small.save(ROOT / "keep-rgb.jpg", quality=90, keep_rgb=True)
    add("keep-rgb.jpg")
    small.convert("L").save(ROOT / "grey.jpg", quality=85)
    add("grey.jpg")
    inks = numpy.concatenate([255 - picture(61, 43), picture(61, 43, 2)[:, :, :1] // 2], axis=2)
    Image.fromarray(inks, "CMYK").save(ROOT / "cmyk.jpg", quality=90)
    add("cmyk.jpg")
    ycck(ROOT / "ycck.jpg", 255 - inks)
    add("ycck.jpg")
    for orientation in range(1, 9):
        name = f"orientation{orientation}.jpg"
        exif = b"Exif\0\0" + exif_block(orientation, "<" if orientation % 2 else ">")
        Image.fromarray(picture(25, 17)).save(ROOT / name, quality=85, exif=exif)
        add(name)
    xmp = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:Description tiff:Orientation="6"/></x:xmpmeta>'
    Image.fromarray(picture(25, 17)).save(ROOT / "xmp-orientation.jpg", quality=85, xmp=xmp)
    add("xmp-orientation.jpg")
    # Sizes: photographs' proportions, elongated, tiny. The expected image is checked by its digest only.
    Image.fromarray(picture(640, 479)).save(ROOT / "large.jpg", quality=80)
    add("large.jpg", crops=[32, 160], store=False)
    Image.fromarray(picture(12, 700)).save(ROOT / "tall.jpg", quality=90, subsampling=0)
    add("tall.jpg", crops=[32], store=False)
    Image.fromarray(picture(901, 5)).save(ROOT / "wide.jpg", quality=90, subsampling=0)
    add("wide.jpg", crops=[32, 160], store=False)
    Image.fromarray(picture(64, 64)).save(ROOT / "square64.jpg", quality=90, subsampling=0)
    add("square64.jpg", crops=[160, 64], store=False)
    Image.fromarray(picture(1, 1)).save(ROOT / "one.jpg")
    add("one.jpg", crops=[32])


def ycck(path, samples):
    """libturbojpeg compresses CMYK as YCCK with Adobe's marker; samples are stored as they are."""
    library = ctypes.CDLL(ctypes.util.find_library("turbojpeg"))
    library.tjInitCompress.restype = ctypes.c_void_p
    handle = ctypes.c_void_p(library.tjInitCompress())
    samples = numpy.ascontiguousarray(samples)
    height, width = samples.shape[:2]
    out, size = ctypes.POINTER(ctypes.c_ubyte)(), ctypes.c_ulong(0)
    cmyk, full = 11, 0
    status = library.tjCompress2(
        handle, samples.ctypes.data_as(ctypes.c_void_p), width, 0, height, cmyk, ctypes.byref(out), ctypes.byref(size),
        full, 90, 0)
    assert status == 0
    path.write_bytes(bytes(out[: size.value]))
    library.tjFree(out)
    library.tjDestroy(handle)


def png_files():
    rgb = picture(37, 29)
    grey = rgb[:, :, :1]
    alpha = picture(37, 29, 3)[:, :, 2:]
    palette = picture(16, 16, 4).reshape(256, 3)
    wide = rgb.astype(numpy.uint16) * 256 + picture(37, 29, 5)
    wide_alpha = alpha.astype(numpy.uint16) * 257
    for interlaced in (False, True):
        suffix = "-interlaced" if interlaced else ""
        for depth in (1, 2, 4, 8):
            name = f"grey{depth}{suffix}.png"
            png(ROOT / name, grey >> (8 - depth), 0, depth, interlaced)
            add(name)
            name = f"palette{depth}{suffix}.png"
            png(ROOT / name, grey >> (8 - depth), 3, depth, interlaced, palette=palette[: 2**depth])
            add(name)
        # Pillow clips 16-bit grey at 255 when it converts to RGB; the high byte is expected here.
        name = f"grey16{suffix}.png"
        png(ROOT / name, wide[:, :, :1], 0, 16, interlaced)
        add(name, expected=Image.fromarray((wide[:, :, 0] >> 8).astype(numpy.uint8)).convert("RGB"))
        for name, color, depth, samples in (
            ("grey-alpha8", 4, 8, numpy.concatenate([grey, alpha], 2)),
            ("grey-alpha16", 4, 16, numpy.concatenate([wide[:, :, :1], wide_alpha], 2)),
            ("rgb8", 2, 8, rgb),
            ("rgb16", 2, 16, wide),
            ("rgba8", 6, 8, numpy.concatenate([rgb, alpha], 2)),
            ("rgba16", 6, 16, numpy.concatenate([wide, wide_alpha], 2)),
        ):
            name = f"{name}{suffix}.png"
            png(ROOT / name, samples, color, depth, interlaced)
            add(name)
    png(ROOT / "palette-transparent.png", grey, 3, 8, palette=palette, transparency=bytes(range(256)))
    add("palette-transparent.png")
    png(ROOT / "grey-key.png", grey, 0, 8, transparency=struct.pack(">H", int(grey[0, 0, 0])))
    add("grey-key.png")
    png(ROOT / "rgb-key.png", rgb, 2, 8, transparency=struct.pack(">HHH", *map(int, rgb[0, 0])))
    add("rgb-key.png")
    png(ROOT / "exif6.png", picture(25, 17), 2, 8, exif=exif_block(6))
    add("exif6.png")
    # 16 MiB of text and of colour profile in a few kilobytes: to be skipped. Pillow refuses the file.
    bomb = zlib.compress(bytes(1 << 24), 9)
    extra = [(b"zTXt", b"Comment\0\0" + bomb), (b"iCCP", b"profile\0\0" + bomb)]
    png(ROOT / "text-bomb.png", picture(9, 7), 2, 8, extra=extra)
    add("text-bomb.png", expected=Image.fromarray(picture(9, 7)))
    png(ROOT / "tiny.png", picture(3, 2), 2, 8, interlaced=True)
    add("tiny.png", crops=[32])


def webp_files():
    rgb = picture(61, 43)
    alpha = picture(61, 43, 3)[:, :, 2:]
    rgba = Image.fromarray(numpy.concatenate([rgb, alpha], 2), "RGBA")
    Image.fromarray(rgb).save(ROOT / "lossy.webp", quality=80)
    add("lossy.webp", crops=[32])
    Image.fromarray(rgb).save(ROOT / "lossless.webp", lossless=True)
    add("lossless.webp")
    rgba.save(ROOT / "lossy-alpha.webp", quality=80)
    add("lossy-alpha.webp")
    rgba.save(ROOT / "lossless-alpha.webp", lossless=True, exact=True)
    add("lossless-alpha.webp")
    Image.fromarray(picture(25, 17)).save(ROOT / "exif8.webp", lossless=True, exif=exif_block(8))
    add("exif8.webp")
    frames = [Image.fromarray(picture(25, 17, seed)) for seed in range(3)]
    frames[0].save(ROOT / "animated.webp", save_all=True, append_images=frames[1:], duration=50, lossless=True)
    add("animated.webp")


def main():
    ROOT.mkdir(parents=True, exist_ok=True)
    for old in ROOT.iterdir():
        old.unlink()
    jpeg_files()
    png_files()
    webp_files()
    (ROOT / "manifest.json").write_text(json.dumps(entries, indent=1) + "\n")
    total = sum(file.stat().st_size for file in ROOT.iterdir())
    print(f"{len(entries)} files, {total / 1024:.0f} KiB in all", file=sys.stderr)


main()
