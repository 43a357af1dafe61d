"""Proves `terraform/`: what it says, what it makes, and that the suite works on it.

    check.py TOOLS PROGRAMS

TOOLS is the folder that developer/setup_terraform.sh filled, PROGRAMS that with devstack and the services.
`make test/terraform` does all of it.
"""

import re
import subprocess
import sys
import time
from contextlib import ExitStack
from pathlib import Path

import arguments
import described
import policies
import task_files
from drift import changed
from emulator import Emulator
from mail_server import MailServer
from recorder import Recorder
from scenario import Scenario
from suite import Suite
from workspace import Workspace

REPOSITORY = Path(__file__).resolve().parents[2]
SOURCE = REPOSITORY / "terraform"
EXAMPLE = "examples/sa-east-1"
REGION = "sa-east-1"
# What the old provider does not know, and arguments.py alone looks at
NEWER = ["storage_settings.tf"]
NEWER_MODULES = {"storage-settings", "ledger-valkey"}
# What it crashes on in the emulator, and is planned only
NOT_MADE = ["services.tf"]
# What somebody who uses the example has to say
VARIABLES = {
    "bucket": "billing-imports-of-tests",
    "host": "billing.example.com",
    "certificate_arn": "arn:aws:acm:sa-east-1:000000000000:certificate/00000000-0000-0000-0000-000000000000",
    "image_tag": "1",
    "ledger_password": "a-password-of-the-check".replace("-", "").ljust(24, "0"),
    "api_tokens": ["a-token-of-the-check"],
    "smtp": {"host": "smtp.example.com", "port": 587, "from": "a@example.com", "username": "a", "max_per_second": 14},
    "smtp_password": "a-password-of-the-check",
    "keep_data": False,
}
# Any text is a certificate here, whatever a shell would make of it
CERTIFICATES = """-----BEGIN CERTIFICATE-----
'$FILE_0' "$(exit 1)" %s \\n ${x} `exit 1`
-----END CERTIFICATE-----
"""
PROGRAMS = ["importer-api", "billing-worker", "send-mail-worker", "operator"]


