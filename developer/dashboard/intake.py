"""From the file to the queue, and the queues."""

from grafana_foundation_sdk.models import units

from panels import graph, query, thresholds
from queries import CHOSEN, LETTERS, NONE, SPAN, WORK, highest, quantile, rate

IMPORTS = [
    graph(
        "Rows into the queue",
        "Rows that the importer is done with and messages that SQS accepted, a second. With ROWS_PER_MESSAGE above 1 a message holds several rows.",
        [
            query(rate("csv_processor_rows_total"), "rows"),
            query(rate("csv_processor_messages_sent_total"), "messages"),
            query(rate("csv_processor_messages_failed_total"), "refused messages"),
        ],
    ),
    graph(
        "Time to send a file",
        "From the acceptance of a file to its last row in the queue, one observation a file. Nothing is drawn while none ends.",
        [
            query(quantile(share, "csv_processor_duration_seconds"), name)
            for share, name in ((0.5, "half of the files"), (0.9, "nine of ten"))
        ],
        units.Seconds,
    ),
    graph(
        "Imports in progress",
        "Open ones, and those among them that have not moved for ten minutes, that wait for a mail server, that are to be sent and that nobody sends at the moment, or whose files no replica has.",
        [
            query(highest("imports_open"), "open"),
            query(highest("imports_stalled"), "stalled"),
            query(highest("imports_put_off"), "put off"),
            query(highest("imports_waiting"), "waiting"),
            query(highest("imports_uncarried"), "without carrier"),
            query(highest("imports_unknown"), "unknown to the ledger"),
        ],
        units.Short,
        NONE,
    ),
    graph(
        "Rows of the open imports",
        "How far they are. At the end billed, skipped, invalid and not_sent add up to accepted; notified, mailed and undeliverable say how far the billed ones are.",
        [query(highest("imports_open_rows", "state"), "{{state}}")],
    ),
    graph(
        "Time since the last progress",
        "Of the open import that has been still for longest and does not wait for a mail server. It is stalled after ten minutes.",
        [query(f"time() - {highest('imports_last_progress_timestamp_seconds')}", "still for")],
        units.Seconds,
        thresholds(("red", 600)),
    ),
    graph(
        "Imports at their end",
        "By the state in which they ended, in the time of one point.",
        [query(f"sum by (state) (increase(imports_ended_total{{{CHOSEN}}}{SPAN}))", "{{state}}")],
    ),
    graph(
        "Answers of the API",
        "By the class of their status, a second. 5xx: uploads may be refused, as the disk is full, or the ledger or S3 is unavailable.",
        [query(rate("http_responses_total", "class"), "{{class}}")],
        units.RequestsPerSecond,
    ),
    graph(
        "Webhooks",
        "Attempts to deliver an event, a second, by what came of them; and the events that are to be delivered. Nothing moves without WEBHOOK_URL.",
        [
            query(rate("webhook_deliveries_total", "outcome"), "{{outcome}}"),
            query(highest("webhook_events_waiting"), "waiting"),
            query(rate("webhook_events_given_up_total"), "given up"),
        ],
        units.Short,
    ),
    graph(
        "INVALID rows",
        "Rows that cannot be billed, a second: found by the importer as no message can carry them, and by billing-worker. GET /v1/imports/{id}/rejections has each with its reason.",
        [
            query(rate("csv_processor_rows_invalid_total"), "importer-api"),
            query(rate("invalid_messages_total"), "billing-worker"),
        ],
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
        units.Seconds,
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
        units.Seconds,
        thresholds(("orange", 60), ("red", 300)),
    ),
    graph(
        "Dead letters over time",
        "Messages that were given up after five tries.",
        [query(highest("sqs_queue_messages", "queue", f'{LETTERS}, state="visible"'), "{{queue}}")],
        units.Short,
        NONE,
    ),
    graph(
        "Age of the oldest dead letter",
        "Of up to ten that are looked at. SQS forgets a dead letter after 14 days.",
        [query(highest("sqs_queue_oldest_message_age_seconds", "queue", LETTERS), "{{queue}}")],
        units.Seconds,
        thresholds(("orange", 86_400), ("red", 864_000)),
    ),
    graph(
        "Messages received and deleted",
        "A second, by worker. What is received and not deleted comes again.",
        [
            query(rate("sqs_consumer_messages_received_total", "app"), "received by {{app}}"),
            query(rate("sqs_consumer_messages_deleted_total", "app"), "deleted by {{app}}"),
        ],
    ),
    graph(
        "Messages that failed or were put off",
        "A second. One that fails comes back after a growing wait, and is a dead letter after five receives; one that is put off uses up no receive.",
        [
            query(rate("messages_processed_errors_total", "app"), "failed in {{app}}"),
            query(rate("messages_put_off_total", "app"), "put off by {{app}}"),
        ],
    ),
    graph(
        "Share of handlings that failed",
        "Over five minutes. Nothing is drawn while nothing is handled.",
        [query('app:messages_processed_errors:ratio_rate5m{app=~"$app"}', "{{app}}")],
        units.PercentUnit,
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
        units.Seconds,
        thresholds(("red", 1)),
    ),
    graph(
        "SQS: calls that failed",
        "A second, by operation: no answer in three attempts, or refused as a whole.",
        [query(rate("aws_call_errors_total", "operation", 'service="sqs"'), "{{operation}}")],
        units.Short,
        thresholds(("red", 1)),
    ),
]
