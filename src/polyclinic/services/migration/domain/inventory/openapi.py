"""OpenAPI 3 and Swagger 2 documents, JSON or YAML: what somebody once wrote down."""

from typing import Any

import msgspec
import yaml

from polyclinic.foundation.errors import Invalid, TooLarge
from polyclinic.services.migration.domain.inventory.findings import ENDPOINTS_MAX, Endpoint, Finding
from polyclinic.services.migration.domain.inventory.templates import described, names
from polyclinic.services.migration.domain.inventory.traffic import METHODS

OPENAPI_MAX = 32 * 1024 * 1024
YAML_MAX = 4 * 1024 * 1024
STEPS_MAX, FIELDS_MAX = 2000, 200


class _Plain(yaml.SafeLoader):
    """YAML without aliases: a small page of them can unfold into more than a machine holds."""

    def compose_node(self, parent: Any, index: Any) -> Any:
        if self.check_event(yaml.AliasEvent):  # type: ignore[no-untyped-call]
            raise yaml.YAMLError("aliases")
        return super().compose_node(parent, index)  # type: ignore[no-untyped-call]


def read_openapi(content: bytes, label: str = "") -> Finding:
    if len(content) > OPENAPI_MAX:
        raise TooLarge(f"An OpenAPI page of more than {OPENAPI_MAX // 2**20} MB.", place=label)
    page = _page(content, label)
    paths = page.get("paths")
    if not isinstance(paths, dict) or not ("openapi" in page or "swagger" in page):
        raise Invalid("This is not an OpenAPI page: it lists no paths.", place=label)
    base = _base(page)
    made = [
        _endpoint(page, method.upper(), base + path, spec)
        for path, methods in list(paths.items())[:ENDPOINTS_MAX]
        if isinstance(path, str) and isinstance(methods, dict)
        for method, spec in methods.items()
        if isinstance(method, str) and method.upper() in METHODS and isinstance(spec, dict)
    ]
    found = {each.name: each for each in made}
    return Finding(source="openapi", label=label, endpoints=tuple(found.values()), read=len(made))


def _page(content: bytes, label: str) -> dict[str, Any]:
    try:
        if content.lstrip()[:1] == b"{":
            return msgspec.json.decode(content, type=dict[str, Any])
        if len(content) > YAML_MAX:
            raise TooLarge(f"A YAML page of more than {YAML_MAX // 2**20} MB.", place=label)
        page = yaml.load(content, _Plain)  # noqa: S506 - a SafeLoader, made stricter
    except (ValueError, yaml.YAMLError, RecursionError) as refused:
        raise Invalid("This page cannot be read as JSON or plain YAML.", place=label) from refused
    if not isinstance(page, dict):
        raise Invalid("This page is no object.", place=label)
    return page


def _base(page: dict[str, Any]) -> str:
    """What stands before every path, if it is a path itself."""
    servers = page.get("servers")
    first = servers[0].get("url") if isinstance(servers, list) and servers and isinstance(
        servers[0], dict) else page.get("basePath")  # fmt: skip
    if not isinstance(first, str):
        return ""
    path = first.partition("://")[2].partition("/")[2] if "://" in first else first
    return f"/{path.strip('/')}" if path.strip("/") else ""


def _endpoint(page: dict[str, Any], method: str, path: str, spec: dict[str, Any]) -> Endpoint:
    listed = spec.get("parameters")
    given = listed if isinstance(listed, list) else []
    asked = [p.get("name") for p in given if isinstance(p, dict) and p.get("in") == "query"]
    title = spec.get("summary") or spec.get("operationId") or ""
    return Endpoint(
        method=method,
        template=described(path),
        parameters=names(each for each in asked if isinstance(each, str)),
        fields=names(_fields(page, [spec.get("responses"), spec.get("requestBody")])),
        title=title[:120] if isinstance(title, str) else "",
    )


def _fields(page: dict[str, Any], start: Any) -> set[str]:
    """Names of properties wherever a schema stands, also behind references; so many steps only."""
    found, waiting = set[str](), [start]
    for _ in range(STEPS_MAX):
        if not waiting or len(found) >= FIELDS_MAX:
            break
        value = waiting.pop()
        if isinstance(value, list):
            waiting += value[:50]
        elif isinstance(value, dict):
            properties = value.get("properties")
            if isinstance(properties, dict):
                found |= {name for name in properties if isinstance(name, str)}
            reference = value.get("$ref")
            if isinstance(reference, str):
                waiting.append(_referred(page, reference))
            waiting += value.values()
    return found


def _referred(page: dict[str, Any], reference: str) -> Any:
    value: Any = page
    for part in reference.removeprefix("#/").split("/"):
        value = value.get(part) if isinstance(value, dict) else None
    return value
