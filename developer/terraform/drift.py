"""Whether a plan would change anything."""

from collections.abc import Iterator

# What MiniStack 1.5.33 keeps and leaves out of its answers to this provider, so that each plan sets it again
UNANSWERED = {
    "aws_cloudwatch_metric_alarm": {
        "actions_enabled", "alarm_description", "dimensions", "period", "statistic", "treat_missing_data",
    },
    "aws_db_instance": {"enabled_cloudwatch_logs_exports"},
    "aws_ecs_cluster": {"setting"},
}


def changed(plan: list[dict]) -> Iterator[str]:
    """The changes of a plan as one line each, but for what the emulator does not tell."""
    for resource in plan:
        change = resource["change"]
        if change["actions"] == ["no-op"]:
            continue
        before, after = change["before"] or {}, change["after"] or {}
        differing = {name for name in before | after if before.get(name) != after.get(name)}
        differing |= {name for name, unknown in (change.get("after_unknown") or {}).items() if unknown is True}
        if change["actions"] == ["update"] and differing <= UNANSWERED.get(resource["type"], set()):
            continue
        yield f"{resource['address']}: {'/'.join(change['actions'])} of {', '.join(sorted(differing))}"
