"""Writes grafana/dashboards/pipeline.json: the dashboard in the order of the flow.

    pipeline.py            writes it
    pipeline.py --check    exit code 1 if it is not what this would write

Grafana reads the JSON; who changes the dashboard changes this file.
"""

import json
import sys
from pathlib import Path

from build import dashboard, graph, names, query, stat, thresholds, timeline, variable

FILE = Path(__file__).parents[2] / "grafana/dashboards/pipeline.json"

CHOSEN = 'app=~"$app", instance=~"$instance"'
SPAN = "[$__rate_interval]"
LETTERS = 'queue=~".*-dlq"'
WORK = 'queue!~".*-dlq"'
NONE = thresholds(("red", 1))


def rate(metric, by="", labels=""):
    """So many a second, of the chosen processes together."""
    by = f" by ({by})" if by else ""
    labels = f", {labels}" if labels else ""
    return f"sum{by} (rate({metric}{{{CHOSEN}{labels}}}{SPAN}))"


def quantile(share, metric, by="", labels=""):
    """The time that this share of the observations stays below."""
    buckets = rate(f"{metric}_bucket", f"{by}, le" if by else "le", labels)
    return f"histogram_quantile({share}, {buckets})"


def highest(metric, by="", labels=""):
    """Of a figure that every replica shows."""
    by = f" by ({by})" if by else ""
    labels = f", {labels}" if labels else ""
    return f"max{by} ({metric}{{{CHOSEN}{labels}}})"


def open_rows(states):
    """Rows of the open imports in these states, whatever is chosen."""
    return f'sum(max by (state) (imports_open_rows{{state=~"{states}"}}))'


ACCEPTED = open_rows("accepted")
LEFT = f"({ACCEPTED} - {open_rows('billed|skipped|invalid|not_sent')})"
UNMAILED = f"({open_rows('billed')} - {open_rows('mailed|undeliverable')})"
ENDED_A_SECOND = f"""(sum(rate(billing_processed_successfully_total{SPAN}))
    + sum(rate(skipped_messages_total{SPAN})) + sum(rate(invalid_messages_total{SPAN})))"""

SUMMARY = [
    stat(
        "Services that answer",
        "Of the three services, those of which a replica answers. The row of figures is about the whole, whatever is chosen above.",
        "count(sum by (job) (up) > 0) or vector(0)",
        steps=[{"color": "red", "value": None}, {"color": "green", "value": 3}],
    ),
    stat(
        "Alerts firing",
        "Alerts of prometheus/alerts.yml. docs/RUNBOOK.md says what to do about each.",
        'count(ALERTS{alertstate="firing"}) or vector(0)',
        steps=NONE,
    ),
    stat(
        "Dependencies away",
        "Redis, SQS, SNS and the mail transport, counted once for each process that has no answer from them. Work waits for them, nothing is lost.",
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
        "s",
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
        "percentunit",
        decimals=1,
    ),
    stat(
        "Bills with their e-mail",
        "Of the billed rows of the open imports, sent or undeliverable; 100 % if none is open.",
        f"1 - {UNMAILED} / clamp_min({open_rows('billed')}, 1)",
        "percentunit",
        decimals=1,
    ),
    stat("Rows left", "Rows of the open imports without an outcome.", LEFT, "short"),
    stat(
        "Rows a second",
        "Rows that come to their outcome, by the counters of billing-worker.",
        ENDED_A_SECOND,
        "short",
        decimals=1,
    ),
    stat(
        "Time left",
        "Until the last row has its outcome, at the present speed; hundreds of hours where nothing moves.",
        f"{LEFT} / clamp_min({ENDED_A_SECOND}, 0.001)",
        "s",
        thresholds(("orange", 3_600), ("red", 86_400)),
    ),
]

