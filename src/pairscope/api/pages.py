"""Pages rendered here, not by the dashboard: the API reference, and what to do when the dashboard is not built.

Plain HTML with one stylesheet of our own: the Content-Security-Policy allows no inline style and no script.
"""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Iterable, Mapping
from html import escape
from pathlib import Path
from typing import Any

STYLE_PATH = "/docs/style.css"
_STYLE = Path(__file__).with_name("pages.css")

_CODE, _AS_CODE = re.compile("`([^`]+)`"), r"<code>\1</code>"

Json = Mapping[str, Any]


@functools.cache
def style() -> bytes:
    return _STYLE.read_bytes()


def not_built_page() -> str:
    body = """<main><h1>The dashboard is not built</h1>
<p>This installation has the Python part only. The API works: see <a href="/docs">the reference</a>.</p>
<p>To build the dashboard into a checkout of the source, run</p>
<pre><code>make install</code></pre>
<p>or install the package without <code>PAIRSCOPE_WEB=skip</code>, then start pairscope again.</p></main>"""
    return _page("pairscope: dashboard not built", body)


def reference_page(document: Json, address: str) -> str:
    """Every route with its parameters, answers, errors and an example, and every type that crosses the wire."""
    errors = document["components"]["responses"]
    groups: dict[str, list[str]] = {}
    links: dict[str, list[str]] = {}
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            group = operation["tags"][0]
            groups.setdefault(group, []).append(_operation(method, path, operation, errors, address))
            links.setdefault(group, []).append(
                f'<li><a href="#{escape(operation["operationId"])}">{escape(path)}</a></li>'
            )
    types = document["components"]["schemas"]
    navigation = "".join(f"<h2>{escape(group)}</h2><ul>{''.join(items)}</ul>" for group, items in links.items())
    sections = "".join(f"<h2>{escape(group)}</h2>{''.join(items)}" for group, items in groups.items())
    tables = "".join(_type(name, schema) for name, schema in sorted(types.items()))
    info = document["info"]
    type_links = "".join(f'<li><a href="#type-{name}">{name}</a></li>' for name in sorted(types))
    body = f"""<nav aria-label="Contents"><p class="name"><a href="/app/">pairscope</a> {escape(info["version"])}</p>
{navigation}<h2>Types</h2><ul>{type_links}</ul></nav>
<main><h1>API reference</h1>{_prose(info["description"])}
<p>Machine-readable: <a href="/openapi.json">openapi.json</a></p>
{sections}<h2>Types</h2>{tables}</main>"""
    return _page("pairscope API", body)


def _page(title: str, body: str) -> str:
    return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="dark">
<link rel="icon" href="/app/favicon.svg"><link rel="stylesheet" href="{STYLE_PATH}"></head>
<body>{body}</body></html>
"""


def _operation(method: str, path: str, operation: Json, errors: Json, address: str) -> str:
    verb = "WS" if "x-websocket" in operation else method.upper()
    example = operation["x-example"]
    asks = "curl" if method == "get" else f"curl -X {method.upper()}"
    command = f"{asks} '{address}{example}'{_sent(operation)}" if example.startswith("/") else example
    return f"""<section id="{escape(operation["operationId"])}">
<h3><span class="verb">{verb}</span> <code>{escape(path)}</code></h3>
<p class="summary">{escape(operation["summary"])}</p>{_prose(operation["description"])}
{_parameters(operation["parameters"])}{_body(operation)}{_answers(operation, errors)}
<pre><code>{escape(command)}</code></pre></section>"""


def _sent(operation: Json) -> str:
    """The body of an example, as a shell is given it."""
    if "requestBody" not in operation:
        return ""
    body = json.dumps(operation["requestBody"]["content"]["application/json"]["example"])
    return f" -H 'content-type: application/json' \\\n  -d '{body}'"


def _body(operation: Json) -> str:
    if "requestBody" not in operation:
        return ""
    shape = _shape(operation["requestBody"]["content"]["application/json"]["schema"])
    return f"<p>Is sent with a body: {shape}.</p>"


def _parameters(parameters: Iterable[Json]) -> str:
    rows = "".join(
        f"<tr><td><code>{escape(one['name'])}</code></td><td>{_shape(one['schema'])}</td>"
        f"<td>{'yes' if one['required'] else ''}</td><td>{escape(one['description'])}{_bounds(one['schema'])}</td></tr>"
        for one in parameters
    )
    return _table(("parameter", "type", "needed", "meaning"), rows) if rows else ""


def _answers(operation: Json, errors: Json) -> str:
    rows = ""
    for status, response in operation["responses"].items():
        told = errors[_last(response["$ref"])] if "$ref" in response else response
        content = told.get("content", {}).get("application/json")
        shape = _shape(content["schema"]) if content else ""
        rows += f"<tr><td>{status}</td><td>{shape}</td><td>{escape(told['description'])}</td></tr>"
    if "x-websocket" in operation:
        for side, schema in operation["x-websocket"].items():
            rows += f"<tr><td>{escape(side)} sends</td><td>{_shape(schema)}</td><td></td></tr>"
    return _table(("answer", "type", ""), rows)


def _type(name: str, schema: Json) -> str:
    needed = set(schema.get("required", ()))
    rows = "".join(
        f"<tr><td><code>{escape(field)}</code></td><td>{_shape(shape)}</td>"
        f"<td>{'yes' if field in needed else ''}</td></tr>"
        for field, shape in schema.get("properties", {}).items()
    )
    table = _table(("field", "type", "always"), rows) if rows else f"<p>{_shape(schema)}</p>"
    about = _prose(schema["description"]) if "description" in schema else ""
    return f'<section id="type-{escape(name)}"><h3><code>{escape(name)}</code></h3>{about}{table}</section>'


def _shape(schema: Json) -> str:
    """A schema in the words of a reader: list of number, number or null, name of a type."""
    if "$ref" in schema:
        return _link(_last(schema["$ref"]))
    if "const" in schema:
        return f"<code>{escape(str(schema['const']))}</code>" if schema["const"] != "" else "nothing"
    if "enum" in schema:
        return " or ".join(f"<code>{escape(str(value))}</code>" for value in schema["enum"])
    if "anyOf" in schema:
        return " or ".join(_shape(one) for one in schema["anyOf"])
    kind = schema.get("type", "anything")
    if kind == "array":
        return f"list of {_shape(schema.get('items', {}))}"
    if kind == "object" and (values := schema.get("additionalProperties")):
        return f"name to {'anything' if values is True else _shape(values)}"
    return escape(str(kind))


def _bounds(schema: Json) -> str:
    told = [f"{word} {schema[key]:,}" for key, word in (("minimum", "from"), ("maximum", "to")) if key in schema]
    if "default" in schema:
        told.append(f"default {schema['default']}")
    return f" <em>{escape(', '.join(told))}</em>" if told else ""


def _table(heads: Iterable[str], rows: str) -> str:
    head = "".join(f'<th scope="col">{head}</th>' if head else "<td></td>" for head in heads)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"


def _prose(text: str) -> str:
    """Paragraphs are apart by an empty line; `backquotes` mark code."""
    paragraphs = (escape(" ".join(part.split())) for part in text.split("\n\n"))
    return "".join(f"<p>{_CODE.sub(_AS_CODE, one)}</p>" for one in paragraphs)


def _link(name: str) -> str:
    return f'<a href="#type-{escape(name)}">{escape(name)}</a>'


def _last(reference: str) -> str:
    return reference.rsplit("/", 1)[1]
