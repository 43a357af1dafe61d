"""Holds the API of a running stack against its OpenAPI document.

    check_api.py

Starts a stack whose API asks for a token, imports the sample that its
documentation offers, cancels another import, and lets schemathesis ask
everything that the document allows, and what it does not allow. `make
test/api` does all of it.
"""

import os
import subprocess
import sys
import sysconfig
import urllib.request
from pathlib import Path
from tempfile import TemporaryDirectory

from stack import Stack, generate

HERE = Path(__file__).parent
TOKEN = "token-of-the-api-tests"
# One batch at a time: so long does an import take that it can be cancelled.
SLOW = {"MAX_CSV_PROCESS_CONCURRENT_TASKS": "1"}
ROWS = 50_000


def main() -> int:
    with Stack(API_TOKENS=TOKEN, LOG_LEVEL="ERROR", **SLOW) as stack, TemporaryDirectory() as folder:
        stack.token = TOKEN
        sample = Path(folder, "sample.csv")
        with urllib.request.urlopen(f"{stack.url}/sample.csv", timeout=30) as answer:
            sample.write_bytes(answer.read())
        finished = stack.upload(sample)
        stack.finished(finished)
        large = Path(folder, "large.csv")
        generate(large, ROWS)
        cancelled = stack.upload(large)
        stack.ask(f"/v1/imports/{cancelled}/cancel", body=b"")
        stack.finished(cancelled)
        # Another one is erased: what erases an import must not take the others' answers.
        erased = stack.upload(sample)
        stack.finished(erased)
        known = {"API_TOKEN": TOKEN, "FINISHED": finished, "CANCELLED": cancelled, "ERASED": erased}
        program = Path(sysconfig.get_path("scripts"), "schemathesis")
        arguments = ["--config-file", HERE / "schemathesis.toml", "run", f"{stack.url}/openapi.json"]
        return subprocess.run(
            [program, *arguments],
            # Its files, and the imports of its hooks, are found from here.
            cwd=folder,
            env=os.environ | known | {"PYTHONPATH": str(HERE)},
        ).returncode


if __name__ == "__main__":
    sys.exit(main())