IMPORTS = [
    graph(
        "Rows into the queue",
        "Rows that the importer is done with and messages that SQS accepted, a second. With ROWS_PER_MESSAGE above 1 a message holds several rows.",
        [
            query(rate("csv_processor_rows_total"), "rows"),
            query(rate("csv_processor_messages_sent_total"), "messages"),
            query(rate("csv_processor_messages_failed_total"), "refused messages"),
        ],
        "short",
    ),
    graph(
        "Time to send a file",
        "From the acceptance of a file to its last row in the queue, one observation a file. Nothing is drawn while none ends.",
        [
            query(quantile(share, "csv_processor_duration_seconds"), name)
            for share, name in ((0.5, "half of the files"), (0.9, "nine of ten"))
        ],
        "s",
    ),
    graph(
        "Imports in progress",
        "Open ones, and those among them that have not moved for ten minutes.",
        [query(highest("imports_open"), "open"), query(highest("imports_stalled"), "stalled")],
        "short",
        NONE,
    ),
    graph(
        "Rows of the open imports",
        "How far they are. At the end billed, skipped, invalid and not_sent add up to accepted; notified, mailed and undeliverable say how far the billed ones are.",
        [query(highest("imports_open_rows", "state"), "{{state}}")],
    ),
    graph(
        "Time since the last progress",
        "Of the open import that has been still for longest. It is stalled after ten minutes.",
        [query(f"time() - {highest('imports_last_progress_timestamp_seconds')}", "still for")],
        "s",
        thresholds(("red", 600)),
    ),
    graph(
        "Imports at their end",
        "By the state in which they ended, in the time of one point.",
        [query(f"sum by (state) (increase(imports_ended_total{{{CHOSEN}}}{SPAN}))", "{{state}}")],
    ),
    graph(
        "Answers of the API",
        "By the class of their status, a second. 5xx: uploads may be refused, as the disk is full or Redis is away.",
        [query(rate("http_responses_total", "class"), "{{class}}")],
        "reqps",
    ),
    graph(
        "INVALID rows",
        "Rows that cannot be billed, a second: found by the importer as no message can carry them, and by billing-worker. GET /v1/imports/{id}/rejections has each with its reason.",
        [
            query(rate("csv_processor_rows_invalid_total"), "importer-api"),
            query(rate("invalid_messages_total"), "billing-worker"),
        ],
        "short",
    ),
    graph(
        "SQS: time to send a batch",
        "Time of SendMessageBatch with all its attempts, by service: the importer's rows, and the copies of e-mails that are put off.",
        [
            query(
                quantile(0.99, "aws_call_duration_seconds", "app", 'operation="SendMessageBatch"'),
                "99 of 100, {{app}}",
            )
        ],
        "s",
        thresholds(("red", 1)),
    ),
]

QUEUES = [
    graph(
        "Messages in the queues",
        "visible: a receive can return them. in_flight: in hand, or waiting for their next try. delayed: put off. SQS calls its figures approximate.",
        [query(highest("sqs_queue_messages", "queue, state", WORK), "{{queue}} {{state}}")],
    ),
    graph(
        "Age of the oldest message",
        "As the workers see it when they receive. Rows that wait for longer than five minutes are an alert.",
        [query(highest("sqs_queue_oldest_message_age_seconds", "queue", WORK), "{{queue}}")],
        "s",
        thresholds(("orange", 60), ("red", 300)),
    ),
    graph(
        "Dead letters over time",
        "Messages that were given up after five tries.",
        [query(highest("sqs_queue_messages", "queue", f'{LETTERS}, state="visible"'), "{{queue}}")],
        "short",
        NONE,
    ),
    graph(
        "Age of the oldest dead letter",
        "Of up to ten that are looked at. SQS forgets a dead letter after 14 days.",
        [query(highest("sqs_queue_oldest_message_age_seconds", "queue", LETTERS), "{{queue}}")],
        "s",
        thresholds(("orange", 86_400), ("red", 864_000)),
    ),
    graph(
        "Messages received and deleted",
        "A second, by worker. What is received and not deleted comes again.",
        [
            query(rate("sqs_consumer_messages_received_total", "app"), "received by {{app}}"),
            query(rate("sqs_consumer_messages_deleted_total", "app"), "deleted by {{app}}"),
        ],
        "short",
    ),
    graph(
        "Messages that failed or were put off",
        "A second. One that fails comes back after a growing wait, and is a dead letter after five receives; one that is put off uses up no receive.",
        [
            query(rate("messages_processed_errors_total", "app"), "failed in {{app}}"),
            query(rate("messages_put_off_total", "app"), "put off by {{app}}"),
        ],
        "short",
    ),
    graph(
        "Share of handlings that failed",
        "Over five minutes. Nothing is drawn while nothing is handled.",
        [query('app:messages_processed_errors:ratio_rate5m{app=~"$app"}', "{{app}}")],
        "percentunit",
        thresholds(("red", 0.05)),
    ),
    graph(
        "SQS: time of a call",
        "99 of 100 calls stay below it, by operation. ReceiveMessage is left out, as it waits for messages.",
        [
            query(
                quantile(
                    0.99,
                    "aws_call_duration_seconds",
                    "operation",
                    'service="sqs", operation!="ReceiveMessage"',
                ),
                "{{operation}}",
            )
        ],
        "s",
        thresholds(("red", 1)),
    ),
    graph(
        "SQS: calls that failed",
        "A second, by operation: no answer in three attempts, or refused as a whole.",
        [query(rate("aws_call_errors_total", "operation", 'service="sqs"'), "{{operation}}")],
        "short",
        thresholds(("red", 1)),
    ),
]

