"""axe-core's checks of a page for people who use a keyboard or a screen reader.

https://github.com/dequelabs/axe-core; the file comes with the package axe-playwright-python.
"""

from __future__ import annotations

from importlib.resources import files

from browser import Browser

_RUN = """
axe.run(document).then(found => found.violations.map(one => {
    const where = one.nodes.slice(0, 4).map(node => node.html).join(" | ");
    return `${one.id}: ${one.help}: ${where}`;
}))
"""


def violations(browser: Browser) -> list[str]:
    """Return what axe-core finds wrong with the page as it is now, a line for each rule."""
    script = files("axe_playwright_python").joinpath("axe.min.js").read_text("utf-8")
    browser.value(f"{script};0")
    found = browser.call(
        "Runtime.evaluate", {"expression": _RUN, "awaitPromise": True, "returnByValue": True}
    )
    return list(found["result"]["value"])
