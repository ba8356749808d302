"""Datasets as (label, image bytes): Debian's Fashion-MNIST, and the shared zips where they are there."""

import gzip
import random
import struct
import unittest
import zipfile

from harness import SHARED, png

FASHION = "/usr/share/datasets/fashion-mnist"
FASHION_NAMES = ["T-shirt", "trouser", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "ankle boot"]


def fashion_mnist(part, per_class):
    """{label: [png]} of the first images of each class; `part` is train or t10k."""
    try:
        with gzip.open(f"{FASHION}/{part}-images-idx3-ubyte.gz") as file:
            _, count, height, width = struct.unpack(">IIII", file.read(16))
            pixels = file.read(min(count, per_class * 40) * height * width)
        with gzip.open(f"{FASHION}/{part}-labels-idx1-ubyte.gz") as file:
            labels = file.read()[8:]
    except OSError:
        raise unittest.SkipTest(f"{FASHION} is not there: apt-get install dataset-fashion-mnist") from None
    found = {name: [] for name in FASHION_NAMES}
    size = height * width
    for index in range(len(pixels) // size):
        images = found[FASHION_NAMES[labels[index]]]
        if len(images) < per_class:
            images.append(png(width, height, pixels[index * size : (index + 1) * size], channels=1))
    return found


def shared_zip(name):
    path = SHARED / name
    if not path.exists():
        raise unittest.SkipTest(f"{path} is not there: shared data is no part of the package")
    return zipfile.ZipFile(path)


def tiny_imagenet(shots, test, order_seed, draw_seed):
    """[(class, [images to learn], [images to test])]: classes by sorted id, then shuffled by `order_seed`; the images
    to learn are drawn by `draw_seed`."""
    with shared_zip("tiny-imagenet-50.zip") as archive:
        names = {"train": {}, "test": {}}
        for entry in sorted(archive.namelist()):
            parts = entry.split("/")
            for part in names:
                if part in parts and entry.lower().endswith((".jpeg", ".jpg", ".png")):
                    names[part].setdefault(parts[parts.index(part) + 1], []).append(entry)
        classes = sorted(names["train"])
        random.Random(order_seed).shuffle(classes)
        draw = random.Random(draw_seed)
        found = []
        for name in classes:
            chosen = sorted(draw.sample(names["train"][name], min(shots, len(names["train"][name]))))
            tested = names["test"][name][:test]
            found.append((name, [archive.read(e) for e in chosen], [archive.read(e) for e in tested]))
        return found
