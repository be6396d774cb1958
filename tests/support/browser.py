"""The layout of a page in a real browser, and screenshots. Needs Chromium; works offline."""

import html
import json
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
QUIET = [
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--hide-scrollbars",
]  # fmt: skip
DARK = "--blink-settings=preferredColorScheme=0"
LIGHT = "--blink-settings=preferredColorScheme=1"
# Opens every <details>, then reports the page's width and the elements that overflow it without a scroll bar of their own.
MEASURE = """<script>addEventListener("load", () => {
  document.querySelectorAll("details").forEach(part => part.open = true);
  const scrolls = part => part && (/auto|scroll|hidden/.test(getComputedStyle(part).overflowX) || scrolls(part.parentElement));
  const out = [...document.querySelectorAll("body *")].filter(part =>
    part.getBoundingClientRect().right > innerWidth + 1 && part.getBoundingClientRect().width && !scrolls(part.parentElement));
  parent.postMessage({width: document.documentElement.scrollWidth, wanted: innerWidth,
    out: out.slice(0, 5).map(part => part.outerHTML.slice(0, 200))}, "*");
});</script>"""

# Opens and touches everything on a page, follows its javascript: links, and reports what ran or could have run.
ATTACK = """<script>addEventListener("load", () => {
  const all = [...document.querySelectorAll("*")], links = all.filter(part => /^\\s*javascript:/i.test(part.getAttribute("href") || ""));
  for (const part of all) {
    if (part.localName === "details") part.open = true;
    for (const kind of ["mouseover", "focus", "toggle"]) part.dispatchEvent(new Event(kind, {bubbles: true}));
  }
  links.forEach(link => link.dispatchEvent(new MouseEvent("click", {bubbles: true, cancelable: true})));
  setTimeout(() => document.title = JSON.stringify({
    ran: document.documentElement.dataset.ran || null, links: links.length,
    handlers: all.filter(part => [...part.attributes].some(attribute => attribute.name.startsWith("on"))).length,
    shown: document.body.textContent.includes("MARK")}), 2000);
});</script>"""
# Each part sets `ran` if it is executed; it begins by closing what may be around it.
HOSTILE = (
    "</script></style></title></textarea></pre>-->]]><script>document.documentElement.dataset.ran = 'script'</script>"
    "<img src=x onerror=\"document.documentElement.dataset.ran = 'image'\"><svg onload=\"document.documentElement.dataset.ran = 'svg'\">"
    "<a href=\"javascript:void(document.documentElement.dataset.ran = 'link')\">x</a> [y](javascript:alert) <javascript:alert> "
    "\" onmouseover=\"document.documentElement.dataset.ran = 'attribute'\" ' onfocus='document.documentElement.dataset.ran = 1' "
)


def chromium(*words: str) -> str:
    """Run Chromium with an empty profile; returns its stdout."""
    with tempfile.TemporaryDirectory() as profile:
        command = [CHROMIUM, *QUIET, f"--user-data-dir={profile}", *words]
        return subprocess.run(command, check=True, capture_output=True, text=True, errors="replace", timeout=120).stdout


def measured(page: Path, width: int) -> dict:
    """{width, wanted, out} of a page in a window of `width` px: its width, the window's, and the HTML of overflowing elements.

    Every <details> is open. The page's content security policy allows no script, so a copy without the policy is measured.
    The copy is in a frame, because a window has a minimum width.
    """
    with tempfile.TemporaryDirectory() as folder:
        text = re.sub(r'<meta http-equiv="Content-Security-Policy"[^>]*>', MEASURE, page.read_text(encoding="utf-8"))
        assert MEASURE in text
        Path(folder, "copy.html").write_text(text, encoding="utf-8")
        frame = Path(folder, "frame.html")
        frame.write_text(
            '<!doctype html><script>addEventListener("message", event => document.title = JSON.stringify(event.data))</script>'
            f'<iframe src="copy.html" width="{width}" height="800" style="border: 0"></iframe>'
        )
        shown = chromium("--virtual-time-budget=20000", "--dump-dom", frame.as_uri())
    title = re.search(r"<title>(.*?)</title>", shown, re.DOTALL)[1]
    return json.loads(title.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&"))


def attacked(page: Path, mark: str) -> dict:
    """{ran, links, handlers, shown} of a page without its content security policy, which would stop any script.

    What ran (null if nothing), the number of javascript: links and of elements with event handlers, and whether the page
    shows the text `mark`.
    """
    text = re.sub(r'<meta http-equiv="Content-Security-Policy"[^>]*>', "", page.read_text(encoding="utf-8"))
    start = re.search(r"<head[^>]*>", text)
    place = start.end() if start else 0
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder, "copy.html")
        copy.write_text(text[:place] + ATTACK.replace("MARK", mark) + text[place:], encoding="utf-8")
        shown = chromium("--virtual-time-budget=20000", "--dump-dom", copy.as_uri())
    return json.loads(html.unescape(re.search(r"<title>(.*?)</title>", shown, re.DOTALL)[1]))


def screenshot(page: Path, picture: Path, width: int, height: int, scheme: str = LIGHT) -> None:
    """Write a screenshot of the top `width` x `height` px of the page."""
    chromium(
        f"--screenshot={picture}", f"--window-size={width},{height}", scheme,
        page.as_uri(),
    )  # fmt: skip
