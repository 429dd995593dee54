"""How are alerts sent? What goes wrong there is told, and fails no run."""

from __future__ import annotations

import base64
import os
import smtplib
import ssl
from dataclasses import dataclass
from email.message import EmailMessage
from typing import TYPE_CHECKING, Any

import requests

from framework.lakehouse.faults import tried
from framework.lakehouse.status import stale_tables
from framework.plan.alerts import alerts_of, as_json, as_slack, as_teams, as_text, due, key
from framework.spec.alerts import Mail, Webhook

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from framework.lakehouse.lakehouse import Lakehouse
    from framework.plan.alerts import Alert
    from framework.spec.alerts import Channel, Secret

TIMEOUT_SECONDS = 20
_SHAPES = {"json": as_json, "slack": as_slack, "teams": as_teams}


class NotSentError(Exception):
    """A message could not be sent; says why, without the address, which may be as good as a password."""


@dataclass(frozen=True)
class Told:
    """What a channel was told, or why it could not be."""

    channel: str
    alerts: list[Alert]
    error: str = ""


def tell(lakehouse: Lakehouse, record: Mapping[str, Any], now: datetime, *, dry_run: bool = False) -> list[Told]:
    """Tell each channel what it wants to hear of a run and of stale tables, and has not been told of late.

    With `dry_run` nothing is sent, and nothing remembered.
    """
    channels: Mapping[str, Channel] = lakehouse.project.metadata.alerts
    if not channels:
        return []
    stale = [(one.table, one.check, one.age) for one in stale_tables(lakehouse, now)]
    alerts = alerts_of(record, stale, lakehouse.project)
    remembered = lakehouse.state.told()
    heading = f"Lakepact run {record['run_id']} on {record['environment']}: {record['outcome']}"
    found = []
    for name, channel in channels.items():
        wanted = due(alerts, name, channel, remembered, now)
        if not wanted:
            continue
        error = "" if dry_run else _error_of(channel, wanted, heading)
        found.append(Told(name, wanted, error))
        if not error and not dry_run:
            remembered |= {key(name, alert): now.isoformat() for alert in wanted}
            lakehouse.state.write_told(remembered)
    return found


def _error_of(channel: Channel, alerts: list[Alert], heading: str) -> str:
    """Send a message; return why that failed."""
    try:
        match channel:
            case Webhook():
                address = revealed(channel.url)
                tried(lambda: _post(address, _SHAPES[channel.kind](alerts, heading)))
            case Mail():
                tried(lambda: _mail(channel, alerts, heading))
    except (NotSentError, OSError, smtplib.SMTPException) as error:
        return str(error) if isinstance(error, NotSentError | ConnectionError) else type(error).__name__
    return ""


def _post(address: str, message: dict[str, Any]) -> None:
    try:
        answer = requests.post(address, json=message, timeout=TIMEOUT_SECONDS, allow_redirects=False)
    except (requests.ConnectionError, requests.Timeout) as error:
        raise ConnectionError(f"nobody answers ({type(error).__name__})") from None  # the original names the address
    except requests.RequestException as error:
        raise NotSentError(f"the address is of no use ({type(error).__name__})") from None
    if answer.status_code == requests.codes.too_many_requests or answer.status_code >= requests.codes.server_error:
        raise ConnectionError(f"it answers {answer.status_code}")
    if answer.status_code >= requests.codes.multiple_choices:
        raise NotSentError(f"it answers {answer.status_code}")


def _mail(channel: Mail, alerts: list[Alert], heading: str) -> None:
    message = EmailMessage()
    message["Subject"], message["From"], message["To"] = heading, channel.from_, ", ".join(channel.to)
    message.set_content(as_text(alerts, heading))
    trusted = ssl.create_default_context()
    if channel.security == "tls":
        server: smtplib.SMTP = smtplib.SMTP_SSL(channel.server, channel.port, timeout=TIMEOUT_SECONDS, context=trusted)
    else:
        server = smtplib.SMTP(channel.server, channel.port, timeout=TIMEOUT_SECONDS)
    with server:
        if channel.security == "starttls":
            server.starttls(context=trusted)
        if channel.user and channel.password:
            server.login(revealed(channel.user), revealed(channel.password))
        server.send_message(message)


def revealed(secret: Secret) -> str:
    """Return a secret from where it is kept.

    Raises:
        NotSentError: it is not there.
    """
    if secret.env:
        found = os.environ.get(secret.env)
        if not found:
            raise NotSentError(f"the environment variable {secret.env} is not set")
        return found
    try:
        from databricks.sdk import WorkspaceClient  # noqa: PLC0415 - only where secrets are kept there
    except ImportError:
        raise NotSentError("secrets of Databricks need databricks-sdk: pip install databricks-sdk") from None
    try:
        value = WorkspaceClient().secrets.get_secret(secret.scope or "", secret.key or "").value
    except Exception as error:  # noqa: BLE001 - the SDK raises what it likes, and its text may say too much
        raise NotSentError(f"the secret {secret.scope}/{secret.key} cannot be read ({type(error).__name__})") from None
    return base64.b64decode(value or "").decode()
