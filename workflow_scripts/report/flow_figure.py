"""The flow chart, from top to bottom: rows flow down, rejected rows leave to the right; widths are proportional to rows."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from markupsafe import Markup
from matplotlib.patches import PathPatch, Rectangle
from matplotlib.path import Path

from workflow_scripts.report.svg import GREEN, HELD_OUT, INK, RUST, SOFT, TRAIN, inline, label, plt

# All in inches.
WIDTH = 1.3  # of the widest step
LEFT, EDGE, RIGHT = 1.12, 0.2, 1.5  # labels to the left, rejected streams, labels to the right
LINE = 0.2  # height of a text line
BAR = 0.07  # height of a step's bar
STEP_GAP = 0.55  # minimum distance between two steps
STREAM_GAP = 0.1  # between separate streams


@dataclass(frozen=True)
class Step:
    """A step of the flow; file names are relative to the page.

    `bypass` of its `out` rows skip the next `bypass_steps` steps. `joins` are rows from other sources: {name: rows}.
    """

    name: str
    into: int
    out: int
    rejected: dict[str, int]
    data: str
    stats: str
    rejected_file: str
    bypass: int = 0
    bypass_steps: int = 0
    joins: dict[str, int] = field(default_factory=dict)


class Flow:
    """Draws the flow on axes with inches as the unit and y downwards."""

    def __init__(self, chain: Sequence[Step], ends: Sequence[tuple[str, int, str]]):
        self.chain, self.ends = chain, ends
        self.scale = WIDTH / max(max(step.into for step in chain), 1)
        self.patches: list[Any] = []
        self.texts: list[tuple[float, float, str, dict[str, Any]]] = []
        self.bottom = 0.0

    def draw(self) -> None:
        """Draw every step with its streams, from top to bottom."""
        top, shift = LINE, 0.0
        incoming: list[tuple[float, float, float]] = []  # streams into the next step: x, y, width
        bypass: list[tuple[float, float, float]] = []  # the stream that skips steps
        remaining = 0  # number of steps that it still skips
        for step in self.chain:
            if not remaining:
                incoming, bypass, shift = [*bypass, *incoming], [], 0.0
            top += LINE * len(step.joins)
            self._arrive(shift, top, incoming, step)
            self._bar(shift, top, step)
            y = top + BAR
            end = y + self._leave(shift, y, step)
            down, width = (step.out - step.bypass) * self.scale, step.bypass * self.scale
            incoming = [(shift + width, y, down)]
            if step.bypass and step.bypass_steps:
                bypass, remaining = [(shift, y, width)], step.bypass_steps
                for line, text in enumerate((f"{step.bypass:,} bypass,", "already complete")):
                    self._text(-0.1, y + 0.6 + LINE * line, text, ha="right", va="center", color=SOFT, url=step.data)
                end, shift = max(end, y + 1.1), width + STREAM_GAP
            elif remaining:
                remaining -= 1
            if step is self.chain[-1]:
                self._fork(y, end)
            top = end

    def _arrive(self, x: float, top: float, incoming: list[tuple[float, float, float]], step: Step) -> None:
        """The streams from above next to each other, then `step.joins`, which enter from the right."""
        for from_x, y, width in incoming:
            self._down(from_x, y, x, top, width, TRAIN)
            x += width
        for number, (name, rows) in enumerate(step.joins.items()):
            width, edge = rows * self.scale, WIDTH + EDGE
            y = top - LINE * (len(step.joins) - number)
            self._band(
                [(edge, y - width / 2), (x, y - width / 2), (x, y), (x, top), (x + width, top), (x + width, y + width / 2),
                 (x + width, y + width / 2), (edge, y + width / 2)], GREEN, step.stats,
            )  # fmt: skip
            self._text(edge + 0.06, y, f"{rows:,} {name}", ha="left", va="center", url=step.stats)
            x += width

    def _bar(self, x: float, y: float, step: Step) -> None:
        width = max(step.into * self.scale, 0.01)
        self.patches.append(Rectangle((x, y), width, BAR, color=INK, url=step.stats))
        self._text(-0.1, y - 0.02, f"{step.into:,}", ha="right", va="center", fontweight="bold", url=step.stats)
        self._text(-0.1, y + LINE - 0.03, step.name, ha="right", va="center", url=step.stats)

    def _leave(self, left: float, y: float, step: Step) -> float:
        """Rejected rows leave to the right, the most frequent reason on top. Returns the distance to the next step."""
        right = left + step.into * self.scale
        place = y + 0.12
        edge = WIDTH + EDGE
        for reason, rows in sorted(step.rejected.items(), key=lambda item: (-item[1], item[0])):
            width = rows * self.scale
            height = max(width, LINE)
            middle = place + height / 2
            self._turn_right(right - width, y, right, edge, middle - width / 2, middle + width / 2, step.rejected_file)
            text = label(reason.replace("_", " "), 22)
            self._text(edge + 0.06, middle, f"{rows:,} {text}", ha="left", va="center", url=step.rejected_file)
            right -= width
            place += height
        return max(place - y + 0.2, STEP_GAP)

    def _fork(self, y: float, end: float) -> None:
        """The splits of the dataset, next to each other at the bottom."""
        x = place = 0.0
        colours = (TRAIN, HELD_OUT)
        for number, (name, rows, address) in enumerate(self.ends):
            width = rows * self.scale
            self._down(x, y, place, end, width, colours[number])
            self.patches.append(Rectangle((place, end), max(width, 0.01), BAR, color=colours[number], url=address))
            self._text(
                place, end + BAR + LINE * (0.7 + number), f"{rows:,} {name}", ha="left", va="center",
                fontweight="bold", color=colours[number], url=address,
            )  # fmt: skip
            x += width
            place += width + STREAM_GAP
        self.bottom = end + BAR + LINE * (len(self.ends) + 0.6)

    def _down(self, x: float, y: float, to_x: float, to_y: float, width: float, colour: str) -> None:
        """A band between two heights."""
        middle = (y + to_y) / 2
        self._band(
            [(x, y), (x, middle), (to_x, middle), (to_x, to_y), (to_x + width, to_y), (to_x + width, middle),
             (x + width, middle), (x + width, y)], colour,
        )  # fmt: skip

    def _turn_right(
        self, x: float, y: float, to_x: float, edge: float, top: float, bottom: float, address: str
    ) -> None:
        """A band that turns from down to the right."""
        self._band(
            [(to_x, y), (to_x, top), (to_x, top), (edge, top), (edge, bottom), (x, bottom), (x, bottom), (x, y)],
            RUST, address,
        )  # fmt: skip

    def _band(self, points: list[tuple[float, float]], colour: str, address: str | None = None) -> None:
        codes = [Path.MOVETO, *[Path.CURVE4] * 3, Path.LINETO, *[Path.CURVE4] * 3, Path.CLOSEPOLY]
        shape = Path([*points, points[0]], codes)
        self.patches.append(PathPatch(shape, facecolor=colour, edgecolor=colour, lw=0.6, alpha=0.45, url=address))

    def _text(self, x: float, y: float, text: str, **style: Any) -> None:
        self.texts.append((x, y, text, style))


def draw(chain: Sequence[Step], ends: Sequence[tuple[str, int, str]], alt: str) -> Markup:
    """The flow chart as SVG, with `ends` (name, rows, link) at the bottom."""
    flow = Flow(chain, ends)
    flow.draw()
    size = (LEFT + WIDTH + EDGE + RIGHT, flow.bottom)
    figure = plt.figure(figsize=size)
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set_xlim(-LEFT, size[0] - LEFT)
    axes.set_ylim(flow.bottom, 0)
    axes.axis("off")
    for patch in flow.patches:
        axes.add_patch(patch)
    for x, y, text, style in flow.texts:
        axes.text(x, y, text, **style)
    return inline(figure, "flow", alt)
