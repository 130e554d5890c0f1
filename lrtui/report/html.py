"""report.html: the blocks of the report as one file that needs nothing else, neither the network nor a script.

Charts stand in it as SVG and take the page's colours, light or dark as the reader prefers. All text from workers and files is
escaped; a content security policy also forbids scripts and loading.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from html import escape
from typing import Any

from lrtui.report.blocks import (
    Answer,
    Block,
    Bullets,
    Chart,
    Code,
    Heading,
    Paragraph,
    Table,
)
from lrtui.report.document import document, title
from lrtui.report.model import Report
from lrtui.report.palette import variables
from lrtui.text.clean import clean

_LONG = 28
"""Characters from which on a cell of a table may break its line."""


def html(made: Report, charts: Mapping[str, str]) -> str:
    """Return the page from what `content` returned and the charts' inline SVG by name."""
    name = _text(title(made))
    body = "\n".join(filter(None, (_block(block, charts) for block in document(made))))
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n"
        f'<meta name="generator" content="lrtui">\n<meta name="color-scheme" content="light dark">\n'
        f"<title>{name}</title>\n<style>\n{_css()}</style>\n</head>\n<body>\n<main>\n"
        f"<h1>{name}</h1>\n{body}\n</main>\n</body>\n</html>\n"
    )


def _block(block: Block, charts: Mapping[str, str]) -> str:
    match block:
        case Heading(text, level):
            return f"<h{level}>{_text(text)}</h{level}>"
        case Answer():
            return _answer(block)
        case Paragraph(text):
            return f"<p>{_prose(text)}</p>"
        case Bullets(items):
            points = "".join(f"<li>{_prose(item)}</li>" for item in items)
            return f"<ul>{points}</ul>" if items else ""
        case Code(label, lines):
            code = "\n".join(map(_text, lines))
            return (
                f'<p class="label">{_text(label)}</p>\n<pre tabindex="0"><code>{code}</code></pre>'
            )
        case Table():
            return _table(block)
        case Chart(name, caption):
            if name not in charts:
                return ""
            return f'<figure><div class="wide">{charts[name]}</div><figcaption>{_text(caption)}</figcaption></figure>'


def _answer(answer: Answer) -> str:
    facts = "".join(f"<div><dt>{_text(k)}</dt><dd>{_prose(v)}</dd></div>" for k, v in answer.facts)
    facts = f"<dl>{facts}</dl>" if facts else ""
    kind = "answer failed" if answer.failed else "answer"
    mark = '<p class="mark">provisional</p>' if answer.provisional else ""
    return f'<section class="{kind}">{mark}<p class="headline">{_prose(answer.headline)}</p>{facts}</section>'


def _table(table: Table) -> str:
    if not any(table.head):
        rows = "".join(f"<div><dt>{_text(k)}</dt><dd>{_text(v)}</dd></div>" for k, v in table.rows)
        return f'<dl class="pairs">{rows}</dl>'
    beside = [i for i, name in enumerate(table.head) if name != table.below]
    kinds = [' class="n"' if table.head[i] in table.figures else "" for i in beside]
    head = "".join(map(_head, kinds, (table.head[i] for i in beside)))
    body = []
    for i, row in enumerate(table.rows):
        cells = "".join(map(_cell, kinds, (row[n] for n in beside)))
        below = "".join(row[n] for n in range(len(row)) if n not in beside)
        kind = " ".join(name for name, on in (("marked", i in table.marked), ("told", below)) if on)
        body.append(f'<tr class="{kind}">{cells}</tr>' if kind else f"<tr>{cells}</tr>")
        if below:
            cell = f'<td colspan="{len(beside)}"><div>{_prose(below)}</div></td>'
            body.append(f'<tr class="{kind.replace("told", "why")}">{cell}</tr>')
    rows = "\n".join(body)
    return f'<div class="wide"><table><thead><tr>{head}</tr></thead><tbody>\n{rows}\n</tbody></table></div>'


def _head(kind: str, text: str) -> str:
    long = ' class="n long"' if len(text) > _LONG else kind
    return f'<th scope="col"{long}>{_text(text)}</th>'


def _cell(kind: str, text: str) -> str:
    long = ' class="long"' if not kind and len(text) > _LONG else ""
    return f"<td{kind}{long}>{_text(text)}</td>"


