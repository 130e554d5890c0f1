"""A chart as bytes: PNG, SVG, and SVG for inside the report's page. Same content, same bytes.

`write` calls these, inside of `style`. Drawn straight onto the Agg and SVG canvases: no window system is asked for.
"""

from __future__ import annotations

import io
import re
from xml.etree import ElementTree as ET

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure

from lrtui.report.figures.axes_and_panels import label
from lrtui.report.palette import variables

PNG_DPI = 160
_NO_METADATA = {"Creator": None, "Date": None, "Format": None, "Type": None}


def png(figure: Figure) -> bytes:
    """Return a chart as a PNG on a light ground."""
    figure.set_canvas(FigureCanvasAgg(figure))
    data = io.BytesIO()
    figure.savefig(data, format="png", dpi=PNG_DPI, metadata={"Software": None})
    return data.getvalue()


def svg(figure: Figure, name: str, title: str) -> str:
    """Return a chart as an SVG file on a light ground."""
    root = _tree(figure, name, title)
    root.set("xmlns", "http://www.w3.org/2000/svg")
    root.set("xmlns:xlink", "http://www.w3.org/1999/xlink")
    for element in root.iter():
        if (target := element.attrib.pop("href", None)) is not None:
            element.set("xlink:href", target)
    return '<?xml version="1.0" encoding="utf-8"?>\n' + ET.tostring(root, "unicode") + "\n"


def inline(figure: Figure, name: str, title: str) -> str:
    """Return a chart to embed in a page: the page's colours by name, its font, no background, no name spaces."""
    root = _tree(figure, name, title)
    names = {colour: f"var({css})" for css, colour in variables(dark=False).items()}
    known = re.compile("|".join(names))
    for element in root.iter():
        if "style" in element.attrib:
            text = known.sub(lambda found: names[found[0]], element.attrib["style"])
            element.set("style", re.sub(r"font: ([\d.]+px) [^;]*", r"font-size: \1", text))
    del root.attrib["width"], root.attrib["height"]
    return ET.tostring(root, "unicode", short_empty_elements=True)


def _tree(figure: Figure, name: str, title: str) -> ET.Element:
    """Return a chart's SVG without name spaces, metadata and unused ids; the other ids begin with its name."""
    figure.set_canvas(FigureCanvasSVG(figure))
    data = io.StringIO()
    figure.savefig(data, format="svg", metadata=_NO_METADATA)
    root = ET.fromstring(data.getvalue())  # noqa: S314  # it was written by the line above
    _prune(root)
    text = ET.tostring(root, "unicode")
    wanted = set(re.findall(r'(?:url\(#|href="#)([^")]+)', text))
    for element in root.iter():
        own = element.attrib.pop("id", None)
        if own in wanted:
            element.set("id", f"{name}-{own}")
        for key, value in element.attrib.items():
            if "#" in value and key != "style":
                element.set(
                    key,
                    value.replace("url(#", f"url(#{name}-").replace(
                        "#", f"#{name}-", value.startswith("#")
                    ),
                )
    root.attrib.pop("version", None)
    root.set("role", "img")
    root.set("aria-label", label(title, 200))
    return root


def _prune(element: ET.Element) -> None:
    element.tag = element.tag.rpartition("}")[2]
    for key in [key for key in element.attrib if key.startswith("{")]:
        element.set(key.rpartition("}")[2], element.attrib.pop(key))
    for child in list(element):
        _prune(child)
        if child.tag in {"metadata", "style"}:
            element.remove(child)
    element.tail = None
    if element.text is not None and not element.text.strip():
        element.text = None
