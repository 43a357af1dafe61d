"""Writes grafana/dashboards/pipeline.json: the dashboard in the order of the flow.

    pipeline.py            writes it
    pipeline.py --check    exit code 1 if it is not what this would write

Grafana reads the JSON; who changes the dashboard changes these scripts.
"""

import json
import sys
from pathlib import Path

from build import dashboard, variable
from intake import IMPORTS, QUEUES
from processes import PROCESSES
from summary import SUMMARY
from work import BILLING, MAIL

FILE = Path(__file__).parents[2] / "grafana/dashboards/pipeline.json"

PIPELINE = dashboard(
    "billing-pipeline",
    "Billing pipeline",
    "From the upload of a file to the last e-mail. docs/METRICS.md says what each metric counts, docs/RUNBOOK.md what to do about an alert.",
    [
        variable(
            "app", "Service", "label_values(build_info, app)", "Services whose processes are shown"
        ),
        variable(
            "instance",
            "Instance",
            'label_values(build_info{app=~"$app"}, instance)',
            "Processes that are shown",
        ),
    ],
    [
        ("Is it well, and how far is it?", SUMMARY),
        ("Imports: file → queue", IMPORTS),
        ("Queues", QUEUES),
        ("Billing: queue → bill → notification", BILLING),
        ("E-mails", MAIL),
        ("Processes", PROCESSES),
    ],
)


def main():
    text = json.dumps(PIPELINE, indent=2, ensure_ascii=False) + "\n"
    if sys.argv[1:] != ["--check"]:
        FILE.write_text(text, encoding="utf-8")
    elif FILE.read_text(encoding="utf-8") != text:
        sys.exit(
            f"{FILE.name} is not what pipeline.py writes: run make dashboard, and change the scripts alone"
        )


if __name__ == "__main__":
    main()