BILLING = [
    graph(
        "Rows by outcome",
        "A second. billed: the row billed its debt. skipped: another row had. invalid: it cannot be billed.",
        [
            query(rate("billing_processed_successfully_total"), "billed"),
            query(rate("skipped_messages_total"), "skipped"),
            query(rate("invalid_messages_total"), "invalid"),
        ],
        "short",
        stack=True,
    ),
    graph(
        "Time of a step",
        "Over a batch of up to 50 messages: half of the batches, and 99 of 100, stay below it. Waits for what is away are included.",
        [
            query(quantile(share, "billing_step_duration_seconds", "step"), f"{{{{step}}}}, {name}")
            for share, name in ((0.5, "half"), (0.99, "99 of 100"))
        ],
        "s",
        thresholds(("red", 2.5)),
    ),
    graph(
        "Where the time goes",
        "Seconds a second that batches spend in each step; several batches are in hand at a time.",
        [query(rate("billing_step_duration_seconds_sum", "step"), "{{step}}")],
        "s",
        stack=True,
    ),
    graph(
        "Redis: time of a call",
        "By service: half of the calls, and 99 of 100, stay below it. A call is for a batch of rows as a rule.",
        [
            query(quantile(share, "redis_call_duration_seconds", "app"), f"{{{{app}}}}, {name}")
            for share, name in ((0.5, "half"), (0.99, "99 of 100"))
        ],
        "s",
        thresholds(("orange", 0.1), ("red", 1)),
    ),
    graph(
        "Redis: calls",
        "A second, by service.",
        [query(rate("redis_call_duration_seconds_count", "app"), "{{app}}")],
        "ops",
    ),
    graph(
        "Redis: calls that failed",
        "A second, by service: no answer, or refused as Redis is full, loading or read-only.",
        [query(rate("redis_call_errors_total", "app"), "{{app}}")],
        "ops",
        thresholds(("red", 1)),
    ),
    graph(
        "SNS: time of a call",
        "PublishBatch with all its attempts: half of the calls, and 99 of 100, stay below it.",
        [
            query(
                quantile(
                    share,
                    "aws_call_duration_seconds",
                    "",
                    'service="sns", operation="PublishBatch"',
                ),
                name,
            )
            for share, name in ((0.5, "half"), (0.99, "99 of 100"))
        ],
        "s",
        thresholds(("orange", 0.5), ("red", 2.5)),
    ),
    graph(
        "SNS: notifications",
        "Those that SNS accepted, a second.",
        [query(rate("notification_sent_total"), "accepted")],
        "short",
    ),
    graph(
        "SNS: what failed",
        "A second: notifications that SNS refused or did not take in four tries, and calls that failed as a whole.",
        [
            query(rate("notification_sent_errors_total"), "notifications"),
            query(rate("aws_call_errors_total", "", 'service="sns"'), "calls"),
        ],
        "short",
        thresholds(("red", 1)),
    ),
]

