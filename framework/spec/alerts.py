"""Who is told what, and how: the channels of metadata/alerts.yml."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from framework.spec.grammar import CodedError, Name, Names, Spec
from framework.spec.table import Limit

Kind = Literal["failed", "check_failed", "refused", "check_warned", "quarantine", "stale"]
Severity = Literal["error", "warning"]
SEVERITIES: dict[Kind, Severity] = {
    "failed": "error",
    "check_failed": "error",
    "refused": "error",
    "check_warned": "warning",
    "quarantine": "warning",
    "stale": "warning",
}
"""What there is to tell: a table that failed, a check that failed, a file that was refused, a check that warned, more rows in
quarantine than the channel tolerates, a table older than it may be."""


class Secret(Spec):
    """Where a secret is kept; never the secret itself."""

    env: Name | None = Field(None, description="The environment variable that holds it.")
    scope: Name | None = Field(None, description="The Databricks secret scope that holds it, under `key`.")
    key: Name | None = Field(None, description="Its key in the scope.")

    @model_validator(mode="after")
    def _says_one_place(self) -> Secret:
        if (self.env is None) == (self.scope is None) or (self.scope is None) != (self.key is None):
            what = "A secret is kept in one place."
            raise CodedError("invalid-value", what, "write `{env: NAME}` or `{scope: NAME, key: NAME}`.")
        return self


class Channel(Spec):
    """What all channels have in common."""

    description: str = Field(description="Who listens there.")
    about: list[Kind] = Field(default_factory=lambda: list(SEVERITIES), min_length=1, description="What is told there; all, unless said.")
    severity: Severity = Field("warning", description="`error` leaves warnings out.")
    owners: Names = Field(default_factory=list, description="Only tables of these owners; of all, unless said.")
    quarantine: Limit = Field(default_factory=lambda: Limit(rows=0), description="More refused rows in a run than this are told.")
    cool_down_hours: Annotated[float, Field(ge=0)] = Field(6, strict=False, description="The same is not told again within this time.")


class Webhook(Channel):
    """A message is posted to an address."""

    kind: Literal["json", "slack", "teams"] = Field(description="The shape of the message: plain JSON, or what Slack or Teams take.")
    url: Secret = Field(description="Where the address is kept; it is as good as a password.")


class Mail(Channel):
    """A message is sent by SMTP."""

    kind: Literal["mail"] = Field(description="A message by SMTP.")
    server: Name = Field(description="The server's name.")
    port: int = Field(587, ge=1, le=65535, description="The server's port.")
    security: Literal["starttls", "tls", "none"] = Field("starttls", description="How the connection is protected.")
    user: Secret | None = Field(None, description="Where the user's name is kept, if one is asked for.")
    password: Secret | None = Field(None, description="Where the password is kept.")
    from_: Name = Field(alias="from", description="The sender's address.")
    to: Names = Field(min_length=1, description="The receivers' addresses.")

    @model_validator(mode="after")
    def _keeps_the_password(self) -> Mail:
        if (self.user is None) != (self.password is None):
            what = "A user needs a password, and a password a user."
            raise CodedError("invalid-value", what, "write both `user` and `password`, or neither.")
        if self.password is not None and self.security == "none":
            what = "The password would be sent for everybody to read."
            raise CodedError("invalid-value", what, "write `security: starttls` or `tls`.")
        return self
