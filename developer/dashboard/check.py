"""Holds the dashboard and the alerts to what no type says.

The exit code is 1 if a panel lacks what a reader needs or is off the grid, or
if an alert has no place in the runbook.
"""

import json
import re
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
DASHBOARD = ROOT / "grafana/dashboards/pipeline.json"
ALERTS = ROOT / "prometheus/alerts.yml"
RUNBOOKS = [ROOT / "docs/RUNBOOK.md", ROOT / "docs/RUNBOOK.pt-BR.md"]
DATASOURCE = ROOT / "grafana/provisioning/datasources/datasource.yml"


def faults_of_panels(panels):
    """What a panel lacks, panels off the grid, and titles that are there twice."""
    for panel in panels:
        place = panel["gridPos"]
        if place["x"] + place["w"] > 24:
            yield f"{panel['title']} is wider than the grid"
        if panel["type"] == "row":
            continue
        defaults = panel["fieldConfig"]["defaults"]
        for what, there in (
            ("description", panel["description"].endswith((".", "…"))),
            ("unit", defaults.get("unit")),
            ("thresholds", defaults["thresholds"]["steps"]),
            ("query", panel["targets"]),
        ):
            if not there:
                yield f"{panel['title']} has no {what}"
    titles = [panel["title"] for panel in panels]
    if len(set(titles)) < len(titles):
        yield "two panels have the same title"


def faults_of_alerts():
    """Alerts that a runbook says nothing about, and the other way round."""
    alerts = ALERTS.read_text(encoding="utf-8")
    names = re.findall(r"- alert: (\w+)", alerts)
    links = re.findall(r"runbook_url: docs/RUNBOOK\.md#(\w+)", alerts)
    if links != [name.lower() for name in names]:
        yield "an alert has no runbook_url, or that of another"
    for runbook in RUNBOOKS:
        headings = re.findall(r"^### (\w+)$", runbook.read_text(encoding="utf-8"), re.MULTILINE)
        for name in sorted(set(names) ^ set(headings)):
            yield f"{name} is not both an alert and a heading of {runbook.name}"


def main():
    dashboard = json.loads(DASHBOARD.read_text(encoding="utf-8"))
    faults = [*faults_of_panels(dashboard["panels"]), *faults_of_alerts()]
    uids = set(re.findall(r'"uid": "(\w+)"', json.dumps(dashboard["panels"])))
    if uids != {re.search(r"uid: (\w+)", DATASOURCE.read_text(encoding="utf-8"))[1]}:
        faults.append("a panel names a datasource that is not provisioned")
    sys.exit("\n".join(faults) or 0)


if __name__ == "__main__":
    main()
