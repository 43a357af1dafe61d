"""Holds the calls that a program made against what its policy allows, both ways."""

import json
from collections.abc import Iterator
from fnmatch import fnmatchcase

from calls import Call


def listed(value: str | list[str]) -> list[str]:
    return [value] if isinstance(value, str) else value


def rights(policy: str) -> set[Call]:
    """What a policy allows, as pairs; a resource may be a pattern."""
    allowed = [statement for statement in json.loads(policy)["Statement"] if statement["Effect"] == "Allow"]
    return {
        Call(action, resource)
        for statement in allowed
        for action in listed(statement["Action"])
        for resource in listed(statement["Resource"])
    }


def covers(right: Call, call: Call) -> bool:
    return right.action == call.action and fnmatchcase(call.resource, right.resource)


def problems(program: str, policy: str, calls: set[Call]) -> Iterator[str]:
    """Calls that the policy does not allow, and rights that no call needed."""
    allowed = rights(policy)
    for call in sorted(calls):
        if not any(covers(right, call) for right in allowed):
            yield f"{program} calls {call.action} on {call.resource}, and may not"
    for right in sorted(allowed):
        if not any(covers(right, call) for call in calls):
            yield f"{program} may call {right.action} on {right.resource}, and never does"
