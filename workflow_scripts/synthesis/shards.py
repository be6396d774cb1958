"""Which seeds are amplified, in which shard, and with which examples."""

import bisect
import json
import mmap
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path

from workflow_scripts.common.rows import content_id
from workflow_scripts.common.types import Config, Row, Seed
from workflow_scripts.synthesis.draft import rewritable

MAX_EXAMPLE_WORDS = 120


class Examples:
    """Seeds whose instruction may be shown as an example: short, and without context or post.

    Holds ids and places only. `read` returns the seed at a place of `add`.
    """

    def __init__(self, read: Callable[[int], Seed]):
        self._read = read
        self._places: dict[str, dict[str, list[tuple[str, int]]]] = defaultdict(lambda: defaultdict(list))

    def add(self, seed: Seed, place: int) -> None:
        """Add a seed that fits. Call `sort` after the last one."""
        short = len(seed["instruction"].split()) <= MAX_EXAMPLE_WORDS
        if short and not seed["context"] and rewritable(seed):
            self._places[seed["license"]][seed["source"]].append((seed["id"], place))

    def sort(self) -> None:
        """Sort by id, so that draws do not depend on the order of the seeds."""
        for sources in self._places.values():
            for group in sources.values():
                group.sort()

    def draw(self, seed: Seed, count: int) -> list[Row]:
        """{id, instruction} of up to `count` other seeds, first of the same source.

        They have the seed's licence, so that the licence of a conversation covers all texts it derives from. They follow a
        hash of the seed's id in the order of ids, so adding or removing a seed changes the examples of few others.
        """
        sources = self._places.get(seed["license"], {})
        found: list[Row] = []
        for source in sorted(sources, key=lambda name: (name != seed["source"], content_id(seed["id"], name))):
            group = sources[source]
            start = bisect.bisect(group, (content_id(seed["id"], "examples"), 0))
            for number in range(start, start + len(group)):
                if len(found) == count:
                    return found
                other = self._read(group[number % len(group)][1])
                text = other["instruction"]
                if text != seed["instruction"] and all(text != row["instruction"] for row in found):
                    found.append({"id": other["id"], "instruction": text})
        return found


def examples_shown(settings: Config) -> int:
    """The most examples that a technique of the recipe shows; 0 if none does. `settings` is `synthesis` of the config."""
    used = {name for entry in settings["recipe"] for name in entry["path"]}
    return max((settings["techniques"].get(name, {}).get("examples", 0) for name in used), default=0)


def shards(path: Path, size: int, examples: int) -> Iterator[list[Seed]]:
    """The seeds to amplify, all but finished conversations, sorted by id, in shards of `size`; each seed with `examples`.

    One shard at a time is in memory, with id and place of every seed.
    """
    with open(path, "rb") as file:
        if not path.stat().st_size:
            return
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as lines:

            def read(place: int) -> Seed:
                seed: Seed = json.loads(lines[place : lines.find(b"\n", place)])
                return seed

            pool, places = Examples(read), []
            for place in _line_starts(lines):
                seed = read(place)
                if seed["kind"] != "conversation":
                    places.append((seed["id"], place))
                    if examples:
                        pool.add(seed, place)
            pool.sort()
            places.sort()
            for start in range(0, len(places), size):
                seeds = [read(place) for _, place in places[start : start + size]]
                yield [seed | {"examples": pool.draw(seed, examples) if examples else []} for seed in seeds]


def _line_starts(lines: mmap.mmap) -> Iterator[int]:
    place = 0
    while place < len(lines):
        yield place
        place = lines.find(b"\n", place) + 1
