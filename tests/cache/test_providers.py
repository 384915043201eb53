"""Who calls, by credentials of each provider of botocore's that can be set up on one machine."""

from __future__ import annotations

import itertools
import json
import sys
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import botocore.session
import pytest

from boto_accel.cache.scope import scope_of
from tests.cache.aws import Aws, Counting, cached

LATER = "2099-01-01T00:00:00Z"
ROLE = "arn:aws:iam::123456789012:role"

Write = Callable[[str], None]


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Write:
    """`config(text)` is all that botocore finds: no credentials of who runs the tests."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    path = tmp_path / "config"
    path.write_text("")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(path))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("BOTO_CONFIG", str(tmp_path / "boto.cfg"))
    return lambda text: path.write_text(text) and None


def new_client(profile: str | None = None) -> Any:
    """As a process makes it that starts anew."""
    session = botocore.session.Session(profile=profile)
    return session.create_client("iam", region_name="eu-west-1", endpoint_url="http://127.0.0.1:1")


def principal_of(profile: str | None = None) -> bytes | None:
    """None where the credentials have to be asked for their access key id, for there is no more."""
    found = scope_of(new_client(profile)).principal()
    return found if isinstance(found, bytes) else None


def answers(*profiles: str | None) -> list[int]:
    """Which answer a new client of each profile is given; equal where they share."""
    with Aws(Counting()), cached():
        return [new_client(profile).list_users()["n"] for profile in profiles]


def static(profile: str, key: str) -> str:
    return f"[{profile}]\naws_access_key_id = {key}\naws_secret_access_key = secret\n"


# Keys -------------------------------------------------------------------------------------------


def test_env(config: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAONE")
    assert principal_of() == b"key:AKIAONE"
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIATWO")
    assert principal_of() == b"key:AKIATWO"


def test_env_with_a_time(config: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    """The variables may be set anew while the program runs."""
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "ASIAONE")
    monkeypatch.setenv("AWS_CREDENTIAL_EXPIRATION", LATER)
    assert principal_of() is None
    assert answers(None, None) == [1, 1]


@pytest.mark.parametrize("name", ["config", "credentials", "boto.cfg"])
def test_files(config: Write, tmp_path: Path, name: str) -> None:
    section = {"config": "default", "credentials": "default", "boto.cfg": "Credentials"}[name]
    (tmp_path / name).write_text(static(section, "AKIAFILE"))
    assert principal_of() == b"key:AKIAFILE"


# Roles ------------------------------------------------------------------------------------------


def test_a_role_of_a_profile(config: Write) -> None:
    config(
        static("profile base", "AKIABASE")
        + static("profile other", "AKIAOTHER")
        + f"[profile a]\nrole_arn = {ROLE}/a\nsource_profile = base\n"
        + f"[profile again]\nrole_arn = {ROLE}/a\nsource_profile = base\n"
        + f"[profile b]\nrole_arn = {ROLE}/b\nsource_profile = base\n"
        + f"[profile of-other]\nrole_arn = {ROLE}/a\nsource_profile = other\n"
        + f"[profile named]\nrole_arn = {ROLE}/a\nsource_profile = base\nrole_session_name = me\n"
        + f"[profile external]\nrole_arn = {ROLE}/a\nsource_profile = base\nexternal_id = x\n"
    )
    assert answers("a", "a", "again", "b", "of-other", "named", "external", "base") == [
        *(1, 1, 1),
        *(2, 3, 4, 5, 6),
    ]


def test_a_role_by_a_role(config: Write) -> None:
    """Each link counts."""
    chain = "[profile {0}]\nrole_arn = {1}/{2}\nsource_profile = {3}\n".format
    config(
        static("profile base", "AKIABASE")
        + static("profile other", "AKIAOTHER")
        + chain("first", ROLE, "first", "base")
        + chain("last", ROLE, "last", "first")
        + chain("again", ROLE, "last", "first")
        + chain("first-of-other", ROLE, "first", "other")
        + chain("last-of-other", ROLE, "last", "first-of-other")
        + chain("by-another", ROLE, "another", "base")
        + chain("last-by-another", ROLE, "last", "by-another")
        + chain("last-directly", ROLE, "last", "base")
    )
    names = ["last", "again", "last", "first", "last-of-other", "last-by-another", "last-directly"]
    assert answers(*names) == [1, 1, 1, 2, 3, 4, 5]


def test_a_role_by_the_environment(config: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    config(f"[profile a]\nrole_arn = {ROLE}/a\ncredential_source = Environment\n")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAONE")
    one = principal_of("a")
    assert one is not None
    assert one == principal_of("a")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIATWO")
    assert principal_of("a") not in (one, None)


def test_a_role_with_a_second_factor_is_named_by_its_session(config: Write) -> None:
    """Who has not passed it must not be given what somebody else was."""
    config(
        static("profile base", "AKIABASE")
        + f"[profile a]\nrole_arn = {ROLE}/a\nsource_profile = base\nmfa_serial = arn:mfa\n"
        + f"[profile by-it]\nrole_arn = {ROLE}/b\nsource_profile = a\n"
    )
    assert principal_of("a") is None
    assert principal_of("by-it") is None


# Nothing names the user before there is a session -----------------------------------------------


SSO = "sso_account_id = 123456789012\nsso_role_name = r\nsso_region = eu-west-1\n"
START = "sso_start_url = https://start\n"
SSO_SESSION = f"[sso-session s]\n{START}sso_region = eu-west-1\n"
WEB_IDENTITY = f"role_arn = {ROLE}/web\nweb_identity_token_file = /nowhere\n"
BY_BASE = f"[profile a]\nrole_arn = {ROLE}/a\nsource_profile = base\n"


@pytest.mark.parametrize(
    "text",
    [
        f"[profile a]\n{SSO}{START}",
        f"[profile a]\n{SSO}sso_session = s\n{SSO_SESSION}",
        f"[profile a]\n{WEB_IDENTITY}",
        f"[profile base]\n{WEB_IDENTITY}{BY_BASE}",
        f"[profile base]\n{SSO}{START}{BY_BASE}",
    ],
    ids=["sso", "sso-session", "web-identity", "role-by-web-identity", "role-by-sso"],
)
def test_two_people_may_have_one_account_and_role(config: Write, text: str) -> None:
    config(text)
    assert principal_of("a") is None


@pytest.mark.parametrize("expires", [True, False])
def test_a_process(config: Write, tmp_path: Path, expires: bool) -> None:
    """A new one each time, or with the key of before."""
    found = {"Version": 1, "AccessKeyId": "AKIAONE", "SecretAccessKey": "s"}
    path = tmp_path / "key.json"

    def say(key: str) -> None:
        expiration = {"Expiration": LATER} if expires else {}
        path.write_text(json.dumps({**found, "AccessKeyId": key, **expiration}))

    text = f"import sys; sys.stdout.write(open({str(path)!r}).read())"
    config(f'[profile a]\ncredential_process = {sys.executable} -c "{text}"\n')
    seen = []
    with Aws(Counting()), cached():
        for key in ("AKIAONE", "AKIAONE", "AKIATWO"):
            say(key)
            seen.append(new_client("a").list_users()["n"])
    assert seen == [1, 1, 2]


class Metadata(BaseHTTPRequestHandler):
    """A container's, and an instance's: another session at each question."""

    numbers = itertools.count(1)

    def do_PUT(self) -> None:
        self._say("token")

    def do_GET(self) -> None:
        if self.path.endswith("/security-credentials/"):
            self._say("the-role")
            return
        key = f"ASIA{next(self.numbers)}"
        names = {"AccessKeyId": key, "SecretAccessKey": "s", "Token": "t", "Expiration": LATER}
        self._say(json.dumps({**names, "Code": "Success"}))

    def _say(self, text: str) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def metadata() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Metadata) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.mark.parametrize("kind", ["container", "instance"])
def test_a_machine(
    config: Write, monkeypatch: pytest.MonkeyPatch, metadata: str, kind: str
) -> None:
    """Its role may be exchanged at any time; each session is one principal."""
    if kind == "container":
        monkeypatch.setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", f"{metadata}/credentials")
    else:
        monkeypatch.delenv("AWS_EC2_METADATA_DISABLED")
        monkeypatch.setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", metadata)
    client = new_client()
    assert not isinstance(scope_of(client).principal(), bytes)
    with Aws(Counting()), cached():
        found = [each.list_users()["n"] for each in (client, client, new_client())]
    assert found == [1, 1, 2]


def test_a_role_by_a_container(
    config: Write, monkeypatch: pytest.MonkeyPatch, metadata: str
) -> None:
    config(f"[profile a]\nrole_arn = {ROLE}/a\ncredential_source = EcsContainer\n")
    monkeypatch.setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", f"{metadata}/credentials")
    assert principal_of("a") is None
