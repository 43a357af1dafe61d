"""Reads what today's AWS provider takes out of the wheel of its generated types.

    provider_types.py WHEEL OUTPUT

The types are for writing Terraform in other languages. Here they are reduced to names: which type a resource
or data source has, and of each type the arguments, which of them it requires, and the types of its blocks.
"""

import io
import json
import re
import sys
import tarfile
import zipfile
from pathlib import Path

NAME = re.compile(r"/aws/([0-9.]+)/docs/(resources|data-sources)/([a-z0-9_]+)#([a-z0-9_]+)")


def assembly(wheel: Path) -> dict:
    """All types of the wheel."""
    with zipfile.ZipFile(wheel) as files:
        [packed] = [name for name in files.namelist() if name.endswith(".jsii.tgz")]
        with tarfile.open(fileobj=io.BytesIO(files.read(packed))) as package:
            return json.load(package.extractfile("package/.jsii"))["types"]


def named(prop: dict) -> re.Match | None:
    """Version, kind, resource and argument that the documentation of a property links to."""
    docs = prop.get("docs", {})
    return NAME.search(docs.get("summary", "") + docs.get("remarks", ""))


def block_of(types: dict, declared: dict) -> str | None:
    """The name of the type of a block, where a property is one."""
    if "fqn" in declared:
        return declared["fqn"] if declared["fqn"] in types else None
    inner = declared.get("union", {}).get("types", [])
    inner = inner + [declared["collection"]["elementtype"]] if "collection" in declared else inner
    return next(filter(None, (block_of(types, one) for one in inner)), None)


def main(wheel: Path, output: Path) -> None:
    types = assembly(wheel)
    provider = {"version": None, "resources": {}, "data-sources": {}, "types": {}}
    for name, declared in types.items():
        properties = [(prop, named(prop)) for prop in declared.get("properties", [])]
        properties = [(prop, match) for prop, match in properties if match]
        if declared["kind"] != "interface" or not properties:
            continue
        [_, match] = properties[0]
        if "cdktn.TerraformMetaArguments" in declared.get("interfaces", []):
            provider["version"] = match[1]
            provider[match[2]][f"aws_{match[3]}"] = name
        provider["types"][name] = {
            match[4]: {
                "required": not prop.get("optional", False),
                "block": block_of(types, prop["type"]),
            }
            for prop, match in properties
        }
    output.write_text(json.dumps(provider))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
