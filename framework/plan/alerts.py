"""What is there to tell after a run, to whom, and in which words?"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from framework.spec.alerts import SEVERITIES

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from framework.spec.alerts import Channel, Kind
    from framework.spec.project import Project


@dataclass(frozen=True)
class Alert:
    """Something that somebody should know; `title` says what, always in the same words, `text` how it is this time."""

    kind: Kind
    table: str
    owner: str
    title: str
    text: str
    rows: tuple[int, int] = (0, 0)
    """Of a quarantine: rows refused, and read."""

    @property
    def severity(self) -> str:
        """Return how grave it is."""
        return SEVERITIES[self.kind]


def alerts_of(record: Mapping[str, Any], stale: Iterable[tuple[str, str, timedelta]], project: Project) -> list[Alert]:
    """Return all that there is to tell of a run's record, and of tables that have grown older than they may be."""
    found = [alert for one in record["tables"] if one["table"] in project.contracts for alert in _of_table(one, project)]
    for table, check, age in stale:
        found.append(Alert("stale", table, project.tables[table].owner, f"{table} is stale", f"{check}, and it is {age} old"))
    return found


def _of_table(one: Mapping[str, Any], project: Project) -> Iterator[Alert]:
    table = one["table"]
    owner = project.tables[table].owner
    checks = one.get("checks", ())
    failing = [check for check in checks if check["outcome"] in {"fail", "error"}]
    if one["outcome"] == "failed" and not failing:
        yield Alert("failed", table, owner, f"{table} failed", one["reason"])
    for check in checks:
        if check["outcome"] not in {"pass", "not made"}:
            value = f"is {check['value']:g}" if check["value"] is not None else ""
            text = ", ".join(part for part in (value, check["note"]) if part)
            is_failed = check["outcome"] in {"fail", "error"} and check["otherwise"] == "fail"
            kind: Kind = "check_failed" if is_failed else "check_warned"
            yield Alert(kind, table, owner, f"{table} breaks {check['check']}", text)
    for file in one["files"]:
        if file["refused"]:
            yield Alert("refused", table, owner, f"{file['name']} was refused", file["refused"])
    if one["quarantined"]:
        rules = ", ".join(f"{rule} {told['rows']:,}" for rule, told in one["rules"].items() if told["otherwise"] == "quarantine")
        text = f"{one['quarantined']:,} of {one['read']:,} rows: {rules}"
        yield Alert("quarantine", table, owner, f"{table} quarantined rows", text, (one["quarantined"], one["read"]))


def due(alerts: Iterable[Alert], name: str, channel: Channel, told: Mapping[str, str], now: datetime) -> list[Alert]:
    """Return what a channel wants to hear and has not been told of late; `told` holds times by `key`."""
    return [
        alert
        for alert in alerts
        if alert.kind in channel.about
        and (channel.severity == "warning" or alert.severity == "error")
        and (not channel.owners or alert.owner in channel.owners)
        and (alert.kind != "quarantine" or channel.quarantine.broken_by(*alert.rows))
        and _has_cooled(told.get(key(name, alert)), channel, now)
    ]


def key(channel: str, alert: Alert) -> str:
    """Return under what it is remembered that a channel was told."""
    return f"{channel}: {alert.kind}: {alert.title}"


def _has_cooled(at: str | None, channel: Channel, now: datetime) -> bool:
    return at is None or now - datetime.fromisoformat(at) >= timedelta(hours=channel.cool_down_hours)


def as_text(alerts: Iterable[Alert], heading: str) -> str:
    """Return a message for people."""
    lines = [f"{alert.severity.upper()} {alert.title}: {alert.text} (owner: {alert.owner})" for alert in alerts]
    return "\n".join([heading, "", *lines])


def as_json(alerts: Iterable[Alert], heading: str) -> dict[str, Any]:
    """Return a message for programs."""
    told = [
        {"kind": one.kind, "severity": one.severity, "table": one.table, "owner": one.owner, "title": one.title, "text": one.text}
        for one in alerts
    ]
    return {"heading": heading, "alerts": told}


def as_slack(alerts: Iterable[Alert], heading: str) -> dict[str, Any]:
    """Return a message as Slack's incoming webhooks take it: https://api.slack.com/messaging/webhooks."""
    signs = {"error": ":red_circle:", "warning": ":large_yellow_circle:"}
    lines = [f"{signs[one.severity]} *{_mrkdwn(one.title)}* ({_mrkdwn(one.owner)})\n{_mrkdwn(one.text)}" for one in alerts]
    # Slack takes fifty blocks of three thousand signs.
    sections = [{"type": "section", "text": {"type": "mrkdwn", "text": line[:2900]}} for line in lines[:48]]
    more = [{"type": "section", "text": {"type": "mrkdwn", "text": f"and {len(lines) - 48} more"}}] if len(lines) > len(sections) else []
    return {"text": heading, "blocks": [{"type": "header", "text": {"type": "plain_text", "text": heading[:150]}}, *sections, *more]}


def as_teams(alerts: Iterable[Alert], heading: str) -> dict[str, Any]:
    """Return a message as Teams' workflows take it: a card after https://adaptivecards.io/explorer/."""
    body: list[dict[str, Any]] = [{"type": "TextBlock", "size": "Medium", "weight": "Bolder", "text": heading, "wrap": True}]
    for one in alerts:
        colour = "Attention" if one.severity == "error" else "Warning"
        body.append({"type": "TextBlock", "color": colour, "weight": "Bolder", "text": f"{one.title} ({one.owner})", "wrap": True})
        body.append({"type": "TextBlock", "text": one.text, "wrap": True, "spacing": "None"})
    card = {"type": "AdaptiveCard", "$schema": "http://adaptivecards.io/schemas/adaptive-card.json", "version": "1.4", "body": body}
    return {"type": "message", "attachments": [{"contentType": "application/vnd.microsoft.card.adaptive", "content": card}]}


def _mrkdwn(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
