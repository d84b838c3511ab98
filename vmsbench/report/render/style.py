"""The one style of all figures: palette, scales, axes, and their forms as files and inline SVG.

Figures are made without pyplot, in one palette that colour-blind readers can tell apart (Okabe and Ito 2008); every L1
axis shows both scales.
"""

import io
import logging
import re
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from itertools import cycle
from typing import Any

import matplotlib
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.font_manager import fontManager
from matplotlib.layout_engine import PlaceHolderLayoutEngine
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter, NullLocator

from vmsbench.config.families import families, family_of
from vmsbench.store.records import SweepRecord

INK, MUTED, HAIR, PAPER = "#1b2027", "#5d6772", "#d3d8de", "#ffffff"
PALETTE = BLUE, VERMILION, GREEN, PURPLE, ORANGE, SKY = "#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9"
VARIABLES = {INK: "--ink", MUTED: "--muted", HAIR: "--hair", PAPER: "--paper"} | {
    color: f"--c{at}" for at, color in enumerate(PALETTE)
}
BLIND_LINE: dict[str, Any] = {"color": MUTED, "lw": 1, "ls": (0, (1, 1.5))}
PEOPLE_LINE: dict[str, Any] = {"color": MUTED, "lw": 1, "ls": (0, (4, 2))}
WIDER = (
    *("Noto Sans CJK JP", "Noto Sans CJK SC", "Droid Sans Fallback", "WenQuanYi Zen Hei", "IPAGothic", "Hiragino Sans"),
    *("PingFang SC", "MS Gothic", "Malgun Gothic", "Arial Unicode MS", "Noto Sans", "Noto Emoji", "Symbola"),
)
"""Fonts that are asked, where they are installed, for the letters that DejaVu Sans lacks."""

STYLE: dict[Any, Any] = {
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],
    "font.size": 8.5,
    "axes.titlesize": 9.5,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.labelsize": 8.5,
    "axes.labelcolor": MUTED,
    "axes.edgecolor": MUTED,
    "axes.linewidth": 0.7,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.unicode_minus": True,
    "text.color": INK,
    "text.parse_math": False,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.major.width": 0.7,
    "ytick.major.width": 0.7,
    "legend.frameon": False,
    "legend.fontsize": 8,
    "figure.facecolor": PAPER,
    "axes.facecolor": "none",
    "savefig.facecolor": PAPER,
    "svg.fonttype": "path",
    "pdf.fonttype": 42,
}


@contextmanager
def style() -> Iterator[None]:
    with matplotlib.rc_context(STYLE | {"font.sans-serif": fonts()}):
        yield


@cache
def fonts() -> list[str]:
    there = {font.name for font in fontManager.ttflist}
    return [*STYLE["font.sans-serif"], *(name for name in WIDER if name in there)]


@contextmanager
def drawing() -> Iterator[None]:
    """The style; letters that no font here has are drawn as boxes, and named once."""
    with warnings.catch_warnings(record=True) as caught, style():
        warnings.simplefilter("always")
        yield
    missing = []
    for one in caught:
        if glyph := re.match(r"Glyph (\d+) ", str(one.message)):
            missing.append(chr(int(glyph[1])))
        else:
            warnings.warn_explicit(one.message, one.category, one.filename, one.lineno)
    if new := [letter for letter in dict.fromkeys(missing) if letter not in boxed]:
        boxed.update(new)
        logging.getLogger("vmsbench").warning(
            "warning: no font here has %s: boxes stand for them in figures; the fonts of fonts-noto-cjk have most",
            " ".join(new),
        )


boxed: set[str] = set()
"""The letters that have been named."""


VECTOR_FORMATS: Mapping[str, Mapping[str, None]] = {"pdf": {"CreationDate": None}, "svg": {"Date": None}}
"""With what the time of writing is left out by."""


def rendered(figure: Figure, kind: str) -> bytes:
    """The figure as png (200 dots an inch), pdf or svg."""
    file = io.BytesIO()
    with drawing():
        laid_out(figure)
        figure.savefig(file, format=kind, dpi=200, metadata=VECTOR_FORMATS.get(kind))
    return file.getvalue()