MAIL = [
    graph(
        "E-mails by outcome",
        "A second. put_off: tried again later. undeliverable: never arrives. away: the transport went away, tried again at once when it is back.",
        [query(rate("mail_outcomes_total", "outcome"), "{{outcome}}")],
        "short",
        stack=True,
    ),
    graph(
        "Time of an e-mail",
        "That the transport takes over an e-mail, or over a batch where it only logs.",
        [
            query(quantile(share, "mail_send_duration_seconds"), name)
            for share, name in ((0.5, "half"), (0.9, "nine of ten"), (0.99, "99 of 100"))
        ],
        "s",
        thresholds(("red", 10)),
    ),
    graph(
        "E-mails that failed",
        "Share of those that came to their end in the last hour and are undeliverable.",
        [
            query(
                f'sum(increase(mail_outcomes_total{{{CHOSEN}, outcome="undeliverable"}}[1h])) / sum(increase(mail_outcomes_total{{{CHOSEN}, outcome=~"sent|undeliverable"}}[1h]))',
                "undeliverable",
            )
        ],
        "percentunit",
        thresholds(("red", 0.05)),
    ),
    graph(
        "Bills without an e-mail",
        "Billed rows of the open imports whose e-mail is neither sent nor undeliverable.",
        [query(UNMAILED, "bills")],
    ),
    graph(
        "E-mails that wait",
        "Messages in the queue of e-mails. delayed ones were put off, and are tried for five days.",
        [
            query(
                highest("sqs_queue_messages", "state", f'app="send-mail-worker", {WORK}'),
                "{{state}}",
            )
        ],
    ),
    timeline(
        "Mail transport",
        "Whether it answers: the mail server, or the log. While it is away e-mails are held, and none is lost.",
        query(
            f'min by (dependency) (dependency_up{{{CHOSEN}, app="send-mail-worker", dependency!~"Redis|SQS"}})',
            "{{dependency}}",
        ),
        ["away", "there"],
        [{"color": "red", "value": None}, {"color": "green", "value": 1}],
    ),
]

PROCESSES = [
    graph(
        "CPU",
        "By process; 100 % is one core. A service runs on one thread.",
        [query(f"rate(process_cpu_seconds_total{{{CHOSEN}}}{SPAN})", "{{app}} {{instance}}")],
        "percentunit",
        thresholds(("red", 0.95)),
    ),
    graph(
        "Memory",
        "In RAM, by process. It does not grow with the size of a file.",
        [query(f"process_resident_memory_bytes{{{CHOSEN}}}", "{{app}} {{instance}}")],
        "bytes",
        thresholds(("red", 400_000_000)),
    ),
    graph(
        "File descriptors",
        "Share of those that a process may have open, connections among them.",
        [
            query(
                f"process_open_fds{{{CHOSEN}}} / process_max_fds{{{CHOSEN}}}",
                "{{app}} {{instance}}",
            )
        ],
        "percentunit",
        thresholds(("red", 0.8)),
    ),
    graph(
        "Restarts",
        "In the last hour, by process. A new deployment is one.",
        [query(f"changes(process_start_time_seconds{{{CHOSEN}}}[1h])", "{{app}} {{instance}}")],
        "short",
        thresholds(("orange", 1), ("red", 3)),
    ),
    timeline(
        "Dependencies",
        "Whether each answers a service, as GET /ready says. One replica that has no answer is enough for away.",
        query(f"min by (app, dependency) (dependency_up{{{CHOSEN}}})", "{{app}} → {{dependency}}"),
        ["away", "there"],
        [{"color": "red", "value": None}, {"color": "green", "value": 1}],
    ),
    names(
        "Replicas by version",
        "Those that answer. More than one version of a service is a deployment under way.",
        query(f"count by (app, version) (build_info{{{CHOSEN}}})", "{{app}} {{version}}"),
    ),
]

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
            f"{FILE.name} is not what pipeline.py writes: run make dashboard, and change pipeline.py alone"
        )


if __name__ == "__main__":
    main()
