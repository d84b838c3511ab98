"""Scenes made by a formula, and simulated people who remember them: the arithmetic behind synthetic data.

A scene has a category (its background, where its objects stand, which shapes and colours are usual in it) and 3 to 7
objects. People who have seen it (hits) remember what is unique among the objects, contrasty, large and central; to see
uniqueness a model must look at all objects. People who have not (false alarms) "remember" what is usual for the
category, and often nobody does. Each person picks 1 to 3 objects by Gumbel-top-k (probability proportional to
exp(score / TEMPERATURE), without replacement) and draws a jittered box around each. A map is the number of boxes
over a pixel divided by the number of people (1 at most): green of the hits, red of the false alarms.

Because the people are known, so is the law of the maps given the scene: `oracle` draws many panels of people and
takes their pixelwise mean and median, the best predictions under squared and absolute error.
"""

from dataclasses import dataclass

import numpy as np

SHAPES = ("disc", "square", "triangle", "diamond", "cross", "ring")
COLOURS = np.array(
    [[222, 60, 52], [240, 170, 40], [70, 160, 70], [60, 110, 210], [150, 80, 180], [235, 235, 225]], dtype=np.float32
)
CATEGORIES = ("kitchen", "street", "meadow", "harbour")
GROUND = np.array([[188, 170, 150], [120, 122, 128], [116, 150, 92], [112, 148, 172]], dtype=np.float32)
CENTRE = np.array([[0.50, 0.52], [0.50, 0.58], [0.50, 0.50], [0.50, 0.44]])  # across, down; shares of the side
SPREAD = np.array([[0.15, 0.14], [0.22, 0.09], [0.21, 0.19], [0.22, 0.11]])
USUAL_SHAPES = np.array([[3, 1, 1, 1, 1, 3], [1, 4, 1, 1, 2, 1], [2, 1, 4, 1, 1, 1], [1, 1, 3, 3, 1, 1]]) / 10.0
USUAL_COLOURS = np.array([[3, 2, 1, 1, 1, 2], [2, 1, 1, 1, 1, 4], [1, 3, 4, 1, 1, 1], [1, 1, 1, 5, 1, 2]], dtype=float)
USUAL_COLOURS /= USUAL_COLOURS.sum(1, keepdims=True)

PEOPLE = (8, 10)  # per panel, both ends included
PICKS = (0.5, 0.35, 0.15)  # probabilities of 1, 2 and 3 objects
TEMPERATURE = 1.0
JITTER = 0.55  # of an object's radius; the spread of each side of a box
MARGIN = 1.30  # a box reaches so many radii from its object's centre
FALSE_MEAN, FALSE_SLOPE, FALSE_SPREAD = -1.2, 1.6, 3.0  # logit of a person's chance of a false alarm


@dataclass(frozen=True)
class Scene:
    """category: an index; per object: x, y, radius (shares of the side), shape and colour (indices)."""

    category: int
    x: np.ndarray
    y: np.ndarray
    radius: np.ndarray
    shape: np.ndarray
    colour: np.ndarray


def scene(random: np.random.Generator) -> Scene:
    """A scene drawn at random; objects overlap little."""
    category = int(random.integers(len(CATEGORIES)))
    count = int(random.integers(3, 8))
    radius = random.uniform(0.07, 0.15, count)
    tries = CENTRE[category] + SPREAD[category] * random.standard_normal((24, count, 2))
    places = np.clip(tries, radius[:, None], 1 - radius[:, None])
    gaps = np.linalg.norm(places[:, :, None] - places[:, None], axis=-1) - (radius[:, None] + radius)
    gaps[:, range(count), range(count)] = 0
    x, y = places[np.minimum(gaps, 0).sum((1, 2)).argmax()].T
    # half of a scene's objects repeat its first one in shape or colour, so that uniqueness varies
    shape = random.choice(len(SHAPES), count, p=USUAL_SHAPES[category])
    colour = random.choice(len(COLOURS), count, p=USUAL_COLOURS[category])
    shape = np.where(random.random(count) < 0.5, shape[0], shape)
    colour = np.where(random.random(count) < 0.5, colour[0], colour)
    return Scene(category, x, y, radius, shape, colour)


def true_scores(scene: Scene) -> np.ndarray:
    """How well each object is remembered: uniqueness, contrast, size and centrality, each in about [0, 1]."""
    others = max(len(scene.x) - 1, 1)
    alike = (scene.shape == scene.shape[:, None]).sum(1) + (scene.colour == scene.colour[:, None]).sum(1) - 2
    uniqueness = 1 - alike / (2 * others)
    contrast = np.linalg.norm(COLOURS[scene.colour] - GROUND[scene.category], axis=1) / 200
    centrality = 1 - 2 * np.hypot(scene.x - 0.5, scene.y - 0.5)
    return 1.2 * uniqueness + 0.7 * contrast + 0.6 * (scene.radius - 0.07) / 0.08 + 0.6 * centrality


def false_scores(scene: Scene) -> np.ndarray:
    """How usual each object is for the category: 0 (no one would expect it) to about 2."""
    shapes, colours = USUAL_SHAPES[scene.category], USUAL_COLOURS[scene.category]
    return shapes[scene.shape] / shapes.max() + colours[scene.colour] / colours.max()