def laid_out(figure: Figure) -> None:
    """Fix the places of axes and legends, which take longer to find than a figure takes to draw: once for all forms."""
    if not isinstance(figure.get_layout_engine(), PlaceHolderLayoutEngine | None):
        FigureCanvasAgg(figure)
        figure.draw_without_rendering()
        figure.set_layout_engine("none")


def inline_svg(figure: Figure, name: str, alt: str) -> str:
    """The figure as an <svg> element whose colours are the page's own, so that it follows light and dark."""
    file = io.StringIO()
    with drawing(), matplotlib.rc_context({"svg.hashsalt": name}):
        laid_out(figure)
        figure.savefig(file, format="svg", transparent=True, metadata={"Date": None})
    text = file.getvalue()
    text = re.sub(r"<metadata>.*?</metadata>", "", text[text.index("<svg") :], flags=re.DOTALL)
    text = re.sub(r'\sxmlns(:\w+)?="[^"]*"', "", text)
    box = re.search(r'viewBox="[^"]*"', text)
    text = f'<svg role="img" aria-label="{alt}" {box.group() if box else ""}{text[text.index(">") :]}'
    text = re.sub(r'(\bid="|href="#|url\(#)', rf"\g<1>{re.sub(r'[^A-Za-z0-9]', '-', name)}-", text)
    return re.sub("|".join(VARIABLES), lambda match: f"var({VARIABLES[match.group()]})", text)


def colors(sweeps: Sequence[SweepRecord]) -> dict[str, str]:
    """A colour per sweep's name: the family's, and further ones where a family comes twice."""
    given: dict[str, str] = {}
    taken = {family.color for family in families().values()}
    spare = cycle([color for color in PALETTE if color not in taken] or PALETTE)
    for sweep in sweeps:
        color = family_of(sweep.exp).color
        given[sweep.name] = color if color and color not in given.values() else next(spare)
    return given


def color_of(sweep: SweepRecord) -> str:
    """The family's colour."""
    return family_of(sweep.exp).color or PURPLE


def plain(value: float, _: object = None) -> str:
    """A tick's number with all the digits that it has: one that were rounded would stand at the wrong place."""
    return f"{value:.6g}".replace("-", "−")


def shorten(text: str, length: int = 34) -> str:
    """A label that leaves room for the figure; the tables have it whole."""
    return text if len(text) <= length else f"{text[: length - 1].rstrip()}…"


def scale(axes: Axes, levels: Sequence[float]) -> None:
    """Logarithmic where the levels are positive and span more than a factor of four, else linear; whole epochs."""
    axes.xaxis.set_major_locator(MaxNLocator(5, integer=True, min_n_ticks=1))
    axes.grid(axis="y", color=HAIR, lw=0.6)
    axes.set_axisbelow(True)
    if not levels:
        axes.set_yticks([])
        return
    low, high = min(levels), max(levels)
    if low > 0 and high > 4 * low:
        axes.set_yscale("log")
        axes.set_ylim(low / 1.12, high * 1.12)
        steps = (1, 1.5, 2, 3, 5, 7) if high < 8 * low else (1, 2, 5) if high < 60 * low else (1,)
        axes.yaxis.set_major_locator(LogLocator(subs=steps))
        axes.yaxis.set_minor_locator(NullLocator())
        axes.yaxis.set_minor_formatter(NullFormatter())
    else:
        room = 0.08 * (high - low) or 0.1 * abs(high) or 1
        axes.set_ylim(low - room, high + room)
        axes.yaxis.set_major_locator(MaxNLocator(5))
    axes.yaxis.set_major_formatter(FuncFormatter(plain))


def second_scale(axes: Axes, direction: str, scale: int = 2) -> None:
    """The same score in [0, 1] on the opposite side, tick by tick: of L1 half, of MSE a quarter."""
    axis = axes.yaxis if direction == "y" else axes.xaxis
    other = axes.secondary_yaxis("right") if direction == "y" else axes.secondary_xaxis("top")
    side = other.yaxis if direction == "y" else other.xaxis
    side.set_major_locator(axis.get_major_locator())
    side.set_minor_locator(NullLocator())
    side.set_major_formatter(FuncFormatter(lambda value, _: plain(value / scale)))
    other.spines[:].set_visible(False)
    other.tick_params(length=0)
    side.set_label_text("in [0, 1]", color=MUTED)
