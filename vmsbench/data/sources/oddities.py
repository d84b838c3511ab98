"""What is out of the ordinary in files that decode well: masks of 0 and 1, 12 bits in 16, labels, frames, alpha."""

from vmsbench.data.decoding import PictureFacts
from vmsbench.data.sources.names import some
from vmsbench.data.sources.provenance import Decoded, Values, bluish

BRIGHT = 0.5  # of white; maps of which none is brighter were made on another scale
FEW = 8  # different values or fewer are labels, unless they are black and white
DEPTHS = (255, 1023, 4095, 16383)  # the whites of 8, 10, 12 and 14 bits


def oddities(found: Decoded, coding: str = "", scale: float = 1) -> list[str]:
    """A sentence for each thing that a person should know before training on these pairs."""
    images, maps = found.images, found.maps
    if not maps.files:
        return []
    told = [
        *brightness(maps, scale),
        *strangers(maps),
        *unread(maps, coding),
        *depth(maps, "maps"),
        *depth(images, "images"),
        *transparency(maps, "maps"),
        *frames(maps, "map"),
        *frames(images, "image"),
    ]
    if maps.palette:
        told.append(f"{count(maps.palette, maps)} maps are palettes of colours: are these labels?")
    if maps.equal == maps.files > maps.grey and maps.highest and coding != "grey":
        told.append("red, green and blue are equal in every map: grey maps saved in colour; data.coding=grey reads one")
    if found.same:
        told.append(f"{count(found.same, maps)} maps are identical to their image")
    return told + of_images(images)


def brightness(maps: Values, scale: float) -> list[str]:
    top = maps.highest * scale
    if maps.highest == 0:
        return ["every map is black"]
    told = []
    if maps.flat == maps.files:
        told.append("every map is one flat colour")
    if top < BRIGHT * maps.white:
        seen = f"{maps.highest} of {maps.white}" + ("" if scale == 1 else f", times data.scale={scale:g}")
        told.append(
            f"the brightest value of any map is {seen}: data.scale={stretch(maps):g} makes it white, "
            "or are these labels?"
        )
    elif top > 1.01 * maps.white:
        told.append(
            f"data.scale={scale:g} takes {maps.highest} beyond white, {maps.white}: what is brighter is cut off"
        )
    elif maps.few and not {round(level * scale) for level in maps.few} <= {0, maps.white}:
        told.append(
            f"the maps have {maps.levels} different values alone ({', '.join(map(str, maps.few))}): are these labels?"
        )
    if maps.lowest * scale > BRIGHT * maps.white and maps.flat < maps.files:
        told.append(
            f"the darkest value of any map is {maps.lowest} of {maps.white}: are they inverted, or on another scale?"
        )
    if maps.black >= 0.5 * maps.files:
        told.append(f"{count(maps.black, maps)} maps are black")
    return told


def strangers(maps: Values) -> list[str]:
    """Maps that are unlike the others of the folder: of another scale, or inverted."""
    told = []
    if maps.dim and len(maps.dim) < maps.files - maps.black:
        told.append(
            f"{examples(maps.dim, maps, 'maps')} are all but black, others are not: were they saved on another scale, "
            "or are they labels? data.scale is for all maps"
        )
    if maps.light and not maps.few and 2 * maps.dark > maps.files - len(maps.light):
        told.append(f"{examples(maps.light, maps, 'maps')} are mostly white, others mostly black: are they inverted?")
    return told


def unread(maps: Values, coding: str) -> list[str]:
    """What blue holds, where red and green alone are read."""
    if not maps.blue or maps.equal == maps.files or coding in ("rgb", "grey"):
        return []
    red, green, blue = maps.means
    if 2 * len(maps.blue) > maps.files and bluish(maps.means):
        empty = "; red and green are black" if not red + green else ""
        return [f"blue, {100 * blue:.0f} % of white on average, is not read{empty}: data.coding=rgb reads it"]
    return [
        f"{examples(maps.blue, maps, 'maps')} have blue, which is not read, others hardly any: are their channels in "
        "another order?"
    ]


def stretch(maps: Values) -> float:
    """What takes the files' own white, or that of 8, 10, 12 or 14 bits that they seem to have, to white."""
    if maps.white == 255:
        return round(255 / maps.highest, 4)
    own = next((depth for depth in DEPTHS if maps.highest > depth // 4 and maps.highest <= depth), maps.highest)
    return round(maps.white / own, 4)


def transparency(maps: Values, what: str) -> list[str]:
    if maps.alone:
        return [
            f"{count(maps.alone, maps)} {what} hold nothing but transparency, and are read as one colour on black: "
            "save the map itself as grey"
        ]
    if maps.transparent:
        return [f"{count(maps.transparent, maps)} {what} have transparent parts, which are read as black"]
    return []


def depth(of: Values, what: str) -> list[str]:
    told = []
    if of.cut:
        told.append(f"{count(of.cut, of)} {what} have 16 bits for each colour, of which the upper 8 are read")
    if of.deep:
        told.append(f"{examples(of.deep, of, what)} have 16 bits, others 8: each is read from black to its own white")
    return told


def frames(of: Values, what: str) -> list[str]:
    if not of.frames:
        return []
    each = some([f"{name} has {number}" for name, number in of.frames.items()])
    return [f"{count(len(of.frames), of)} {what}s have several frames, the first is read ({each})"]


def of_images(images: Values) -> list[str]:
    told = [*transparency(images, "images")]
    if images.dim and len(images.dim) < images.files - images.black:
        told.append(f"{examples(images.dim, images, 'images')} are all but black: were they saved on another scale?")
    if images.highest < BRIGHT * images.white / 2:
        told.append(f"the brightest value of any image is {images.highest} of {images.white}")
    if images.flat:
        told.append(f"{count(images.flat, images)} images are one flat colour")
    return told


def remarkable(facts: PictureFacts) -> list[str]:
    """What is to be known of one picture."""
    told = ["turned upright"] if facts.turned else []
    told += ["the first of several frames is read"] if facts.frames > 1 else []
    told += ["of 16 bits for each colour the upper 8 are read"] if facts.cut else []
    return told + (["transparent parts are read as black"] if facts.transparent else [])


def examples(names: tuple[str, ...], of: Values, what: str) -> str:
    return f"{count(len(names), of)} {what} ({some(names, 1)})"


def count(some_of_them: int, of: Values) -> str:
    return f"{some_of_them} of {of.files}" if some_of_them < of.files else f"all {of.files}"
