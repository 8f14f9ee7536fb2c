"""A page that needs nothing from outside: its elements, its looks.

Every text goes through ElementTree, which escapes it.
"""

from __future__ import annotations

from collections.abc import Sequence
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

# Also forbids the browser to fetch anything.
_POLICY = {
    "http-equiv": "Content-Security-Policy",
    "content": "default-src 'none'; style-src 'unsafe-inline'",
}
_STYLE = """
:root { font: 15px/1.7 "Noto Sans CJK SC", "Noto Sans SC", "PingFang SC", "Microsoft YaHei", sans-serif;
  color: #1d2733; background: #f3f5f9; }
body { max-width: 1000px; margin: 0 auto; padding: 28px 24px 60px; }
h1 { font-size: 24px; margin: 0 0 4px; }
h2 { font-size: 18px; margin: 0 0 6px; }
h3 { font-size: 15px; margin: 18px 0 6px; }
p { margin: 6px 0 10px; }
section, .private { border: 1px solid #e3e8ef; border-radius: 12px; padding: 20px 24px; margin: 18px 0; }
section { background: #fff; overflow-x: auto; }
section > svg { min-width: 640px; }
.private { background: #fff1d9; border-color: #f0cf8f; color: #7a4700; padding: 12px 18px; }
.failed { background: #fdeae8; border-color: #f3c1bc; color: #8f1f18; }
.muted, .note { color: #66758a; font-size: 13px; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-size: 14px; font-variant-numeric: tabular-nums; }
th { text-align: left; font-weight: 500; color: #66758a; font-size: 13px; white-space: nowrap; }
th, td { padding: 6px 10px; border-bottom: 1px solid #eef1f5; vertical-align: top; }
th.n, td.n { text-align: right; white-space: nowrap; }
td.name { word-break: break-all; min-width: 130px; }
td.best { font-weight: 700; color: #14774f; }
svg { display: block; width: 100%; height: auto; margin: 8px 0; font-family: inherit; }
.side { display: flex; flex-wrap: wrap; gap: 24px; align-items: flex-start; }
.side > div { flex: 1 1 340px; }
.legend { display: flex; flex-wrap: wrap; gap: 4px 18px; font-size: 13px; color: #4b5a6d; }
.key i { display: inline-block; width: 11px; height: 11px; border-radius: 3px; margin-right: 6px; }
del, ins { border-radius: 3px; padding: 0 1px; text-decoration: none; }
del { color: #b3261e; background: #fdeae8; }
ins { color: #14774f; background: #e2f5ec; }
details { margin: 8px 0; }
summary { cursor: pointer; font-weight: 500; }
.pairs span { display: inline-block; background: #f3f5f9; border-radius: 8px; }
.pairs span { padding: 2px 10px; margin: 3px; }
@media print { body { background: #fff; } section { break-inside: avoid; } }
"""


def element(tag: str, *children: Element | str, **attributes: object) -> Element:
    """An element; `class_` is the attribute class, `text_anchor` text-anchor."""
    made = Element(
        tag, {key.rstrip("_").replace("_", "-"): _plain(value) for key, value in attributes.items()}
    )
    for child in children:
        if isinstance(child, Element):
            made.append(child)
        elif len(made):
            made[-1].tail = (made[-1].tail or "") + child
        else:
            made.text = (made.text or "") + child
    return made


def page(title: str, body: Element) -> str:
    """The whole page, as HTML."""
    metas = [element("meta", charset="utf-8"), Element("meta", _POLICY)]
    metas.append(element("meta", name="viewport", content="width=device-width"))
    head = element("head", *metas, element("title", title), element("style", _STYLE))
    html = ElementTree.tostring(element("html", head, body, lang="zh-CN"), encoding="unicode", method="html")
    return f"<!DOCTYPE html>\n{html}\n"


def table(names: Sequence[str], rows: Sequence[Sequence[Element]]) -> Element:
    """A table; a name that begins with # heads numbers."""
    heads = [
        element("th", name[1:], class_="n") if name.startswith("#") else element("th", name) for name in names
    ]
    body = [element("tr", *row) for row in rows]
    return element(
        "div",
        element("table", element("thead", element("tr", *heads)), element("tbody", *body)),
        class_="scroll",
    )


def numbers(*values: object) -> list[Element]:
    """Cells with numbers."""
    return [element("td", str(value), class_="n") for value in values]


def _plain(value: object) -> str:
    return f"{value:.2f}".rstrip("0").rstrip(".") if isinstance(value, float) else str(value)
