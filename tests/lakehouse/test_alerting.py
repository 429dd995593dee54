"""Who is told what of a run, by real servers on this machine."""

from __future__ import annotations

import json
import shutil
import smtplib
import socket
import ssl
import threading
from datetime import datetime, timedelta, timezone
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import pytest
import trustme
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, LoginPassword

from framework.lakehouse.alerting import tell
from framework.lakehouse.lakehouse import Lakehouse
from framework.plan.steps import Checked
from framework.spec.problem import ContractError
from framework.spec.project import read_project
from framework.spec.quality import checks_key
from tests.conftest import ROOT
from tests.test_run import lakepact

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

NOW = datetime(2026, 3, 2, 12, tzinfo=timezone.utc)


def table(name: str, **told: Any) -> dict[str, Any]:
    """Return a table's part of a run's record."""
    return {"table": name, "outcome": "done", "reason": "", "quarantined": 0, "read": 9, "rules": {}, "checks": [], "files": []} | told


RECORD = {
    "run_id": "20260302T120000000Z-abcd",
    "environment": "local",
    "outcome": "failed",
    "tables": [
        table("bronze_loans", files=[{"name": "loans.tsv", "refused": "it is cut off"}, {"name": "more.tsv", "refused": None}]),
        table("bronze_members", outcome="failed", reason="the disk <is> full & more"),
        table(
            "silver_loans",
            outcome="failed",
            quarantined=3,
            failing=["row_count > 9"],
            rules={"lent_required": {"otherwise": "quarantine", "rows": 3}, "odd": {"otherwise": "warn", "rows": 1}},
            checks=[
                {"check": "row_count > 9", "otherwise": "fail", "outcome": "fail", "value": 6.0, "note": ""},
                {"check": "row_count > 8", "otherwise": "warn", "outcome": "warn", "value": 6.0, "note": "a note"},
                {"check": "row_count > 0", "otherwise": "fail", "outcome": "pass", "value": 6.0, "note": ""},
            ],
        ),
        table("gold_loans", outcome="skipped", reason="silver_loans fails its checks"),
    ],
}


