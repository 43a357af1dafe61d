"""The row at the top: is it well, and how far is it?"""

from grafana_foundation_sdk.models import units

from panels import stat, thresholds
from queries import (
    ACCEPTED,
    ENDED_A_SECOND,
    LEFT,
    LETTERS,
    NONE,
    UNMAILED,
    WORK,
    open_rows,
)

SUMMARY = [
    stat(
        "Services that answer",
        "Of the three services, those of which a replica answers. The row of figures is about the whole, whatever is chosen above.",
        "count(sum by (job) (up) > 0) or vector(0)",
        steps=thresholds(("green", 3), first="red"),
    ),
    stat(
        "Alerts firing",
        "Alerts of prometheus/alerts.yml. docs/RUNBOOK.md says what to do about each.",
        'count(ALERTS{alertstate="firing"}) or vector(0)',
        steps=NONE,
    ),
    stat(
        "Dependencies away",
        "The ledger, SQS, SNS, S3 and the mail transport, counted once for each process that has no answer from them. Work waits for them, nothing is lost.",
        "count(dependency_up == 0) or vector(0)",
        steps=NONE,
    ),
    stat(
        "Dead letters",
        "Messages that were given up after five tries. Look at them with make dlq/redrive.",
        f'sum(max by (queue) (sqs_queue_messages{{{LETTERS}, state="visible"}}))',
        steps=NONE,
    ),
    stat(
        "Oldest message",
        "How long the oldest message of a work queue has waited.",
        f"max(queue:sqs_queue_oldest_message_age_seconds:max{{{WORK}}})",
        units.Seconds,
        thresholds(("orange", 60), ("red", 300)),
    ),
    stat(
        "Stalled imports",
        "Imports whose figures have not moved for ten minutes. Reconcile them: make reconcile IMPORT=…",
        "max(imports_stalled)",
        steps=NONE,
    ),
    stat(
        "Open imports",
        "Imports of which a row has no outcome, or a bill no e-mail.",
        "max(imports_open)",
    ),
    stat(
        "Rows with an outcome",
        "Of the rows of the open imports; 100 % if none is open.",
        f"1 - {LEFT} / clamp_min({ACCEPTED}, 1)",
        units.PercentUnit,
    ).decimals(1),
    stat(
        "Bills with their e-mail",
        "Of the billed rows of the open imports, sent or undeliverable; 100 % if none is open.",
        f"1 - {UNMAILED} / clamp_min({open_rows('billed')}, 1)",
        units.PercentUnit,
    ).decimals(1),
    stat("Rows left", "Rows of the open imports without an outcome.", LEFT, units.Short),
    stat(
        "Rows a second",
        "Rows that come to their outcome, by the counters of billing-worker.",
        ENDED_A_SECOND,
        units.Short,
    ).decimals(1),
    stat(
        "Time left",
        "Until the last row has its outcome, at the present speed; hundreds of hours where nothing moves.",
        f"{LEFT} / clamp_min({ENDED_A_SECOND}, 0.001)",
        units.Seconds,
        thresholds(("orange", 3_600), ("red", 86_400)),
    ),
]
