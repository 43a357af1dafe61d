"""Writes grafana/dashboards/pipeline.json: the dashboard in the order of the flow.

    pipeline.py            writes it
    pipeline.py --check    exit code 1 if it is not what this would write

Grafana reads the JSON; who changes the dashboard changes these scripts.
"""

import sys
from collections.abc import Sequence
from itertools import count
from pathlib import Path

from grafana_foundation_sdk.builders.dashboard import Dashboard, QueryVariable, Row
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.common import TimeZoneBrowser
from grafana_foundation_sdk.models.dashboard import (
    AnnotationContainer,
    AnnotationQuery,
    DashboardCursorSync,
    VariableOption,
    VariableRefresh,
    VariableSort,
)

from intake import IMPORTS, QUEUES
from panels import PROMETHEUS, Panel, query
from processes import PROCESSES
from summary import SUMMARY
from work import BILLING, MAIL

FILE = Path(__file__).parents[2] / "grafana/dashboards/pipeline.json"

ROWS: list[tuple[str, Sequence[Panel]]] = [
    ("Is it well, and how far is it?", SUMMARY),
    ("Imports: file → queue", IMPORTS),
    ("Queues", QUEUES),
    ("Billing: queue → bill → notification", BILLING),
    ("E-mails", MAIL),
    ("Processes", PROCESSES),
]


class Alerts(AnnotationQuery):
    """The alerts that fire, each with its name: a title is no field of the SDK's type."""

    def to_json(self) -> dict[str, object]:
        return {**super().to_json(), "titleFormat": "{{alertname}}"}


def variable(name: str, label: str, values: str, description: str) -> QueryVariable:
    """A choice of the values of a label, several at once; all at first."""
    return (
        QueryVariable(name)
        .label(label)
        .description(description)
        .datasource(PROMETHEUS)
        .query({"qryType": 1, "query": values, "refId": f"variable-{name}"})
        .refresh(VariableRefresh.ON_TIME_RANGE_CHANGED)
        .sort(VariableSort.ALPHABETICAL_ASC)
        .multi(True)
        .include_all(True)
        .all_value(".+")
        .current(VariableOption(True, ["All"], ["$__all"]))
    )


def pipeline() -> str:
    """The dashboard as JSON."""
    builder = (
        Dashboard("Billing pipeline")
        .uid("billing-pipeline")
        .description(
            "From the upload of a file to the last e-mail. docs/METRICS.md says what each metric counts, docs/RUNBOOK.md what to do about an alert."
        )
        .tags(["billing"])
        .timezone(TimeZoneBrowser)
        .readonly()
        .tooltip(DashboardCursorSync.CROSSHAIR)
        .version(1)
        .time("now-30m", "now")
        .refresh("10s")
        .with_variable(
            variable(
                "app",
                "Service",
                "label_values(build_info, app)",
                "Services whose processes are shown",
            )
        )
        .with_variable(
            variable(
                "instance",
                "Instance",
                'label_values(build_info{app=~"$app"}, instance)',
                "Processes that are shown",
            )
        )
    )
    number = count(1)
    for heading, panels in ROWS:
        builder.with_row(Row(heading).id(next(number)))
        for panel in panels:
            builder.with_panel(panel.id(next(number)))
    dashboard = builder.build()
    firing = query('ALERTS{alertstate="firing"}', "").ref_id("Anno").build()
    alerts = Alerts("Alerts", PROMETHEUS, icon_color="red", target=firing)
    dashboard.annotations = AnnotationContainer([alerts])
    return JSONEncoder(indent=2, ensure_ascii=False).encode(dashboard) + "\n"


def main() -> None:
    text = pipeline()
    if sys.argv[1:] != ["--check"]:
        FILE.write_text(text, encoding="utf-8")
    elif FILE.read_text(encoding="utf-8") != text:
        sys.exit(
            f"{FILE.name} is not what pipeline.py writes: run make dashboard, and change the scripts alone"
        )


if __name__ == "__main__":
    main()