class Posts(ThreadingHTTPServer):
    """A server that keeps what is posted to it, and answers as it is told."""

    def __init__(self) -> None:
        """Listen on a port of its own."""
        self.got: list[tuple[str, dict[str, Any]]] = []
        self.answers: list[int] = []
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                answer = server.answers.pop(0) if server.answers else 200
                if answer == 200:
                    server.got.append((self.path, body))
                self.send_response(answer)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        super().__init__(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def address(self) -> str:
        """Return where it listens."""
        return f"http://127.0.0.1:{self.server_address[1]}"


@pytest.fixture
def posts(monkeypatch: pytest.MonkeyPatch) -> Iterator[Posts]:
    """Return a server for messages, whose address is where the channels look for it."""
    with Posts() as server:
        monkeypatch.setenv("CHAT", f"{server.address}/secret")
        yield server
        server.shutdown()


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a library of which nobody is told anything yet; attempts follow one another at once."""
    for part in ("contracts", "metadata"):
        shutil.copytree(ROOT / "tests/library" / part, tmp_path / part)
    (tmp_path / "landing").mkdir()
    monkeypatch.setattr("tenacity.nap.time.sleep", lambda _: None)
    return tmp_path


def lakehouse(project: Path, alerts: str) -> Lakehouse:
    """Return the library with channels."""
    (project / "metadata/alerts.yml").write_text(alerts)
    found = Lakehouse(read_project(project), "local")
    found.state.prepare()
    return found


def test_each_channel_hears_what_it_asked_for(project: Path, posts: Posts) -> None:
    with (project / "metadata/principals.yml").open("a") as principals:
        principals.write("readers: {description: Read., clearance: []}\n")
    there = lakehouse(
        project,
        "all: {description: All., kind: json, url: {env: CHAT}}\n"
        "errors: {description: Errors., kind: json, url: {env: CHAT}, severity: error}\n"
        "files: {description: Files., kind: json, url: {env: CHAT}, about: [refused]}\n"
        "much: {description: Much., kind: json, url: {env: CHAT}, about: [quarantine], quarantine: {share: 0.5}}\n"
        "mine: {description: Others., kind: json, url: {env: CHAT}, owners: [readers]}\n",
    )
    told = {one.channel: [(alert.kind, alert.title, alert.text) for alert in one.alerts] for one in tell(there, RECORD, NOW)}
    everything = [
        ("refused", "loans.tsv was refused", "it is cut off"),
        ("failed", "bronze_members failed", "the disk <is> full & more"),
        ("check_failed", "silver_loans breaks row_count > 9", "is 6"),
        ("check_warned", "silver_loans breaks row_count > 8", "is 6, a note"),
        ("quarantine", "silver_loans quarantined rows", "3 of 9 rows: lent_required 3"),
    ]
    assert told == {"all": everything, "errors": everything[:3], "files": everything[:1]}
    assert [len(body["alerts"]) for _, body in posts.got] == [5, 3, 1]
    assert posts.got[0][0] == "/secret"
    assert posts.got[0][1]["heading"] == "Lakepact run 20260302T120000000Z-abcd on local: failed"


def test_the_same_is_told_again_only_after_a_while(project: Path, posts: Posts) -> None:
    there = lakehouse(project, "chat: {description: All., kind: json, url: {env: CHAT}, cool_down_hours: 2}\n")
    assert tell(there, RECORD, NOW, dry_run=True)[0].alerts
    assert posts.got == [], "a dry run sends nothing"
    assert len(tell(there, RECORD, NOW)[0].alerts) == 5
    assert tell(there, RECORD, NOW + timedelta(hours=1)) == []
    more = {**RECORD, "tables": [*RECORD["tables"][:1], table("gold_loans", outcome="failed", reason="new")]}
    assert [alert.title for one in tell(there, more, NOW + timedelta(hours=1)) for alert in one.alerts] == ["gold_loans failed"]
    assert len(tell(there, RECORD, NOW + timedelta(hours=2))[0].alerts) == 5


def test_what_slack_and_teams_take(project: Path, posts: Posts) -> None:
    url = "url: {env: CHAT}, about: [failed]"
    tell(lakehouse(project, f"a: {{description: A., kind: slack, {url}}}\nb: {{description: B., kind: teams, {url}}}\n"), RECORD, NOW)
    slack, teams = (body for _, body in posts.got)
    assert slack["blocks"][0]["text"]["type"] == "plain_text"
    assert "the disk &lt;is&gt; full &amp; more" in slack["blocks"][1]["text"]["text"]
    (card,) = teams["attachments"]
    assert card["contentType"] == "application/vnd.microsoft.card.adaptive"
    assert [one["text"] for one in card["content"]["body"]][1:] == ["bronze_members failed (librarians)", "the disk <is> full & more"]


@pytest.mark.parametrize(
    ("answers", "error", "asked"),
    [([503, 429], "", 0), ([503] * 9, "it answers 503", 5), ([404], "it answers 404", 0), ([302], "it answers 302", 0)],
)
def test_a_server_that_is_out_of_order(answers: list[int], error: str, asked: int, project: Path, posts: Posts) -> None:
    posts.answers = [*answers]
    there = lakehouse(project, "chat: {description: All., kind: json, url: {env: CHAT}}\n")
    (found,) = tell(there, RECORD, NOW)
    assert (found.error, len(posts.answers)) == (error, asked), "what passes by itself is tried four times, all else once"
    posts.answers = []
    again = tell(there, RECORD, NOW)
    assert bool(again) == bool(error), "what could not be told is told the next time"


def test_an_address_that_leads_nowhere_is_not_said(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    there = lakehouse(project, "chat: {description: All., kind: json, url: {env: CHAT}}\n")
    monkeypatch.delenv("CHAT", raising=False)
    assert tell(there, RECORD, NOW)[0].error == "the environment variable CHAT is not set"
    for address in ("http://127.0.0.1:9/token", "token", "htp://token"):
        monkeypatch.setenv("CHAT", address)
        (found,) = tell(there, RECORD, NOW)
        assert found.error
        assert "token" not in found.error
        assert "127.0.0.1" not in found.error


@pytest.mark.usefixtures("posts")
def test_a_table_that_grew_stale(project: Path) -> None:
    path = project / "contracts/silver_members.yml"
    path.write_text(path.read_text() + "quality: [freshness(changed) < 7d]\n")
    there = lakehouse(project, "chat: {description: All., kind: json, url: {env: CHAT}, about: [stale]}\n")
    key = checks_key(there.project.tables["silver_members"].quality)
    there.state.write_checked("silver_members", Checked(1, key, (), {"freshness(changed) < 7d": 86_400_000.0}, NOW.isoformat()))
    assert tell(there, RECORD, NOW + timedelta(days=5)) == []
    ((alert,),) = [one.alerts for one in tell(there, RECORD, NOW + timedelta(days=7))]
    assert (alert.title, alert.text) == ("silver_members is stale", "freshness(changed) < 7d, and it is 8 days, 0:00:00 old")


class Letters:
    """What a mail server is given."""

    def __init__(self) -> None:
        """Begin with none."""
        self.got: list[str] = []

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: ARG002, N802 - aiosmtpd's shape
        """Keep a message."""
        self.got.append(envelope.content.decode())
        return "250 OK"


def test_mail_over_a_protected_connection(project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    authority, letters = trustme.CA(), Letters()
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("localhost").configure_cert(context)
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))

    def knows(_server: Any, _session: Any, _envelope: Any, _mechanism: Any, data: Any) -> AuthResult:
        return AuthResult(success=isinstance(data, LoginPassword) and data.password == b"sesame", handled=False)

    with socket.socket() as free:
        free.bind(("localhost", 0))
        port = free.getsockname()[1]
    server = Controller(letters, "localhost", port, tls_context=context, require_starttls=True, authenticator=knows, auth_required=True)
    server.start()
    monkeypatch.setenv("USER_NAME", "lake")
    monkeypatch.setenv("PASSWORD", "sesame")
    there = lakehouse(
        project,
        f"post: {{description: Office., kind: mail, server: localhost, port: {port}, user: {{env: USER_NAME}}, "
        "password: {env: PASSWORD}, from: lake@example.org, to: [a@example.org, b@example.org], severity: error}\n",
    )
    try:
        assert [one.error for one in tell(there, RECORD, NOW)] == [""]
        (letter,) = letters.got
        assert "Subject: Lakepact run 20260302T120000000Z-abcd on local: failed" in letter
        assert "To: a@example.org, b@example.org" in letter
        assert "ERROR silver_loans breaks row_count > 9: is 6 (owner: librarians)" in letter
        monkeypatch.setenv("PASSWORD", "guess")
        (refused,) = tell(there, RECORD, NOW + timedelta(days=1))
        assert refused.error == smtplib.SMTPAuthenticationError.__name__
        monkeypatch.delenv("SSL_CERT_FILE")
        (unknown,) = tell(there, RECORD, NOW + timedelta(days=1))
        assert unknown.error == "SSLCertVerificationError"
    finally:
        server.stop()


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("a: {description: A., kind: slack, url: https://chat.example.org/token}\n", "url"),
        ("a: {description: A., kind: slack, url: {env: A, scope: b, key: c}}\n", "one place"),
        ("a: {description: A., kind: slack, url: {env: A}, owners: [librarian]}\n", 'did you mean "librarians"'),
        ("a: {description: A., kind: slack, url: {env: A}, about: [faild]}\n", "faild"),
        ("a: {description: A., kind: mail, server: s, from: a, to: [b], user: {env: A}}\n", "a user"),
        ("a: {description: A., kind: mail, server: s, from: a, to: [b], user: {env: A}, password: {env: B}, security: none}\n", "read"),
    ],
)
def test_channels_that_make_no_sense_are_told_with_their_line(text: str, told: str, project: Path) -> None:
    with pytest.raises(ContractError) as caught:
        lakehouse(project, text)
    assert "metadata/alerts.yml:1:" in str(caught.value)
    assert told in str(caught.value)


def test_the_command(project: Path, posts: Posts) -> None:
    assert lakepact("alerts", "--project", project).exit_code == 2
    there = lakehouse(project, "chat: {description: All., kind: json, url: {env: CHAT}}\n")
    assert "no run yet" in lakepact("alerts", "--project", project).output
    there.state.write_run(str(RECORD["run_id"]), RECORD)
    dry = lakepact("alerts", "--dry-run", "--project", project)
    assert "would be told" in dry.output
    assert posts.got == []
    assert lakepact("alerts", "--project", project).exit_code == 0
    assert len(posts.got) == 1
    assert "Nothing to tell" in lakepact("alerts", "--project", project).output
