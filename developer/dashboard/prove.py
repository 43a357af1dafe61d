"""Runs every query of the dashboard and of the alerts where they have to answer.

    prove.py DEVSTACK PROMETHEUS DIRECTORY

DEVSTACK starts the whole stack, PROMETHEUS scrapes it with the rules of
prometheus/, and the sample is uploaded. Then each query of each panel is asked
over the time of the run, with its variables filled in as Grafana does, and
each rule has to evaluate. A dead letter has to raise its alert. The exit code
is 1 if an answer is empty that is not in EMPTY. The logs are in DIRECTORY.
"""

import json
import math
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path

ROOT = Path(__file__).parents[2]
DASHBOARD = ROOT / "grafana/dashboards/pipeline.json"
RULES = ROOT / "prometheus/alerts.yml"
CONFIG = ROOT / "prometheus/prometheus.yml"
SAMPLE = ROOT / "developer/input.csv"

# Queries that may have no answer, by panel, and why.
EMPTY = {}

# What Grafana fills in: all services, all instances, four scrapes of 5 s.
FILLED_IN = {"$app": ".+", "$instance": ".+", "$__rate_interval": "20s"}

LONG = 120  # seconds until what must come has come


def free_ports(count):
    """Ports of 127.0.0.1 on which nobody listens now."""
    listeners = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [listener.getsockname()[1] for listener in listeners]
    for listener in listeners:
        listener.close()
    return ports


def call(url, data=None, headers=None):
    """The JSON that a URL answers."""
    request = urllib.request.Request(url, data, headers or {})
    with urllib.request.urlopen(request, timeout=30) as answer:
        return json.load(answer)


def wait_for(what, ask):
    """The first true thing that `ask` gives; it may fail until then."""
    deadline = time.monotonic() + LONG
    last = None
    while time.monotonic() < deadline:
        try:
            if found := ask():
                return found
        except (OSError, KeyError) as error:
            last = error
        time.sleep(0.2)
    sys.exit(f"{what} did not come in {LONG} s: {last}")


class Stack:
    """The services and a Prometheus that scrapes them."""

    def __init__(self, devstack, prometheus, directory):
        self.directory = directory
        self.processes = []
        names = ["IMPORTER", "BILLING", "MAIL", "EMULATOR", "REDIS", "POSTGRES", "PROMETHEUS"]
        self.ports = dict(zip(names, free_ports(len(names))))
        self.devstack = devstack
        self.program = prometheus

    def __enter__(self):
        try:
            self.start_all()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_):
        self.stop()

    def start_all(self):
        """Starts the services, then Prometheus; returns when it scrapes all of them."""
        variables = {f"DEVSTACK_{name}_PORT": str(port) for name, port in self.ports.items()}
        self.start("devstack", [self.devstack, "run"], {**os.environ, **variables})
        for name in ["IMPORTER", "BILLING", "MAIL"]:
            wait_for(f"the service {name}", lambda name=name: self.is_ready(name))
        self.start_prometheus()

    def start(self, name, command, environment=None):
        """Starts a process that ends with this one."""
        with open(self.directory / f"{name}.log", "wb") as log:
            process = subprocess.Popen(command, stdout=log, stderr=log, env=environment, cwd=ROOT)
        self.processes.append(process)

    def is_ready(self, name):
        """Whether a service answers that it is."""
        return call(f"http://127.0.0.1:{self.ports[name]}/ready")["status"] == "ready"

    def start_prometheus(self):
        """With the jobs and the rules of the project; only the addresses are those of this run."""
        jobs = re.findall(r"job_name: (\S+)", CONFIG.read_text(encoding="utf-8"))
        ports = [self.ports[name] for name in ["IMPORTER", "BILLING", "MAIL"]]
        if jobs != ["importer-api", "billing-worker", "send-mail-worker"]:
            sys.exit(f"prometheus.yml has the jobs {jobs}")
        config = {
            "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
            "rule_files": [str(RULES)],
            "scrape_configs": [
                {"job_name": job, "static_configs": [{"targets": [f"127.0.0.1:{port}"]}]}
                for job, port in zip(jobs, ports)
            ],
        }
        file = self.directory / "prometheus.yml"
        file.write_text(json.dumps(config), encoding="utf-8")  # JSON is YAML
        port = self.ports["PROMETHEUS"]
        self.prometheus = f"http://127.0.0.1:{port}/api/v1"
        options = [
            f"--config.file={file}",
            f"--storage.tsdb.path={self.directory / 'data'}",
            f"--web.listen-address=127.0.0.1:{port}",
        ]
        self.start("prometheus", [self.program, *options])
        ready = f"http://127.0.0.1:{port}/-/ready"
        wait_for("Prometheus", lambda: urllib.request.urlopen(ready, timeout=5))
        wait_for("all targets", lambda: len(self.ask("up == 1")) == len(jobs))

    def ask(self, expression):
        """The series that an expression has now."""
        return self.get("query", query=expression)["result"]

    def get(self, route, **parameters):
        """What Prometheus answers."""
        url = f"{self.prometheus}/{route}?{urllib.parse.urlencode(parameters, doseq=True)}"
        try:
            return call(url)["data"]
        except urllib.error.HTTPError as error:
            sys.exit(f"{parameters}: {error.read().decode()}")

    def upload(self):
        """Uploads the sample and waits for its end."""
        form = b'--x\r\nContent-Disposition: form-data; name="file"; filename="input.csv"\r\n\r\n%s\r\n--x--\r\n'
        importer = f"http://127.0.0.1:{self.ports['IMPORTER']}/v1"
        kind = {"Content-Type": "multipart/form-data; boundary=x"}
        accepted = call(f"{importer}/upload", form % SAMPLE.read_bytes(), kind)
        url = f"{importer}/imports/{accepted['import_id']}"
        return wait_for("the end of the import", lambda: (found := call(url))["over"] and found)

    def lose_a_message(self):
        """Puts one among the dead letters."""
        endpoint = f"http://127.0.0.1:{self.ports['EMULATOR']}"
        body = {
            "QueueUrl": f"{endpoint}/000000000000/process-email-dlq",
            "MessageBody": "unreadable",
        }
        headers = {
            "Content-Type": "application/x-amz-json-1.0",
            "X-Amz-Target": "AmazonSQS.SendMessage",
            "Authorization": "AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/sqs/aws4_request, SignedHeaders=host, Signature=0",
        }
        call(endpoint, json.dumps(body).encode(), headers)

    def stop(self):
        """Ends what was started, Prometheus first."""
        for process in reversed(self.processes):
            process.send_signal(signal.SIGTERM)
            process.wait(timeout=30)


