"""What is out of the ordinary in files that decode well: masks of 0 and 1, 12 bits in 16, labels, frames, alpha."""

from vmsbench.data.decoding import PictureFacts
from vmsbench.data.sources.names import some
from vmsbench.data.sources.provenance import Decoded, Values

DIM = 0.5  # of white; maps of which none is brighter were made on another scale
FEW = 8  # different values or fewer are labels, unless they are black and white
BLUE = 0.02  # of white, and a fifth of red and green; a JPEG's own noise is far below
DEPTHS = (255, 1023, 4095, 16383)  # the whites of 8, 10, 12 and 14 bits


def oddities(found: Decoded, coding: str = "", scale: float = 1) -> list[str]:
    """A sentence for each thing that a person should know before training on these pairs."""
    images, maps = found.images, found.maps
    if not maps.files:
        return []
    told = [
        *brightness(maps, scale),
        *unread(maps, coding),
        *depth(maps, "maps"),
        *depth(images, "images"),
        *transparency(maps, "maps"),
        *frames(maps, "map"),
        *frames(images, "image"),
    ]
    if maps.palette:
        told.append(f"{count(maps.palette, maps)} maps are palettes of colours: are these labels?")
    if maps.mixed:
        told.append("some maps have 16 bits and others 8: each is read as from black to its own white")
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
    if top < DIM * maps.white:
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
    if maps.lowest * scale > DIM * maps.white and maps.flat < maps.files:
        told.append(
            f"the darkest value of any map is {maps.lowest} of {maps.white}: are they inverted, or on another scale?"
        )
    if maps.black >= 0.5 * maps.files:
        told.append(f"{count(maps.black, maps)} maps are black")
    return told


def unread(maps: Values, coding: str) -> list[str]:
    """What blue holds, where red and green alone are read."""
    if len(maps.means) != 3 or maps.equal == maps.files or coding in ("rgb", "grey"):
        return []
    red, green, blue = maps.means
    if blue < max(BLUE, 0.2 * max(red, green)):
        return []
    empty = "; red and green are black" if not red + green else ""
    return [f"blue, {100 * blue:.0f} % of white on average, is not read{empty}: data.coding=rgb reads it"]


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
    if not of.cut:
        return []
    return [f"{count(of.cut, of)} {what} have 16 bits for each colour, of which the upper 8 are read"]


def frames(of: Values, what: str) -> list[str]:
    if not of.frames:
        return []
    each = some([f"{name} has {number}" for name, number in of.frames.items()])
    return [f"{count(len(of.frames), of)} {what}s have several frames, the first is read ({each})"]


def of_images(images: Values) -> list[str]:
    told = [*transparency(images, "images")]
    if images.highest < DIM * images.white / 2:
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


def count(some_of_them: int, of: Values) -> str:
    return f"{some_of_them} of {of.files}" if some_of_them < of.files else f"all {of.files}"
