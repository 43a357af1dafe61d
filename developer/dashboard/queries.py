"""PromQL that several panels are made of."""

from panels import thresholds

CHOSEN = 'app=~"$app", instance=~"$instance"'
SPAN = "[$__rate_interval]"
LETTERS = 'queue=~".*-dlq"'
WORK = 'queue!~".*-dlq"'
NONE = thresholds(("red", 1))


def rate(metric: str, by: str = "", labels: str = "") -> str:
    """So many a second, of the chosen processes together."""
    by = f" by ({by})" if by else ""
    labels = f", {labels}" if labels else ""
    return f"sum{by} (rate({metric}{{{CHOSEN}{labels}}}{SPAN}))"


def quantile(share: float, metric: str, by: str = "", labels: str = "") -> str:
    """The time that this share of the observations stays below."""
    buckets = rate(f"{metric}_bucket", f"{by}, le" if by else "le", labels)
    return f"histogram_quantile({share}, {buckets})"


def highest(metric: str, by: str = "", labels: str = "") -> str:
    """Of a figure that every replica shows."""
    by = f" by ({by})" if by else ""
    labels = f", {labels}" if labels else ""
    return f"max{by} ({metric}{{{CHOSEN}{labels}}})"


def open_rows(states: str) -> str:
    """Rows of the open imports in these states, whatever is chosen."""
    return f'sum(max by (state) (imports_open_rows{{state=~"{states}"}}))'


ACCEPTED = open_rows("accepted")
LEFT = f"({ACCEPTED} - {open_rows('billed|skipped|invalid|not_sent')})"
UNMAILED = f"({open_rows('billed')} - {open_rows('mailed|undeliverable')})"
ENDED_A_SECOND = f"""(sum(rate(billing_processed_successfully_total{SPAN}))
    + sum(rate(skipped_messages_total{SPAN})) + sum(rate(invalid_messages_total{SPAN})))"""
