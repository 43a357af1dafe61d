"""Whether each variable and output of `terraform/` says what it is."""

from pathlib import Path

import hcl2


def check(folder: Path) -> str:
    """How many there are; raises with those that say nothing."""
    found, silent = 0, []
    for file in sorted(folder.rglob("*.tf")):
        with file.open() as text:
            content = hcl2.load(text)
        for kind in ("variable", "output"):
            for entry in content.get(kind, []):
                for name, body in entry.items():
                    found += 1
                    if not body.get("description", "").strip('" '):
                        silent.append(f"{file.relative_to(folder)}: {kind} {name}")
    if silent:
        raise SystemExit("without a description:\n  " + "\n  ".join(silent))
    return f"{found} variables and outputs say what they are"
