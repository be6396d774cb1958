"""Make the README's screenshot of the report from a finished run. Run it manually:

    python -m tests.support.screenshots results/pocket

It shows the report in Chromium, on a desktop screen and on a phone, next to each other.
"""

import argparse
import tempfile
from pathlib import Path

from PIL import Image

from tests.support import browser

PICTURE = Path(__file__).parents[2] / "docs" / "pictures" / "report.png"
SCREEN, PHONE, HEIGHT, MARGIN = 1180, 390, 900, 24  # px
MAX_BYTES = 300_000
VIEWS = """<!doctype html>
<style>
body {{ margin: 0; padding: {margin}px; display: flex; gap: {margin}px; background: #b9b2a7; }}
iframe {{ border: 0; border-radius: 10px; height: {height}px; background: #fdfcfa; flex: none; }}
</style>
<iframe src="{page}" width="{screen}"></iframe>
<iframe src="{page}#{anchor}" width="{phone}"></iframe>
"""


def main() -> None:
    """Write the PNG file. AssertionError if it is larger than MAX_BYTES."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path, help="folder of a finished run")
    parser.add_argument("--anchor", default="flow", help="id of the element that the phone shows (default: flow)")
    parser.add_argument("--picture", type=Path, default=PICTURE, help="PNG file to write")
    args = parser.parse_args()

    page = (args.run / "report" / "index.html").resolve()
    assert page.is_file(), f"no such file: {page}. Give the folder of a finished run."
    assert browser.CHROMIUM, "Chromium was not found. Install it."
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
    file_bytes = args.picture.stat().st_size
    assert file_bytes < MAX_BYTES, f"{args.picture}: {file_bytes} bytes; at most {MAX_BYTES} are allowed."
    print(f"{args.picture}: {file_bytes} bytes")


if __name__ == "__main__":
    main()
