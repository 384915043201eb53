"""Who calls: by credentials of every kind, without a call of its own where there need be none."""

from __future__ import annotations

import datetime
from contextlib import AsyncExitStack
from typing import Any

import pytest
from botocore.credentials import (
    AssumeRoleCredentialFetcher,
    Credentials,
    DeferredRefreshableCredentials,
    RefreshableCredentials,
)
from botocore.exceptions import CredentialRetrievalError

from tests.cache.aws import Aws, Counting, cached, error, make_async_client, make_client

LATER = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(hours=6)


class Sts:
    """Answers AssumeRole with another session each time, and counts."""

    def __init__(self) -> None:
        self.sessions = 0

    def assume_role(self, **_: Any) -> dict[str, Any]:
        self.sessions += 1
        return {
            "Credentials": {
                "AccessKeyId": f"ASIA{self.sessions}",
                "SecretAccessKey": "s",
                "SessionToken": "t",
                "Expiration": LATER,
            }
        }


def role_credentials(
    sts: Sts, source: str = "AKIASOURCE", role: str = "arn:aws:iam::1:role/r", **extra: Any
) -> Any:
    """As botocore makes them of a profile with `role_arn`."""
    fetcher = AssumeRoleCredentialFetcher(
        lambda *_, **__: sts, Credentials(source, "secret"), role, extra_args=extra
    )
    return DeferredRefreshableCredentials(
        refresh_using=fetcher.fetch_credentials, method="assume-role"
    )


def client_with(credentials: Any) -> Any:
    client = make_client()
    client._request_signer._credentials = credentials
    return client


def seen(*clients: Any) -> list[int]:
    """Who was given which answer."""
    with Aws(Counting()), cached():
        return [client.list_users()["n"] for client in clients]


def test_two_sessions_of_one_role_are_one_principal() -> None:
    """Each process has a session of its own: they could share nothing otherwise."""
    assert seen(client_with(role_credentials(Sts())), client_with(role_credentials(Sts()))) == [
        1,
        1,
    ]


def test_naming_a_role_makes_no_call() -> None:
    """A hit needs no session."""
    sts = Sts()
    assert seen(client_with(role_credentials(sts)), client_with(role_credentials(sts))) == [1, 1]
    assert sts.sessions == 0


@pytest.mark.parametrize(
    "other",
    [
        {"role": "arn:aws:iam::1:role/other"},
        {"source": "AKIAOTHER"},
        {"Policy": '{"Statement": []}'},
        {"RoleSessionName": "named"},
        {"ExternalId": "x"},
        {"Tags": [{"Key": "team", "Value": "a"}]},
    ],
)
def test_another_role_source_or_session_policy_is_another_principal(other: Any) -> None:
    """Whatever could change what the session may see."""
    one, two = client_with(role_credentials(Sts())), client_with(role_credentials(Sts(), **other))
    assert seen(one, two, one) == [1, 2, 1]


def test_a_role_and_its_source_are_two_principals() -> None:
    assert seen(client_with(role_credentials(Sts())), make_client(key="AKIASOURCE")) == [1, 2]


def refreshable(key: str) -> RefreshableCredentials:
    """As of SSO, a container, an instance: nothing names the principal but the key."""
    return RefreshableCredentials(key, "s", "t", LATER, refresh_using=dict, method="sso")


def test_other_temporary_credentials_are_named_by_their_key() -> None:
    """Two sessions share nothing, for they might be two principals."""
    one, same, other = (client_with(refreshable(key)) for key in ("ASIA1", "ASIA1", "ASIA2"))
    assert seen(one, same, other) == [1, 1, 2]


def test_a_subclass_of_known_credentials_is_asked_for_its_key() -> None:
    """It may compute it."""

    class Rotating(Credentials):
        turn = 0

        def get_frozen_credentials(self) -> Any:
            self.turn += 1
            return Credentials(f"AKIA{self.turn}", "s").get_frozen_credentials()

    client = client_with(Rotating("AKIAFIXED", "s"))
    assert seen(client, client) == [1, 2]


@pytest.mark.parametrize("fails", [False, True])
def test_an_answer_to_whom_it_cannot_be_told_is_not_kept(fails: bool) -> None:
    """The call may have been signed, or signed again, with credentials that came meanwhile."""

    class Replaced(Credentials):
        current = "AKIAONE"

        def get_frozen_credentials(self) -> Any:
            return Credentials(self.current, "s").get_frozen_credentials()

    credentials = Replaced("AKIAONE", "s")
    client = client_with(credentials)
    count = Counting()

    def answer(operation: str, params: Any) -> Any:
        credentials.current = "AKIATWO"
        if fails:
            raise error(client, "NoSuchEntity", operation)
        return count(operation, params)

    with Aws(answer) as aws, cached(cache_errors=10) as cache:
        for number in range(2):
            credentials.current = "AKIAONE"
            try:
                client.list_users()
            except client.exceptions.NoSuchEntityException:
                assert fails
            assert aws.count == number + 1
        assert list(cache.entries()) == []
    assert cache.stats.uncached == {"credentials that changed during the call": 2}


def test_credentials_that_cannot_be_had_fail_as_they_do_without_a_cache() -> None:
    class Broken(Credentials):
        def get_frozen_credentials(self) -> Any:
            raise CredentialRetrievalError(provider="p", error_msg="m")

    client = client_with(Broken("a", "b"))
    with pytest.raises(CredentialRetrievalError), cached():
        client.list_users()


def test_the_secret_is_in_no_key_and_no_entry() -> None:
    client = make_client()
    with Aws(Counting()), cached() as cache:
        client.list_users()
        ((key, entry),) = cache.store.entries()
    assert b"secret" not in key + entry.payload + repr(entry).encode() + repr(cache).encode()
    assert b"AKIAONE" not in key + entry.payload + repr(entry).encode()


@pytest.mark.aiobotocore
async def test_async_credentials_are_awaited() -> None:
    from aiobotocore.credentials import AioRefreshableCredentials

    async with AsyncExitStack() as stack:
        one, two = [await make_async_client(stack) for _ in range(2)]
        for client, key in ((one, "ASIA1"), (two, "ASIA2")):
            client._request_signer._credentials = AioRefreshableCredentials(
                key, "s", "t", LATER, refresh_using=dict, method="sso"
            )
        with Aws(Counting()), cached():
            found = [await each.list_users() for each in (one, two, one)]
    assert [each["n"] for each in found] == [1, 2, 1]


@pytest.mark.aiobotocore
async def test_a_sync_and_an_async_client_of_one_role_share() -> None:
    from aiobotocore.credentials import (
        AioAssumeRoleCredentialFetcher,
        AioCredentials,
        AioDeferredRefreshableCredentials,
    )

    fetcher = AioAssumeRoleCredentialFetcher(
        lambda *_, **__: Sts(), AioCredentials("AKIASOURCE", "secret"), "arn:aws:iam::1:role/r"
    )
    async with AsyncExitStack() as stack:
        client = await make_async_client(stack)
        client._request_signer._credentials = AioDeferredRefreshableCredentials(
            refresh_using=fetcher.fetch_credentials, method="assume-role"
        )
        with Aws(Counting()), cached():
            assert client_with(role_credentials(Sts())).list_users()["n"] == 1
            assert (await client.list_users())["n"] == 1
