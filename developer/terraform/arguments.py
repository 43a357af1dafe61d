"""Holds the names of `terraform/` against what today's provider takes.

Terraform validates with the old provider of the check. What later ones took away, renamed or require is only
seen here, and the modules that need a newer provider are only seen here at all.
"""

import json
from collections.abc import Iterator
from pathlib import Path

import hcl2

# What Terraform itself takes in any resource or data source
META = {"count", "for_each", "provider", "depends_on", "lifecycle", "provisioner", "connection"}


class Provider:
    """What a provider takes, as provider_types.py wrote it."""

    def __init__(self, file: Path):
        self._known = json.loads(file.read_text())
        self.version = self._known["version"]

    def problems(self, kind: str, name: str, body: dict, where: str) -> Iterator[str]:
        """What is wrong with a resource or data source of that type."""
        known = self._known["resources" if kind == "resource" else "data-sources"].get(name)
        if known is None:
            yield f"{where}: the provider knows no {name}"
            return
        given = {key: value for key, value in body.items() if key not in META}
        yield from self._problems_of_block(known, given, where)

    def _problems_of_block(self, name: str, body: dict, where: str) -> Iterator[str]:
        takes = self._known["types"][name]
        given = with_dynamic(body)
        for argument, value in given.items():
            if argument not in takes:
                yield f"{where}: there is no {argument}"
            elif takes[argument]["block"]:
                for inner in blocks(value):
                    yield from self._problems_of_block(takes[argument]["block"], inner, f"{where}.{argument}")
        for argument, about in takes.items():
            if about["required"] and argument not in given:
                yield f"{where}: {argument} is missing"


def blocks(value: object) -> list[dict]:
    """The blocks of an argument; an expression is none."""
    values = value if isinstance(value, list) else [value]
    return [one for one in values if isinstance(one, dict)]


def with_dynamic(body: dict) -> dict:
    """A body in which each `dynamic` block is what it makes."""
    plain = {key: value for key, value in body.items() if key != "dynamic"}
    for dynamic in body.get("dynamic", []):
        for name, made in dynamic.items():
            plain.setdefault(name, []).extend(made["content"])
    return plain


def unquoted(value: object) -> object:
    """What hcl2 read, without the quotes of labels and the marks that it adds."""
    if isinstance(value, dict):
        return {key.strip('"'): unquoted(inner) for key, inner in value.items() if not key.startswith("__")}
    if isinstance(value, list):
        return [unquoted(inner) for inner in value]
    return value


def declared(folder: Path) -> Iterator[tuple[str, str, str, dict]]:
    """Kind, type, place and body of each resource and data source below a folder."""
    for file in sorted(folder.rglob("*.tf")):
        if ".terraform" in file.parts:
            continue
        with file.open() as text:
            content = unquoted(hcl2.load(text))
        for kind in ("resource", "data"):
            for entry in content.get(kind, []):
                for name, bodies in entry.items():
                    for label, body in bodies.items():
                        yield kind, name, f"{file.relative_to(folder)}: {name}.{label}", body


def check(folder: Path, types: Path) -> str:
    """What was looked at; raises with all that is wrong."""
    provider = Provider(types)
    looked = list(declared(folder))
    problems = [problem for one in looked for problem in provider.problems(one[0], one[1], one[3], one[2])]
    if problems:
        raise SystemExit(f"not what provider {provider.version} takes:\n  " + "\n  ".join(problems))
    kinds = len({name for _, name, _, _ in looked})
    return f"{len(looked)} resources of {kinds} types are what provider {provider.version} takes"