def _prose(value: Any) -> str:
    """Return text in which no number is broken: 2.0e-02 has a hyphen."""
    return re.sub(r"[\d.]+e[-+]\d+", r'<span class="k">\g<0></span>', _text(value))


def _text(value: Any) -> str:
    return escape(clean(str(value), 2000), quote=True)


def _css() -> str:
    light, dark = (
        "".join(f"{name}:{colour};" for name, colour in variables(dark=which).items())
        for which in (False, True)
    )
    return f":root{{color-scheme:light dark;{light}}}\n@media (prefers-color-scheme:dark){{:root{{{dark}}}}}\n{_RULES}"


_RULES = """\
*{box-sizing:border-box}
body{margin:0;background:var(--ground);color:var(--ink);font:16px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,sans-serif}
main{max-width:60rem;margin:0 auto;padding:1.5rem 1.25rem 4rem}
h1{font-size:1.1rem;font-weight:600;color:var(--muted);margin:0 0 .75rem;overflow-wrap:anywhere}
h2{font-size:1.25rem;margin:2.75rem 0 .75rem;padding-top:1rem;border-top:1px solid var(--grid)}
h3{font-size:1rem;margin:1.5rem 0 .5rem;overflow-wrap:anywhere}
p,li{max-width:46rem;overflow-wrap:anywhere}
ul{padding-left:1.2rem}
li{margin:.2rem 0}
.answer{background:var(--card);border:1px solid var(--grid);border-left:4px solid var(--accent);border-radius:6px;padding:1rem 1.25rem;margin:0 0 1.25rem}
.failed{border-left-color:var(--bad)}
.headline{font-size:clamp(1.2rem,4.5vw,1.7rem);font-weight:700;line-height:1.25;margin:0;max-width:none}
.failed .headline{font-size:1.2rem}
.mark{display:inline-block;margin:0 0 .4rem;padding:0 .5rem;border:1px solid var(--muted);border-radius:99px;font-size:.8rem;color:var(--muted)}
dl{margin:0}
.answer dl{display:grid;grid-template-columns:repeat(auto-fit,minmax(13rem,1fr));gap:.6rem 1.5rem;margin-top:1rem}
dt{font-size:.8rem;color:var(--muted)}
dd{margin:0;font-variant-numeric:tabular-nums;overflow-wrap:anywhere}
.pairs div{display:grid;grid-template-columns:minmax(7rem,11rem) 1fr;gap:1rem;padding:.25rem 0;border-bottom:1px solid var(--grid)}
.pairs dt{font-size:.95rem}
.label{margin:1rem 0 .3rem;font-size:.9rem;color:var(--muted)}
pre{margin:0;padding:.75rem 1rem;background:var(--card);border:1px solid var(--grid);border-radius:6px;overflow-x:auto;font:.85rem/1.5 ui-monospace,SFMono-Regular,Menlo,Consolas,monospace}
code{font:inherit}
.wide{overflow-x:auto}
table{border-collapse:collapse;font-size:.9rem;font-variant-numeric:tabular-nums}
th{text-align:left;font-weight:600;color:var(--muted);white-space:nowrap}
th,td{padding:.35rem 1.25rem .35rem 0;border-bottom:1px solid var(--grid);vertical-align:top}
td,.k{white-space:nowrap}
td.long,th.long{white-space:normal;min-width:14rem;overflow-wrap:anywhere}
.n{text-align:right;white-space:nowrap}
tr.marked td{background:var(--card)}
tr.marked td:first-child{font-weight:700;box-shadow:inset 3px 0 var(--accent);padding-left:.6rem}
tr.told td{border-bottom:0;padding-bottom:0}
tr.why td{padding-top:0;font-size:.85rem;color:var(--muted)}
tr.marked.why td:first-child{font-weight:400}
tr.why div{position:sticky;left:0;white-space:normal}
@media (max-width:62rem){tr.why div{width:calc(100vw - 3.4rem)}}
figure{margin:0 0 1.25rem}
figure svg{display:block;width:100%;min-width:34rem;height:auto;max-width:54rem;font-family:inherit;stroke-linejoin:round}
figcaption{font-size:.85rem;color:var(--muted);overflow-wrap:anywhere}
@media print{.wide{overflow:visible}body{font-size:11px}h2{break-after:avoid}figure{break-inside:avoid}}
"""
