"""The README's picture of the report, made from a finished run, by hand:

    python -m tests.screenshots results/pocket

A screen and a phone side by side, as Chromium shows the page of that run.
"""

import argparse
import tempfile
from pathlib import Path

from PIL import Image

from tests import browser

PICTURE = Path(__file__).parents[1] / "docs" / "pictures" / "report.png"
SCREEN, PHONE, HEIGHT, MARGIN = 1180, 390, 900, 24  # px
LARGEST = 300_000  # bytes
VIEWS = """<!doctype html>
<style>
body {{ margin: 0; padding: {margin}px; display: flex; gap: {margin}px; background: #b9b2a7; }}
iframe {{ border: 0; border-radius: 10px; height: {height}px; background: #fdfcfa; flex: none; }}
</style>
<iframe src="{page}" width="{screen}"></iframe>
<iframe src="{page}#{anchor}" width="{phone}"></iframe>
"""


def main() -> None:
    """Write the picture; AssertionError if it would be too large for a README."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path, help="folder of a finished run")
    parser.add_argument("--anchor", default="flow", help="what of the page the phone shows")
    parser.add_argument("--picture", type=Path, default=PICTURE, help="PNG file to write")
    args = parser.parse_args()

    page = (args.run / "report" / "index.html").resolve()
    assert page.is_file(), f"{page}: no such file. Name the folder of a finished run."
    assert browser.CHROMIUM, "Chromium is not installed."
    size = (SCREEN + PHONE + 3 * MARGIN, HEIGHT + 2 * MARGIN)
    with tempfile.TemporaryDirectory() as folder:
        views, raw = Path(folder, "views.html"), Path(folder, "raw.png")
        views.write_text(
            VIEWS.format(
                page=page.as_uri(), anchor=args.anchor, screen=SCREEN, phone=PHONE, height=HEIGHT, margin=MARGIN
            )
        )
        browser.screenshot(views, raw, *size)
        args.picture.parent.mkdir(parents=True, exist_ok=True)
        with Image.open(raw) as image:
            image.convert("RGB").quantize(256, dither=Image.Dither.NONE).save(args.picture, optimize=True)
    assert args.picture.stat().st_size < LARGEST, f"{args.picture} has {args.picture.stat().st_size} bytes"
    print(f"{args.picture}: {args.picture.stat().st_size} bytes")


if __name__ == "__main__":
    main()