class Proof:
    def __init__(self, tools: Path, programs: Path):
        self._tools, self._programs = tools, programs
        self._files = tools / "run"
        self._files.mkdir(exist_ok=True)
        self._certificates = self._files / "rds.pem"
        for log in self._files.glob("*.log"):
            log.unlink()
        self._began = time.monotonic()

    def run(self) -> None:
        self._read()
        with Emulator(self._files / "ministack.log") as emulator:
            whole = self._example(emulator, NEWER)
            self._say(f"{len(whole.plan())} resources are planned")
            example = self._example(emulator, NEWER + NOT_MADE)
            example.apply()
            self._say(f"{len(example.resources())} of them were made")
            if drift := list(changed(example.plan())):
                raise SystemExit("a second plan is not empty:\n  " + "\n  ".join(drift))
            self._say("a second plan changes nothing")
            task_files.check(emulator.client("ecs", REGION), "billing-importer-api", {"rds.pem": CERTIFICATES})
            self._say("a task finds its files")
            self._use(emulator, example.outputs())
            example.destroy()
            self._say(f"nothing is left: {self._left(emulator, example)}")

    def _example(self, emulator: Emulator, without: list[str]) -> Workspace:
        example = self._workspace(EXAMPLE, without)
        self._certificates.write_text(CERTIFICATES)
        example.use_emulator(emulator.url, rds_certificates=str(self._certificates), **VARIABLES)
        example.init()
        return example

    def _read(self) -> None:
        """What can be seen without AWS."""
        checkov = self._checkov()
        self._workspace(EXAMPLE, []).run("fmt", "-check", "-diff", "-recursive", str(SOURCE))
        self._say("the format is Terraform's own")
        self._say(described.check(SOURCE))
        self._say(arguments.check(SOURCE, self._tools / "types.json"))
        modules = sorted(path.name for path in (SOURCE / "modules").iterdir() if path.name not in NEWER_MODULES)
        for root in [f"modules/{name}" for name in modules]:
            module = self._workspace(root, [])
            module.init()
            module.validate()
        self._say(f"valid: {', '.join(modules)}")
        said, _ = checkov.communicate()
        if checkov.returncode != 0:
            raise SystemExit(said)
        self._say(f"checkov: {' '.join(re.findall('.*checks: .*', said))}")

    def _checkov(self) -> subprocess.Popen:
        """It takes its time, so the others need not wait for it."""
        command = [self._tools / "checkov/bin/checkov", "--directory", SOURCE, "--framework", "terraform"]
        options = ["--quiet", "--compact", "--skip-download"]
        return subprocess.Popen([*command, *options], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)

    def _use(self, emulator: Emulator, outputs: dict) -> None:
        """Runs the suite on what was made, and compares its calls with its rights."""
        with ExitStack() as running:
            recorders = {name: running.enter_context(Recorder(emulator.port, REGION)) for name in PROGRAMS}
            mails = running.enter_context(MailServer())
            environment = with_secrets(outputs, emulator.client("secretsmanager", REGION))
            suite = running.enter_context(Suite(self._programs, self._files, environment, recorders, mails.port))
            clients = {service: emulator.client(service, REGION) for service in ("sqs", "sns")}
            for shown in Scenario(suite, mails, environment, clients, self._programs, self._files).run():
                self._say(shown)
            calls = {name: recorder.calls for name, recorder in recorders.items()}
            sizes = {name: recorder.bytes for name, recorder in recorders.items()}
        wrong = [
            problem
            for name in PROGRAMS
            for problem in policies.problems(name, outputs["policies"][name], set(calls[name]))
        ]
        if wrong:
            raise SystemExit("the policies are not what the programs need:\n  " + "\n  ".join(wrong))
        for name in PROGRAMS:
            actions = {call.action for call in calls[name]}
            made = sum(calls[name].values())
            self._say(f"{name} made {made} calls ({sizes[name]:,} bytes) with {len(actions)} rights, and has no other")

    def _left(self, emulator: Emulator, example: Workspace) -> str:
        """What a look at the emulator finds after the end; raises if that is something."""
        looks = {
            "resources": example.resources(),
            "queues": emulator.client("sqs", REGION).list_queues().get("QueueUrls", []),
            "topics": emulator.client("sns", REGION).list_topics()["Topics"],
            "buckets": emulator.client("s3", REGION).list_buckets()["Buckets"],
            "databases": emulator.client("rds", REGION).describe_db_instances()["DBInstances"],
            "secrets": emulator.client("secretsmanager", REGION).list_secrets()["SecretList"],
            "repositories": emulator.client("ecr", REGION).describe_repositories()["repositories"],
            "clusters": emulator.client("ecs", REGION).list_clusters()["clusterArns"],
            "networks": emulator.client("ec2", REGION).describe_vpcs(Filters=[{"Name": "is-default", "Values": ["false"]}])["Vpcs"],
            "roles": [
                role["RoleName"]
                for role in emulator.client("iam", REGION).list_roles()["Roles"]
                if not role["Path"].startswith("/aws-service-role/")
            ],
        }
        if left := {kind: found for kind, found in looks.items() if found}:
            raise SystemExit(f"destroy left something: {left}")
        return f"no {', '.join(looks)}"

    def _workspace(self, root: str, without: list[str]) -> Workspace:
        return Workspace(SOURCE, self._tools / "copy", root, self._tools / "plugins", without)

    def _say(self, text: str) -> None:
        print(f"{time.monotonic() - self._began:6.1f} s  {text}", flush=True)


def with_secrets(outputs: dict, secrets) -> dict[str, dict[str, str]]:
    """The variables of each program, with the values of its secrets as ECS would put them there."""
    return {
        program: outputs["environment"].get(program, {"AWS_REGION": REGION})
        | {name: secrets.get_secret_value(SecretId=arn)["SecretString"] for name, arn in arns.items()}
        for program, arns in outputs["secrets"].items()
    }


if __name__ == "__main__":
    Proof(Path(sys.argv[1]).resolve(), Path(sys.argv[2]).resolve()).run()
