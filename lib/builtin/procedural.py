# SPDX-License-Identifier: LGPL-2.1-or-later
"""Pictures drawn by chance: what a camera over a production line sees, without one."""
import numpy as np
from PIL import Image, ImageDraw

SIDE = 320
OVERSAMPLED = 2  # shapes are drawn so many times as large, for smooth edges


def _unit(field):
    """A field of any range as 0 to 1."""
    low, high = field.min(), field.max()
    return (field - low) / (high - low + 1e-9)


def noise(draw, side=SIDE):
    """1/f^a noise: a random walk's smoothness to nearly white, stretched as brushing does."""
    y = np.fft.fftfreq(side)[:, None]
    x = np.fft.rfftfreq(side)[None, :]
    stretch = np.exp(draw.normal(0, 1.2)) if draw.random() < 0.5 else 1.0
    turn = draw.uniform(0, np.pi)
    u = (x * np.cos(turn) + y * np.sin(turn)) * stretch
    v = (y * np.cos(turn) - x * np.sin(turn)) / stretch
    amplitude = (u * u + v * v + 1e-5) ** (-draw.uniform(0.3, 2.2) / 2)
    amplitude[0, 0] = 0
    phases = np.exp(2j * np.pi * draw.random(amplitude.shape))
    return _unit(np.fft.irfft2(amplitude * phases, s=(side, side)))


def grating(draw, side=SIDE):
    """One to three waves across each other: mesh, corduroy, weave, tiles."""
    y, x = np.mgrid[0:side, 0:side] / side
    field = np.zeros((side, side))
    turn = draw.uniform(0, np.pi)
    for number in range(draw.integers(1, 4)):
        angle = turn + number * draw.choice([np.pi / 2, np.pi / 3, draw.uniform(0, np.pi)])
        period = np.exp(draw.uniform(np.log(4 / side), np.log(0.4)))
        phase = (x * np.cos(angle) + y * np.sin(angle)) / period
        phase = phase + draw.uniform(0, 0.6) * noise(draw, side) * (draw.random() < 0.4)
        wave = np.sin(2 * np.pi * phase)
        if draw.random() < 0.4:
            wave = np.tanh(wave * draw.uniform(2, 12))
        field = np.maximum(field, wave) if draw.random() < 0.3 else field + wave
    return _unit(field)


def cells(draw, side=SIDE):
    """Cells around random points, by the distance to the nearest or the edge between two."""
    count = int(np.exp(draw.uniform(np.log(8), np.log(250))))
    points = draw.random((count, 2)) * side
    y, x = np.mgrid[0:side:2, 0:side:2]
    square = (y[..., None] - points[:, 0]) ** 2 + (x[..., None] - points[:, 1]) ** 2
    nearest = np.sqrt(np.partition(square, 1, axis=-1)[..., :2])
    kind = draw.integers(3)
    if kind == 0:
        field = nearest[..., 0]
    elif kind == 1:
        field = np.minimum(nearest[..., 1] - nearest[..., 0], draw.uniform(2, 12))
    else:
        field = draw.random(count)[square.argmin(-1)]
    small = Image.fromarray(_unit(field).astype(np.float32))
    return np.asarray(small.resize((side, side), Image.Resampling.BILINEAR))


def _colours(draw):
    """Two colours, near each other in two of three pictures: metal, cloth, board."""
    first = draw.random(3)
    if draw.random() < 0.35:
        first[:] = first.mean()
    reach = draw.uniform(0.05, 0.35) if draw.random() < 0.65 else 1.0
    second = np.clip(first + draw.uniform(-1, 1, 3) * reach, 0, 1)
    return first, second


def textured(draw):
    """One field between two colours."""
    field = draw.choice([noise, noise, grating, cells])(draw)
    if draw.random() < 0.5:
        field = _unit(field + draw.uniform(0.05, 0.6) * noise(draw))
    first, second = _colours(draw)
    return first + field[..., None] * (second - first)


