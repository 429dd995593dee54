"""Who is sent OpenLineage events, and from which run on? A receiver that cannot be reached gets them with a later run."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING

from framework.lakehouse.alerting import NotSentError, revealed
from framework.spec.openlineage import EventServer

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from openlineage.client.event_v2 import RunEvent

    from framework.lakehouse.lakehouse import Lakehouse
    from framework.spec.openlineage import EventFile

TIMEOUT_SECONDS = 10
_RETRY = {"total": 3, "backoff_factor": 0.3, "status_forcelist": [429, 500, 502, 503, 504], "allowed_methods": ["POST"]}
_MOST = 100
"""Of how many runs a receiver is told that could not be reached for long; of older ones it is not."""


@dataclass(frozen=True)
class Unsent:
    """A receiver that could not be told, and why."""

    receiver: str
    error: str


def send_events(lakehouse: Lakehouse) -> list[Unsent]:
    """Send each receiver the events of the runs that it was not told of; return those that could not be told.

    A run that an earlier try sent in part is sent again: events of one run and table carry the same ids.
    """
    receivers: Mapping[str, EventFile | EventServer] = lakehouse.project.metadata.openlineage
    if not receivers:
        return []
    try:
        from framework.plan.openlineage import events_of  # noqa: PLC0415 - only where somebody asks for events
    except ImportError:
        return [Unsent(name, "openlineage-python is not installed: pip install 'lakepact[openlineage]'") for name in receivers]
    sent, unsent = lakehouse.state.sent(), []
    for name, receiver in receivers.items():
        # Who is new is told of the last run, not of all that ever were.
        runs = lakehouse.state.runs_after(sent[name])[:_MOST] if name in sent else lakehouse.state.runs(1)
        for record in reversed(runs):
            try:
                _send(receiver, events_of(record, lakehouse.project, receiver.namespace), lakehouse)
            except Exception as error:  # noqa: BLE001 - a client's errors name the address, which may be as good as a password
                unsent.append(Unsent(name, str(error) if isinstance(error, NotSentError) else type(error).__name__))
                break
            sent[name] = record["run_id"]
            lakehouse.state.write_sent(sent)
    return unsent


def _send(receiver: EventFile | EventServer, events: Iterable[RunEvent], lakehouse: Lakehouse) -> None:
    from openlineage.client import OpenLineageClient  # noqa: PLC0415 - likewise
    from openlineage.client.transport.file import FileConfig, FileTransport  # noqa: PLC0415
    from openlineage.client.transport.http import ApiKeyTokenProvider, HttpConfig, HttpTransport  # noqa: PLC0415

    # The client logs what it cannot send, with the address.
    logging.getLogger("openlineage").setLevel(logging.CRITICAL)
    if isinstance(receiver, EventServer):
        config = HttpConfig(revealed(receiver.url), receiver.endpoint, TIMEOUT_SECONDS, retry=_RETRY)
        if receiver.token:
            config.auth = ApiKeyTokenProvider({"api_key": revealed(receiver.token)})
        client = OpenLineageClient(transport=HttpTransport(config))
    else:
        path = lakehouse.project.root.absolute() / receiver.path
        path.parent.mkdir(parents=True, exist_ok=True)
        client = OpenLineageClient(transport=FileTransport(FileConfig(log_file_path=str(path), append=True)))
    for event in events:
        client.emit(event)
    client.close()