def filled_in(expression):
    """As Grafana sends it."""
    for name, value in FILLED_IN.items():
        expression = expression.replace(name, value)
    return expression


def metrics_of(expression):
    """The names of the metrics in it: what is no function, no keyword and no label."""
    bare = re.sub(r'"[^"]*"|\{[^}]*\}|\[[^\]]*\]|\b(by|on)\s*\([^)]*\)', " ", expression)
    words = re.findall(r"\b[a-z_][\w:]*\b(?!\s*\()", bare)
    return set(words) - {"and", "or", "by", "on"}


def has_data(series):
    """Whether one of them has a value that can be drawn."""
    return any(not math.isnan(float(value)) for one in series for _, value in one["values"])


def faults_of_panels(stack, started):
    """Queries without an answer, and exceptions that are none."""
    dashboard = json.loads(DASHBOARD.read_text(encoding="utf-8"))
    asked = 0
    for panel in dashboard["panels"]:
        for target in panel.get("targets", []):
            expression = filled_in(target["expr"])
            if "$" in expression:
                yield f"{panel['title']} has a variable that is not known: {expression}"
                continue
            asked += 1
            span = {"start": started, "end": time.time(), "step": "1s"}
            answer = stack.get("query_range", query=expression, **span)["result"]
            if has_data(answer) == (panel["title"] in EMPTY):
                what = "has data after all" if has_data(answer) else "has no data"
                yield f"{panel['title']} {what}: {expression}"
    for variable in dashboard["templating"]["list"]:
        selector, label = re.fullmatch(
            r"label_values\((.+), (\w+)\)", variable["query"]["query"]
        ).groups()
        values = {one[label] for one in stack.get("series", **{"match[]": filled_in(selector)})}
        if len(values) < 3:
            yield f"the variable {variable['name']} has the values {values}"
    print(
        f"{asked} queries of {len(dashboard['panels'])} rows and panels asked, {len(EMPTY)} may be empty"
    )


def faults_of_rules(stack):
    """Rules that do not evaluate, and recorded figures without a value."""
    groups = stack.get("rules")["groups"]
    rules = [rule for group in groups for rule in group["rules"]]
    written = re.findall(r"- (?:alert|record): (\S+)", RULES.read_text(encoding="utf-8"))
    if sorted(rule["name"] for rule in rules) != sorted(written):
        yield "Prometheus has other rules than alerts.yml"
    known = set(stack.get("label/__name__/values"))
    for rule in rules:
        for name in sorted(metrics_of(rule["query"]) - known):
            yield f"{rule['name']} names {name}, which nothing exposes"
        answer = stack.ask(rule["query"])
        if rule["health"] != "ok":
            yield f"{rule['name']}: {rule.get('lastError', rule['health'])}"
        if rule["type"] == "recording" and not answer:
            yield f"{rule['name']} has no data: {rule['query']}"
    firing = {rule["name"] for rule in rules if rule.get("state") not in (None, "inactive")}
    # The disk is that of the machine that tests, and may truly be full.
    disk_is_low = stack.ask("spool_free_bytes / (spool_size_bytes > 0) < 0.1")
    expected = {"DeadLetters", "SpoolDiskLow"} if disk_is_low else {"DeadLetters"}
    if firing != expected:
        yield f"the alerts that are raised are {firing or 'none'}, instead of {expected} alone"
    print(f"{len(rules)} rules evaluated, raised: {', '.join(sorted(firing))}")


def main():
    devstack, prometheus, directory = sys.argv[1:]
    directory = Path(directory).absolute()
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir(parents=True)
    with Stack(Path(devstack).absolute(), prometheus, directory) as stack:
        started = time.time()
        found = stack.upload()
        print(f"import {found['state']}: {found['rows']}")
        stack.lose_a_message()
        # The queues are looked at every ten seconds.
        wait_for(
            "the alert of the dead letter", lambda: stack.ask('ALERTS{alertname="DeadLetters"}')
        )
        faults = [*faults_of_panels(stack, started), *faults_of_rules(stack)]
    sys.exit("\n".join(faults) or 0)


if __name__ == "__main__":
    main()
