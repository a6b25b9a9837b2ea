"""In the environment of hera: does it, and does Kubernetes' schema, take an exported file?

`python hera_reads.py FILE` prints what is wrong as a JSON list. hera's models are made from Argo's
own schema, and pass over what they do not know; so each is written back, and compared.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import yaml  # type: ignore[import-untyped,unused-ignore]
from hera.workflows import models
from kubernetes_validate import ValidationError, validate


def lost(was: Any, became: Any, place: str) -> list[str]:
    """Name what is other in an object that was read and written back."""
    if isinstance(was, dict) and isinstance(became, dict):
        keys = sorted(was.keys() | became.keys())
        return [
            fact
            for key in keys
            for fact in (
                lost(was[key], became[key], f"{place}.{key}")
                if key in was and key in became
                else [f"{place}.{key} is {'unknown' if key in was else 'added'}"]
            )
        ]
    if isinstance(was, list) and isinstance(became, list) and len(was) == len(became):
        pairs = enumerate(zip(was, became, strict=True))
        return [f for n, (a, b) in pairs for f in lost(a, b, f"{place}[{n}]")]
    return [] if type(was) is type(became) and was == became else [f"{place}: {was!r}: {became!r}"]


def pods(template: dict[str, Any], spec: dict[str, Any]) -> dict[str, Any]:
    """A pod that has what Kubernetes reads of a template."""
    container = {"name": "main", **template["container"]}
    volumes = [*spec.get("volumes", []), *template.get("volumes", [])]
    made = {"containers": [container], "volumes": volumes, **json.loads(spec["podSpecPatch"])}
    if "nodeSelector" in template:
        made["nodeSelector"] = template["nodeSelector"]
    name = {"name": template["name"]}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": name, "spec": made}


def refused(item: dict[str, Any]) -> list[str]:
    """What Kubernetes' own schema says of an object."""
    try:
        validate(item, "1.34", strict=True)
    except ValidationError as error:
        return [f"{item['kind']} {item['metadata']['name']}: {error.message}"]
    return []


def main(file: str) -> list[str]:
    """Read each object of a file."""
    found: list[str] = []
    for item in yaml.safe_load_all(Path(file).read_text("utf-8")):
        if item["kind"] in ("ConfigMap", "Pod"):
            found += refused(item)
            continue
        model = getattr(models, item["kind"]).model_validate(item)
        written = json.loads(model.model_dump_json(by_alias=True, exclude_unset=True))
        found += lost(item, written, item["kind"])
        for template in item["spec"].get("templates", []):
            if "container" in template:
                found += refused(pods(template, item["spec"]))
    return found


if __name__ == "__main__":
    print(json.dumps(main(sys.argv[1])))  # noqa: T201 - it is a command
