"""Whether the first container of a task writes the files that the others read."""

import subprocess
import tempfile
from pathlib import Path

FOLDER = "/etc/billing"


def check(ecs, family: str, files: dict[str, str]) -> None:
    """Runs its command as ECS would, in a folder of its own; raises if a file has another text."""
    definition = ecs.describe_task_definition(taskDefinition=family)["taskDefinition"]
    [writer] = [one for one in definition["containerDefinitions"] if one["name"] == "files"]
    environment = {one["name"]: one["value"] for one in writer["environment"]}
    with tempfile.TemporaryDirectory() as folder:
        command = [part.replace(FOLDER, folder) for part in writer["command"]]
        subprocess.run([*writer["entryPoint"], *command], env={"PATH": "/usr/bin:/bin"} | environment, check=True)
        written = {path.name: path.read_text() for path in Path(folder).iterdir()}
    if written != files:
        raise AssertionError(f"{family} writes {sorted(written)}, with other texts than it was given")
