"""From the queue to the bill, and to the e-mail."""

from grafana_foundation_sdk.models import units

from panels import Panel, graph, query, thresholds, timeline
from queries import CHOSEN, UNMAILED, WORK, highest, quantile, rate

BILLING = [
    graph(
        "Rows by outcome",
        "A second. billed: the row billed its debt. skipped: another row had. invalid: it cannot be billed.",
        [
            query(rate("billing_processed_successfully_total"), "billed"),
            query(rate("skipped_messages_total"), "skipped"),
            query(rate("invalid_messages_total"), "invalid"),
        ],
        stack=True,
    ),
    graph(
        "Time of a step",
        "Over a batch of up to 50 messages: half of the batches, and 99 of 100, stay below it. Waits for unavailable dependencies are included.",
        [
            query(quantile(share, "billing_step_duration_seconds", "step"), f"{{{{step}}}}, {name}")
            for share, name in ((0.5, "half"), (0.99, "99 of 100"))
        ],
        units.Seconds,
        thresholds(("red", 2.5)),
    ),
    graph(
        "Where the time goes",
        "Seconds a second that batches spend in each step; several batches are in hand at a time.",
        [query(rate("billing_step_duration_seconds_sum", "step"), "{{step}}")],
        units.Seconds,
        stack=True,
    ),
    graph(
        "Ledger: time of a call",
        "By service: half of the calls, and 99 of 100, stay below it. A call is for a batch of rows as a rule.",
        [
            query(quantile(share, "ledger_call_duration_seconds", "app"), f"{{{{app}}}}, {name}")
            for share, name in ((0.5, "half"), (0.99, "99 of 100"))
        ],
        units.Seconds,
        thresholds(("orange", 0.1), ("red", 1)),
    ),
    graph(
        "Ledger: calls",
        "A second, by service.",
        [query(rate("ledger_call_duration_seconds_count", "app"), "{{app}}")],
        units.OpsPerSecond,
    ),
    graph(
        "Ledger: calls that failed",
        "A second, by service: no answer, or refused as its server is full, starting or read-only.",
        [query(rate("ledger_call_errors_total", "app"), "{{app}}")],
        units.OpsPerSecond,
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
        units.Seconds,
        thresholds(("orange", 0.5), ("red", 2.5)),
    ),
    graph(
        "SNS: notifications",
        "Those that SNS accepted, a second.",
        [query(rate("notification_sent_total"), "accepted")],
    ),
    graph(
        "SNS: what failed",
        "A second: notifications that SNS refused or did not take in four tries, and calls that failed as a whole.",
        [
            query(rate("notification_sent_errors_total"), "notifications"),
            query(rate("aws_call_errors_total", "", 'service="sns"'), "calls"),
        ],
        units.Short,
        thresholds(("red", 1)),
    ),
]

MAIL: list[Panel] = [
    graph(
        "E-mails by outcome",
        "A second. put_off: tried again later. undeliverable: never arrives. away: the transport went away, tried again at once when it is back.",
        [query(rate("mail_outcomes_total", "outcome"), "{{outcome}}")],
        stack=True,
    ),
    graph(
        "Time of an e-mail",
        "That the transport takes over an e-mail, or over a batch where it only logs.",
        [
            query(quantile(share, "mail_send_duration_seconds"), name)
            for share, name in ((0.5, "half"), (0.9, "nine of ten"), (0.99, "99 of 100"))
        ],
        units.Seconds,
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
        units.PercentUnit,
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
        "Whether it answers: the mail server, or the log. While it is unavailable, e-mails are held, and none is lost.",
        query(
            f'min by (dependency) (dependency_up{{{CHOSEN}, app="send-mail-worker", dependency!~"Redis|PostgreSQL|SQS"}})',
            "{{dependency}}",
        ),
        ["away", "there"],
        thresholds(("green", 1), first="red"),
    ),
]