def _mask(draw, paint):
    large = SIDE * OVERSAMPLED
    mask = Image.new("L", (large, large))
    paint(ImageDraw.Draw(mask), large)
    mask = mask.resize((SIDE, SIDE), Image.Resampling.BOX)
    return np.asarray(mask, dtype=np.float32)[..., None] / 255


def _shape(draw, size):
    """One polygon, ellipse or bar of about `size` of the picture."""
    def paint(canvas, side):
        centre = draw.random(2) * side
        kind = draw.integers(4)
        reach = size * side / 2
        if kind == 0:
            low = reach * draw.uniform(0.4, 1)
            canvas.ellipse([centre[0] - reach, centre[1] - low, centre[0] + reach, centre[1] + low],
                           fill=255)
        elif kind == 1:
            corners = np.sort(draw.uniform(0, 2 * np.pi, draw.integers(3, 9)))
            radii = reach * draw.uniform(0.5, 1, len(corners))
            points = centre[:, None] + radii * np.stack([np.cos(corners), np.sin(corners)])
            canvas.polygon([tuple(p) for p in points.T], fill=255)
        else:
            turn = draw.uniform(0, np.pi) if draw.random() < 0.5 else draw.choice([0, np.pi / 2])
            along = np.array([np.cos(turn), np.sin(turn)]) * reach
            across = np.array([-along[1], along[0]]) * draw.uniform(0.05, 1)
            box = [centre + along + across, centre + along - across,
                   centre - along - across, centre - along + across]
            canvas.polygon([tuple(p) for p in box], fill=255)
    return _mask(draw, paint)


def _strokes(draw):
    """Thin lines: scratches, wires, print."""
    def paint(canvas, side):
        straight = draw.random() < 0.5
        width = draw.uniform(1, 10)
        for _ in range(draw.integers(1, 30)):
            at = draw.random(2) * side
            angle = draw.uniform(0, 2 * np.pi)
            points = [tuple(at)]
            for _ in range(draw.integers(1, 25)):
                angle += 0 if straight else draw.normal(0, 0.35)
                at = at + np.array([np.cos(angle), np.sin(angle)]) * draw.uniform(5, 40)
                points.append(tuple(at))
            canvas.line(points, fill=255, width=max(1, round(width * draw.uniform(0.5, 1.5))))
    return _mask(draw, paint)


def leaves(draw):
    """Dead leaves: shapes over shapes, small ones more often, each with a surface of its own."""
    surfaces = [textured(draw) for _ in range(draw.integers(2, 5))]
    picture = surfaces[0].copy()
    for _ in range(int(np.exp(draw.uniform(np.log(5), np.log(90))))):
        size = 0.02 / (1 - draw.random() * 0.97)
        mask = _shape(draw, min(size, 0.7))
        if draw.random() < 0.5:
            first, second = _colours(draw)
            over = first + (second - first) * np.linspace(0, 1, SIDE)[:, None, None]
        else:
            over = surfaces[draw.integers(len(surfaces))]
        picture = picture * (1 - mask) + over * mask
    return picture


def lined(draw):
    """A surface with strokes on it."""
    picture = textured(draw)
    for _ in range(draw.integers(1, 4)):
        colour = draw.random(3) if draw.random() < 0.5 else np.full(3, draw.random())
        mask = _strokes(draw) * draw.uniform(0.2, 1)
        picture = picture * (1 - mask) + colour * mask
    return picture


def lit(draw, picture):
    """Uneven light over it, in more than half of the pictures."""
    if draw.random() < 0.4:
        return picture
    y, x = np.mgrid[0:SIDE, 0:SIDE] / SIDE - 0.5
    turn = draw.uniform(0, 2 * np.pi)
    light = 1 + draw.uniform(0, 0.8) * (x * np.cos(turn) + y * np.sin(turn))
    return np.clip(picture * light[..., None], 0, 1)


def picture(seed):
    """SIDE x SIDE x 3 bytes; the same for the same seed."""
    draw = np.random.default_rng(seed)
    kind = draw.choice([textured, leaves, leaves, lined])
    return (lit(draw, kind(draw)) * 255 + 0.5).astype(np.uint8)
