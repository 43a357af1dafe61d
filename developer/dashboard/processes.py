"""What the processes take of the machine, and what they need."""

from grafana_foundation_sdk.models import units

from panels import Panel, graph, names, query, thresholds, timeline
from queries import CHOSEN, SPAN, highest

PROCESSES: list[Panel] = [
    graph(
        "CPU",
        "By process; 100 % is one core. A service runs on one thread.",
        [query(f"rate(process_cpu_seconds_total{{{CHOSEN}}}{SPAN})", "{{app}} {{instance}}")],
        units.PercentUnit,
        thresholds(("red", 0.95)),
    ),
    graph(
        "Memory",
        "In RAM, by process. It does not grow with the size of a file.",
        [query(f"process_resident_memory_bytes{{{CHOSEN}}}", "{{app}} {{instance}}")],
        units.BytesIEC,
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
        units.PercentUnit,
        thresholds(("red", 0.8)),
    ),
    graph(
        "Restarts",
        "In the last hour, by process. A new deployment is one.",
        [query(f"changes(process_start_time_seconds{{{CHOSEN}}}[1h])", "{{app}} {{instance}}")],
        units.Short,
        thresholds(("orange", 1), ("red", 3)),
    ),
    graph(
        "How full ledger and spool are",
        "Of the memory that a ledger in Redis may take, and of the disk of each SPOOL_DIR. A full ledger refuses every write, a full disk every upload. PostgreSQL has a disk, which its own monitoring watches; a bucket is never full.",
        [
            query(
                f"{highest('ledger_memory_used_bytes')} / {highest('ledger_memory_max_bytes')}",
                "memory of the ledger",
            ),
            query(
                f"1 - spool_free_bytes{{{CHOSEN}}} / (spool_size_bytes{{{CHOSEN}}} > 0)",
                "disk of {{instance}}",
            ),
        ],
        units.PercentUnit,
        thresholds(("orange", 0.8), ("red", 0.9)),
    ),
    timeline(
        "Dependencies",
        "Whether each answers a service, as GET /ready says. One replica that has no answer is enough for away.",
        query(f"min by (app, dependency) (dependency_up{{{CHOSEN}}})", "{{app}} → {{dependency}}"),
        ["away", "there"],
        thresholds(("green", 1), first="red"),
    ),
    names(
        "Replicas by version",
        "Those that answer. More than one version of a service is a deployment under way.",
        query(f"count by (app, version) (build_info{{{CHOSEN}}})", "{{app}} {{version}}"),
    ),
]