def panels(scene: Scene, size: int, count: int, random: np.random.Generator) -> np.ndarray:
    """The maps of `count` panels of people: uint8, count x 2 x size x size (red = false alarms, green = hits)."""
    people = random.integers(PEOPLE[0], PEOPLE[1] + 1, (count, 1))
    present = np.arange(PEOPLE[1]) < people
    usual = false_scores(scene)
    logit = FALSE_MEAN + FALSE_SLOPE * (usual.mean() - 1) + FALSE_SPREAD * random.standard_normal((count, 1))
    mistaken = present & (random.random(present.shape) < 1 / (1 + np.exp(-logit)))
    covered = np.stack(
        [
            coverage(scene, usual, mistaken, size, random),
            coverage(scene, true_scores(scene), present, size, random),
        ],
        axis=1,
    )
    share = np.minimum(covered / people[:, :, None, None], 1)
    return np.rint(255 * share).astype(np.uint8)


def coverage(
    scene: Scene, scores: np.ndarray, drawing: np.ndarray, size: int, random: np.random.Generator
) -> np.ndarray:
    """The sum of the boxes drawn by the people in `drawing` (panels x people, bool): panels x size x size."""
    count, people = drawing.shape
    gumbel = scores / TEMPERATURE + random.gumbel(size=(count, people, len(scores)))
    most = min(3, len(scores))
    ranked = np.argsort(-gumbel, axis=-1)[..., :most]
    picks = 1 + random.choice(3, (count, people), p=PICKS)
    drawn = (drawing[..., None] & (np.arange(most) < picks[..., None])).reshape(count, -1)
    chosen = ranked.reshape(count, -1)
    radius = scene.radius[chosen]
    jitter = 1 + JITTER / MARGIN * random.standard_normal((4, *chosen.shape))
    left, right, top, bottom = MARGIN * radius * np.maximum(jitter, 0.2)
    x, y, pixels = scene.x[chosen], scene.y[chosen], (np.arange(size) + 0.5) / size
    across = within(pixels, x - left, x + right)
    down = within(pixels, y - top, y + bottom) * drawn[..., None]
    return np.matmul(down.transpose(0, 2, 1), across)


def within(pixels: np.ndarray, start: np.ndarray, end: np.ndarray) -> np.ndarray:
    return ((pixels >= start[..., None]) & (pixels < end[..., None])).astype(np.float32)


def oracle(scene: Scene, size: int, count: int, random: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Pixelwise mean and median of `count` panels: uint8, 3 x size x size each, with no blue."""
    maps = panels(scene, size, count, random).reshape(count, -1).T.copy()
    mean = np.rint(maps.mean(1)).astype(np.uint8)
    median = np.partition(maps, count // 2, axis=1)[:, count // 2]
    return with_blue(mean.reshape(2, size, size)), with_blue(median.reshape(2, size, size))


def with_blue(map_: np.ndarray) -> np.ndarray:
    return np.concatenate([map_, np.zeros_like(map_[:1])])


def draw(scene: Scene, size: int, random: np.random.Generator) -> np.ndarray:
    """The picture of a scene: uint8, size x size x 3. Light falls from above, surfaces are a little rough."""
    pixels = (np.arange(size, dtype=np.float32) + 0.5) / size
    light = 0.82 + 0.36 * pixels[::-1, None, None] + random.normal(0, 0.04)
    canvas = GROUND[scene.category] * light * np.ones((1, size, 1), dtype=np.float32)
    coarse = random.normal(0, 7, (8, 8, 1)).astype(np.float32)
    index = np.arange(size) * 8 // size
    canvas += coarse[index][:, index]
    for i in np.argsort(-scene.radius):
        u = (pixels[None, :] - scene.x[i]) / scene.radius[i]
        v = (pixels[:, None] - scene.y[i]) / scene.radius[i]
        distance = outline(SHAPES[scene.shape[i]], u.astype(np.float32), v.astype(np.float32))
        ink = np.clip(0.5 - distance * scene.radius[i] * size, 0, 1)[..., None]  # a pixel wide edge
        canvas += ink * (COLOURS[scene.colour[i]] * (1.06 - 0.12 * v[..., None]) - canvas)
    canvas += random.normal(0, 3, canvas.shape)
    return np.clip(canvas, 0, 255).astype(np.uint8)


def outline(shape: str, u: np.ndarray, v: np.ndarray) -> np.ndarray:
    """About the signed distance (radii) to a shape's edge at u across and v down from its centre; inside below 0."""
    if shape == "disc":
        return np.hypot(u, v) - 1
    if shape == "ring":
        return np.abs(np.hypot(u, v) - 0.75) - 0.25
    if shape == "square":
        return np.maximum(np.abs(u), np.abs(v)) - 0.86
    if shape == "diamond":
        return (np.abs(u) + np.abs(v) - 1.1) / np.float32(np.sqrt(2))
    if shape == "triangle":
        return np.maximum(v - 0.75, (1.9 * np.abs(u) - v - 1) / np.float32(2.15))
    bars = np.minimum(np.maximum(np.abs(u), 3 * np.abs(v)), np.maximum(3 * np.abs(u), np.abs(v)))
    return bars - 0.95  # a cross
