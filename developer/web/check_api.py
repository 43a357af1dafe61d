"""Holds the API of a running stack against its OpenAPI document.

    check_api.py

Starts a stack whose API asks for a token, imports the sample that its
documentation offers, and lets schemathesis ask everything that the document
allows, and what it does not allow. `make test/api` does all of it.
"""

import os
import subprocess
import sys
import sysconfig
import urllib.request
from pathlib import Path
from tempfile import TemporaryDirectory

from stack import Stack

HERE = Path(__file__).parent
TOKEN = "token-of-the-api-tests"


def main() -> int:
    with Stack(API_TOKENS=TOKEN, LOG_LEVEL="ERROR") as stack, TemporaryDirectory() as folder:
        stack.token = TOKEN
        sample = Path(folder, "sample.csv")
        with urllib.request.urlopen(f"{stack.url}/sample.csv", timeout=30) as answer:
            sample.write_bytes(answer.read())
        import_id = stack.upload(sample)
        stack.finished(import_id)
        program = Path(sysconfig.get_path("scripts"), "schemathesis")
        arguments = ["--config-file", HERE / "schemathesis.toml", "run", f"{stack.url}/openapi.json"]
        return subprocess.run(
            [program, *arguments],
            # Its files, and the imports of its hooks, are found from here.
            cwd=folder,
            env=os.environ | {"API_TOKEN": TOKEN, "IMPORT_ID": import_id, "PYTHONPATH": str(HERE)},
        ).returncode


if __name__ == "__main__":
    sys.exit(main())
