"""The built-in node kinds, one file for each."""

from __future__ import annotations

#: A kind's name → its module in this folder, which is imported when the kind is first used.
BUILTIN: dict[str, str] = {
    name: name.replace("-", "_")
    for name in (
        "condition",
        "cron",
        "delay",
        "embedding",
        "error",
        "http-request",
        "http-response",
        "interval",
        "json-transform",
        "llm-chat",
        "llm-generate",
        "log",
        "loop",
        "manual",
        "mongodb-insert",
        "mongodb-query",
        "object-arrival",
        "python",
        "redis-get",
        "redis-set",
        "sql-load",
        "sql-query",
        "storage-list",
        "storage-read",
        "storage-write",
        "switch",
        "template",
        "webhook",
    )
}
