# SPDX-License-Identifier: LGPL-2.1-or-later
"""What the built-in network learns from: procedural pictures and photographs, and crops of them."""
import io
import pathlib
import zipfile
from concurrent.futures import ProcessPoolExecutor

import numpy as np
from PIL import Image, ImageFilter

import procedural

LONGEST = 512  # a photograph is brought to this before it is kept
LEAST = 96     # smaller ones are icons
ENDINGS = (".jpg", ".jpeg", ".png", ".tga")
ARCHIVES = (".pk3", ".zip")
# Not what a camera sees: maps of bumps, gloss and light, flags and fonts.
UNWANTED = ("norm", "_nm", "gloss", "bump", "_glow", "_spec", "_local", "font", "flag", "screenshot")
Image.MAX_IMAGE_PIXELS = 60_000_000


def _kept(data, draw):
    """A picture as it is kept, or None where it isn't one to learn from."""
    try:
        image = Image.open(io.BytesIO(data))
        image.draft("RGB", (2 * LONGEST, 2 * LONGEST))
        if min(image.size) < LEAST:
            return None
        image = image.convert("RGBA")
    except (OSError, ValueError, Image.DecompressionBombError):
        return None
    ground = Image.new("RGBA", image.size, tuple(draw.integers(0, 256, 3)) + (255,))
    image = Image.alpha_composite(ground, image).convert("RGB")
    image.thumbnail((LONGEST, LONGEST), Image.Resampling.BOX)
    if min(image.size) < LEAST or np.asarray(image).std() < 4:
        return None
    return np.asarray(image)


def _files(source):
    """Names and bytes of all pictures below a folder and in the archives there."""
    for path in sorted(pathlib.Path(source).rglob("*")):
        if path.is_symlink() or not path.is_file():
            continue
        if path.suffix.lower() in ENDINGS:
            yield path.name, path.read_bytes
        elif path.suffix.lower() in ARCHIVES:
            with zipfile.ZipFile(path) as archive:
                for name in sorted(archive.namelist()):
                    if name.lower().endswith(ENDINGS):
                        yield name.rsplit("/", 1)[-1], lambda name=name: archive.read(name)


def photographs(source, seed):
    """Those of one folder; of files of one name, which are one picture in several sizes, two."""
    draw = np.random.default_rng(seed)
    found, alike = [], {}
    for name, read in _files(source):
        lower = name.lower()
        if any(word in lower for word in UNWANTED) or alike.get(lower, 0) >= 2:
            continue
        alike[lower] = alike.get(lower, 0) + 1
        kept = _kept(read(), draw)
        if kept is not None:
            found.append(kept)
    return found


def drawn(count, seed):
    """Procedural pictures."""
    with ProcessPoolExecutor() as pool:
        return list(pool.map(procedural.picture, range(seed, seed + count), chunksize=8))


class Crops:
    """Endless crops of pictures as a camera might show them: another size, turned, grey, out of
    focus, flat, dark, noisy. Each draw is told by its seed and number alone."""

    def __init__(self, pictures, side, seed):
        self.pictures, self.side, self.seed = pictures, side, seed

    def batch(self, number, count):
        """count x side x side x 3 bytes."""
        return np.stack([self.crop(np.random.default_rng((self.seed, number, i)))
                         for i in range(count)])

    def crop(self, draw):
        picture = self.pictures[draw.integers(len(self.pictures))]
        height, width = picture.shape[:2]
        most = min(height, width)
        size = min(most, self.side * np.exp(draw.uniform(np.log(0.5), np.log(2.5))))
        x, y = draw.random() * (width - size), draw.random() * (height - size)
        image = Image.fromarray(picture).resize(
            (self.side, self.side), Image.Resampling.BILINEAR, box=(x, y, x + size, y + size))
        image = image.transpose(Image.Transpose(draw.integers(7)))
        if draw.random() < 0.15:
            image = image.filter(ImageFilter.GaussianBlur(draw.uniform(0.4, 2)))
        return self._exposed(np.asarray(image, dtype=np.float32) / 255, draw)

    @staticmethod
    def _exposed(values, draw):
        if draw.random() < 0.4:
            values = values @ np.array([0.299, 0.587, 0.114], np.float32)
            values = np.repeat(values[..., None], 3, axis=2)
        if draw.random() < 0.6:
            values = values ** np.float32(np.exp(draw.normal(0, 0.35)))
            mean = values.mean()
            values = (values - mean) * np.exp(draw.normal(-0.15, 0.4)) + mean
            values = values + draw.normal(0, 0.08)
        if draw.random() < 0.3:
            grain = draw.standard_normal(values.shape[:2] + (1,), dtype=np.float32)
            values = values + grain * draw.uniform(0, 0.05)
        return (np.clip(values, 0, 1) * 255 + 0.5).astype(np.uint8)
