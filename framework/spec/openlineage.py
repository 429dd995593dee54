"""Who gets OpenLineage events, and how: the receivers of metadata/openlineage.yml."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from framework.spec.alerts import Secret
from framework.spec.grammar import Name, Spec


class Receiver(Spec):
    """What all receivers of events have in common."""

    namespace: Name = Field(description="The namespace under which jobs and tables are told.", examples=["our-lakehouse"])


class EventFile(Receiver):
    """Events are appended to a file, one JSON object a line."""

    kind: Literal["file"] = Field(description="A file on this machine, or in a volume.")
    path: str = Field(min_length=1, description="The file; without a leading / it is seen from the project's folder.")


class EventServer(Receiver):
    """Events are posted to a server, such as Marquez or a data catalogue."""

    kind: Literal["http"] = Field(description="A server that takes OpenLineage events.")
    url: Secret = Field(description="Where the server's address is kept.")
    endpoint: str = Field("api/v1/lineage", description="The path below the address to which events are posted.")
    token: Secret | None = Field(None, description="Where the key is kept that the server asks for as a bearer token.")
