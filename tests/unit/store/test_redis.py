"""Sessions saved in a real Redis: leases, fences, restarts, and what Redis forgets."""

from __future__ import annotations

import logging
import signal
import time
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import trustme

from app_server.errors import InternalError, OperatorError
from app_server.store.base import Ending, Entry, Write, session_key
from app_server.store.errors import Lost, Taken, TooLarge, Unavailable, Unreadable
from app_server.store.journal import JournalWriter, read_journal
from app_server.store.keys import Keys
from app_server.store.location import open_store
from app_server.store.records import Kind, Record
from app_server.store.redis import RedisClaim, RedisStore
from app_server.store.redis_address import Address
from app_server.store.redis_bookmarks import RedisBookmarks
from tests.support.claiming import claiming
from tests.support.ports import free_port
from tests.support.servers.redis import RunningRedis, redis_folder, running_redis
from tests.support.waiting import patience, until
from tests.unit.store.making import KEY, LIMIT, OTHER, TTL_S, claimed, saved

TIMEOUT_S = 2.0


@pytest.fixture(scope="module")
def shared() -> Iterator[RunningRedis]:
    with redis_folder() as folder, running_redis(folder) as running:
        yield running


@pytest.fixture
def redis(shared: RunningRedis) -> RunningRedis:
    shared.say("FLUSHALL")
    shared.say("SCRIPT", "FLUSH")
    return shared


@pytest.fixture
def folder() -> Iterator[Path]:
    with redis_folder() as folder:
        yield folder


@pytest.fixture
def store(redis: RunningRedis) -> Iterator[RedisStore]:
    store = opened(redis.location)
    store.check()
    yield store
    store.close()


def opened(location: str, **options: float) -> RedisStore:
    return RedisStore(Address.read(location, "--store"), **{"ttl_s": TTL_S, "max_bytes": LIMIT, **options})  # type: ignore[arg-type]


def test_both_ways_to_redis_lead_to_the_same_sessions(redis: RunningRedis, store: RedisStore) -> None:
    store.release(saved(store))
    by_port = open_store(redis.by_port, ttl_s=TTL_S, max_bytes=LIMIT)
    assert by_port is not None
    by_port.check()
    claim = by_port.claim(KEY, create=False)
    assert claim is not None and by_port.read(claim, LIMIT) == b"journal"
    by_port.close()


def test_nothing_saved_is_none_unless_it_is_created(store: RedisStore) -> None:
    assert store.claim(KEY, create=False) is None
    store.release(claimed(store))
    assert store.claim(KEY, create=False) is None


def test_one_key_has_one_owner(redis: RunningRedis) -> None:
    store = opened(redis.location, lease_s=600)  # longer than it takes to start the other processes
    claim = saved(store)
    with pytest.raises(Taken) as caught:
        store.claim(KEY, create=True)
    assert str(caught.value) == f"unix://{redis.socket}: another process owns this session"
    with claiming(redis.location, KEY) as second:
        assert second.answer == "Taken"
    store.release(claim)
    with claiming(redis.location, KEY) as third:
        assert third.answer == "claimed"


def test_fences_grow_also_when_redis_has_forgotten_the_last_one(store: RedisStore, redis: RunningRedis) -> None:
    fences = []
    for number in range(6):
        claim = saved(store)
        fences.append(claim.fence)
        store.release(claim)
        if number == 3:
            redis.say("FLUSHALL")
    assert fences == sorted(set(fences))


def test_a_lease_ends_without_its_owner(redis: RunningRedis) -> None:
    first, second = opened(redis.location, lease_s=0.2), opened(redis.location)
    claim = saved(first)
    taken: list[RedisClaim | None] = []

    def is_free() -> bool:
        try:
            taken.append(second.claim(KEY, create=False))
        except Taken:
            return False
        return True

    until(is_free)
    assert taken[0] is not None and taken[0].fence > claim.fence


@pytest.mark.parametrize("part", ["owner", "about", "journal"])
@pytest.mark.parametrize("way", ["renew", "write"])
def test_a_session_neither_expires_nor_is_free_while_its_owner_is_there(
    store: RedisStore, redis: RunningRedis, part: str, way: str
) -> None:
    claim = saved(store)
    key = f"app-server:{{{KEY}}}:{part}"
    redis.say("PEXPIRE", key, "1500")
    lost = store.renew([claim]) if way == "renew" else store.write([Write(claim, b"!", False)])
    assert lost == []
    assert int(redis.say("PTTL", key)) > 1500


def test_an_owner_that_was_stopped_writes_no_more_after_a_takeover(redis: RunningRedis, store: RedisStore) -> None:
    with claiming(redis.location, KEY) as owner:
        assert owner.do("write") == "written"
        owner.process.send_signal(signal.SIGSTOP)
        until(lambda: redis.say("EXISTS", f"app-server:{{{KEY}}}:owner") == "0", "the lease ends")
        claim = store.claim(KEY, create=False)
        assert claim is not None and store.read(claim, LIMIT) == b"write"
        store.write([Write(claim, b"successor", True)])
        owner.process.send_signal(signal.SIGCONT)
        assert [owner.do(word) for word in ("append", "write", "renew", "release", "delete")] == [
            "lost",
            "lost",
            "lost",
            "done",
            "done",
        ]
        assert store.read(claim, LIMIT) == b"successor"
        assert store.renew([claim]) == []


def test_an_owner_that_was_stopped_stays_fenced_when_its_successor_has_gone(
    redis: RunningRedis, store: RedisStore
) -> None:
    claim = saved(store)
    redis.say("DEL", f"app-server:{{{KEY}}}:owner")
    successor = claimed(store)
    store.write([Write(successor, b"successor", True)])
    store.release(successor)
    assert store.write([Write(claim, b"old", True)]) == [claim]
    assert store.renew([claim]) == [claim]
    with pytest.raises(Lost):
        store.read(claim, LIMIT)


def test_a_lease_that_ended_unnoticed_is_taken_again(redis: RunningRedis, store: RedisStore) -> None:
    claim = saved(store)
    redis.say("DEL", f"app-server:{{{KEY}}}:owner")
    assert store.write([Write(claim, b" goes on", False)]) == []
    with pytest.raises(Taken):
        store.claim(KEY, create=False)
    assert store.read(claim, LIMIT) == b"journal goes on"


def test_a_batch_names_the_claims_that_are_lost(store: RedisStore) -> None:
    claims = [saved(store, key=session_key("", str(number))) for number in range(20)]
    store.release(claims[3])
    store.delete(claims[7])
    claimed(store, claims[3].key)
    assert store.write([Write(claim, b"!", False) for claim in claims]) == [claims[3], claims[7]]
    assert store.renew(claims) == [claims[3], claims[7]]
    assert store.read(claims[4], LIMIT) == b"journal!"


def test_a_deleted_session_stays_so_whoever_writes_late(store: RedisStore, redis: RunningRedis) -> None:
    claim = saved(store)
    redis.say("DEL", f"app-server:{{{KEY}}}:owner")
    successor = claimed(store)
    store.delete(successor)
    for late in (claim, successor):
        assert store.write([Write(late, b"again", True)]) == [late]
    assert store.claim(KEY, create=False) is None
    assert list(store.entries()) == []
    assert store.read(claimed(store), LIMIT) == b""


def test_closing_leaves_a_successor_its_session(redis: RunningRedis, store: RedisStore) -> None:
    leaving = opened(redis.location)
    saved(leaving)
    redis.say("DEL", f"app-server:{{{KEY}}}:owner")
    claim = claimed(store)
    leaving.close()
    with pytest.raises(Taken):
        store.claim(KEY, create=False)
    assert store.write([Write(claim, b"successor", True)]) == []


def test_closing_needs_no_redis(folder: Path) -> None:
    with running_redis(folder) as redis:
        store = opened(redis.location)
        saved(store)
        redis.process.kill()
        redis.process.wait()
        store.close()


def test_a_journal_over_the_limit_is_refused(store: RedisStore) -> None:
    claim = saved(store, b"x" * 1001)
    with pytest.raises(TooLarge) as caught:
        store.read(claim, 1000)
    assert str(caught.value) == "what is saved has 1001 bytes, more than the 1000 allowed"
    with pytest.raises(Unavailable, match="more bytes than --store-max-bytes allows") as unavailable:
        store.write([Write(claim, b"x" * LIMIT, False)])
    assert unavailable.value.unwritten == (claim,)
    assert store.write([Write(claim, b"x" * LIMIT, True)]) == []


def test_everything_expires(redis: RunningRedis) -> None:
    store = opened(redis.location, ttl_s=0.2)
    store.release(saved(store))
    store.release(saved(store, key=OTHER))
    store.put("bookmark", b"view", 0.2)
    until(lambda: redis.say("DBSIZE") == "0", "all keys have expired")
    assert store.claim(KEY, create=False) is None
    assert store.get("bookmark", LIMIT) is None


def test_scripts_are_loaded_again_when_redis_has_forgotten_them(store: RedisStore, redis: RunningRedis) -> None:
    claim = saved(store)
    redis.say("SCRIPT", "FLUSH")
    assert store.write([Write(claim, b" goes on", False), Write(claim, b"!", False)]) == []
    assert store.read(claim, LIMIT) == b"journal goes on!"


def test_without_redis_the_store_is_unavailable_soon_and_works_again(folder: Path) -> None:
    with running_redis(folder) as redis:
        store = opened(redis.by_port)
        claim = saved(store)
        redis.process.kill()
        redis.process.wait()
        for call in (
            lambda: store.write([Write(claim, b"lost?", False)]),
            lambda: store.renew([claim]),
            lambda: store.claim(OTHER, create=True),
            lambda: store.get("bookmark", LIMIT),
            lambda: list(store.entries()),
        ):
            begin = time.monotonic()
            with pytest.raises(Unavailable, match="^redis://127.0.0.1:"):
                call()
            assert time.monotonic() - begin < patience(TIMEOUT_S)
    with running_redis(folder, port=redis.port):
        # It came back empty: the owner goes on, and writes everything next.
        with pytest.raises(Unavailable, match="no longer has the journal: it was evicted or lost") as caught:
            store.write([Write(claim, b" goes on", False)])
        assert caught.value.unwritten == (claim,)
        assert store.write([Write(claim, b"whole", True)]) == []
        assert store.renew([claim]) == []
        assert store.read(claim, LIMIT) == b"whole"


def test_a_redis_that_does_not_answer_is_given_up_after_two_seconds(folder: Path) -> None:
    with running_redis(folder) as redis:
        store = opened(redis.location)
        claim = saved(store)
        redis.process.send_signal(signal.SIGSTOP)
        begin = time.monotonic()
        with pytest.raises(Unavailable) as caught:
            store.write([Write(claim, b"late", False)])
        assert TIMEOUT_S <= time.monotonic() - begin < patience(TIMEOUT_S + 1)
        assert caught.value.unwritten == (claim,)
        assert str(caught.value).startswith(f"unix://{redis.socket}: Timeout reading from ")
        redis.process.send_signal(signal.SIGCONT)
        # What was sent before may have been done: only a whole journal is certain now.
        assert store.write([Write(claim, b"whole", True)]) == []
        assert store.read(claim, LIMIT) == b"whole"


def test_after_a_failover_the_address_is_looked_up_again(folder: Path) -> None:
    with redis_folder() as other, running_redis(other) as primary, running_redis(folder) as redis:
        store = opened(redis.by_port)
        claim = saved(store)
        before = store_clients(redis)
        redis.say("REPLICAOF", "127.0.0.1", str(primary.port))
        with pytest.raises(Unavailable, match="You can't write against a read only replica") as caught:
            store.write([Write(claim, b"more", False)])
        assert caught.value.unwritten == (claim,)
        until(lambda: store_clients(redis) == set(), "the connection is closed")
        with pytest.raises(Unavailable, match="read only replica"):
            store.put("bookmark", b"view", 60)
        redis.say("REPLICAOF", "NO", "ONE")
        assert store.write([Write(claim, b"whole", True)]) == []
        assert store_clients(redis).isdisjoint(before) and before


def store_clients(redis: RunningRedis) -> set[str]:
    """The ids of connections through TCP that are not a replica's."""
    lines = redis.say("CLIENT", "LIST", "TYPE", "NORMAL").splitlines()
    return {line.split()[0] for line in lines if "addr=127.0.0.1:" in line}


def test_a_full_redis_refuses_a_write_and_keeps_what_it_has(folder: Path) -> None:
    with running_redis(folder, "--maxmemory", "4mb", "--maxmemory-policy", "noeviction") as redis:
        store = opened(redis.location, max_bytes=50_000_000)
        claim, other = saved(store), saved(store, key=OTHER)
        redis.say("SET", "filler", "x" * 100_000)
        redis.say("CONFIG", "SET", "maxmemory", "1mb")
        for replaces in (True, False):
            with pytest.raises(Unavailable, match="command not allowed when used memory > 'maxmemory'$") as caught:
                store.write([Write(claim, b"more", replaces)])
            assert caught.value.unwritten == (claim,)
        assert store.read(claim, LIMIT) == b"journal"
        store.delete(other)
        with pytest.raises(Unavailable, match="^unix://") as caught:
            store.renew([claim, other])
        assert caught.value.lost == (other,)
        redis.say("CONFIG", "SET", "maxmemory", "100mb")
        assert store.write([Write(claim, b" goes on", False)]) == []
        assert store.read(claim, LIMIT) == b"journal goes on"


def test_what_redis_evicts_is_gone_or_a_valid_beginning(folder: Path) -> None:
    keys = Keys((b"secret",))
    with running_redis(folder, "--maxmemory", "3mb", "--maxmemory-policy", "allkeys-lru") as redis:
        store = opened(redis.location)
        claims, gone = [], 0
        for number in range(60):
            writer = JournalWriter(keys)
            claim = claimed(store, session_key("", str(number)))
            begin = writer.begin() + writer.write(Record(Kind.OPEN, {"number": number}))
            store.write([Write(claim, begin, True)])
            claims.append(claim)
            for step in range(20):
                try:
                    store.write([Write(claim, writer.write(Record(Kind.CHANGES, {"state": step}, b"x" * 5000)), False)])
                except Unavailable as error:
                    assert error.unwritten == (claim,)
                    break
        for number, claim in enumerate(claims):
            again = store.claim(claim.key, create=False) if claim in store.renew([claim]) else claim
            data = b"" if again is None else store.read(again, LIMIT)
            try:
                journal = read_journal(data, keys)
            except Unreadable as error:
                pytest.fail(f"{number}: {error}")
            if journal is None:
                gone += 1
            else:
                assert journal.opened == {"number": number} and journal.damaged is None
                assert [journal.fields["state"]] == [len(journal.changes) - 1] if journal.changes else True
        assert 0 < gone < 60
        assert int(redis.say("INFO", "stats").partition("evicted_keys:")[2].split()[0]) > 0


def test_entries_are_all_that_is_saved(store: RedisStore) -> None:
    store.release(saved(store, b"1234567", OTHER))
    saved(store)
    store.put("bookmark", b"view", 60)
    found = {entry.key: entry for entry in store.entries()}
    at = {key: entry.saved_at_s for key, entry in found.items()}
    ends = {key: entry.expires_s for key, entry in found.items()}
    now = time.time()
    assert all(abs(saved_at - now) < 60 for saved_at in at.values())
    assert found == {
        KEY: Entry(KEY, 7, at[KEY], True, False, None),
        OTHER: Entry(OTHER, 7, at[OTHER], False, False, ends[OTHER]),
        "bookmark": Entry("bookmark", 4, at["bookmark"], False, True, ends["bookmark"]),
    }
    assert ends[OTHER] == pytest.approx(now + TTL_S, abs=60)
    assert ends["bookmark"] == pytest.approx(now + 60, abs=60)


def test_entries_have_their_size_and_time_also_without_what_redis_has_evicted(
    store: RedisStore, redis: RunningRedis
) -> None:
    claim = saved(store)
    store.write([Write(claim, b"more", False)])
    store.release(claim)
    redis.say("DEL", f"app-server:{{{KEY}}}:about")
    (entry,) = store.entries()
    assert (entry.size_bytes, entry.owned) == (11, False)
    assert entry.saved_at_s == pytest.approx(time.time(), abs=60)


def test_purge_deletes_what_is_old_and_has_no_owner(store: RedisStore) -> None:
    store.release(saved(store, key=OTHER))
    saved(store)
    store.put("bookmark", b"view", 60)
    assert store.purge(100, time.time()) == 0
    assert store.purge(100, time.time() + 200) == 1
    assert [entry.key for entry in store.entries()] == [KEY, "bookmark"]


def test_bookmarks_are_kept_and_dropped(store: RedisStore) -> None:
    store.put("bookmark", b"view\0\xff", 60)
    assert store.get("bookmark", 6) == b"view\0\xff"
    assert store.get("unknown-", 4) is None
    with pytest.raises(TooLarge, match="the bookmark has 6 bytes, more than the 3 allowed"):
        store.get("bookmark", 3)
    assert (store.drop("bookmark"), store.drop("bookmark")) == (True, False)


def test_bookmark_that_lasts_is_counted_although_a_brief_one_is_put_at_the_same_moment(store: RedisStore) -> None:
    class Late:
        """A client whose commands are sent after another process has put a bookmark."""

        def __getattr__(self, name: str) -> Any:
            return getattr(store._redis, name)

        def pipeline(self, **options: Any) -> Any:
            store.put("long-one", b"view", 3600)
            return store._redis.pipeline(**options)

    RedisBookmarks(Late(), "app-server:", time.time).put("brief-one", b"view", 0.2)
    until(lambda: store.get("brief-one", LIMIT) is None, "the brief one has expired")
    assert store.count_bookmarks() == 1


@pytest.mark.parametrize("name", ["*", "../secret", "a}:b{c/d/e"])
def test_odd_names_reach_no_other_key(store: RedisStore, name: str) -> None:
    assert store.get(name, LIMIT) is None
    assert store.drop(name) is False
    for write in (lambda: store.put(name, b"", 1), lambda: store.claim(name, create=True)):
        with pytest.raises(InternalError):
            write()


def with_user(folder: Path, name: str, *rights: str) -> tuple[str, ...]:
    """The flags of a Redis whose users need a password."""
    users = folder / "users.acl"
    lines = ["user default on nopass ~* &* +@all", f"user {name} on >pa/ss:wo@rd {' '.join(rights)}"]
    users.write_text("\n".join(lines) + "\n")
    return ("--aclfile", str(users))


RIGHTS = ("~app-server:*", "+@read", "+@write", "+@scripting", "+@transaction", "+@connection", "+time")
"""What the manual tells operators to allow."""

PASSWORD, QUOTED = "pa/ss:wo@rd", "pa%2Fss%3Awo%40rd"


@pytest.mark.parametrize("missing", ["+@read", "+@write", "+@scripting", "+@transaction", "+time"])
def test_a_user_who_lacks_a_right_is_found_at_the_start(folder: Path, missing: str) -> None:
    with running_redis(folder, *with_user(folder, "app", *(right for right in RIGHTS if right != missing))) as redis:
        with pytest.raises(OperatorError, match="permission|can't run this command"):
            opened(f"redis://app:{QUOTED}@127.0.0.1:{redis.port}/0").check()


def test_a_user_needs_few_rights(folder: Path) -> None:
    with running_redis(folder, *with_user(folder, "app", *RIGHTS)) as redis:
        store = opened(f"redis://app:{QUOTED}@127.0.0.1:{redis.port}/0")
        store.check()
        claim = saved(store)
        assert store.renew([claim]) == []
        store.put("a-bookmark", b"view", 60)
        assert store.get("a-bookmark", 100) == b"view"
        assert len(list(store.entries())) == 2 and store.count_bookmarks() == 1 and store.drop("a-bookmark")
        store.end(Ending(KEY, 1.5))
        assert store.endings() == [Ending(KEY, 1.5)]
        store.delete(claim)


def test_a_user_needs_only_the_keys_of_app_server(folder: Path) -> None:
    flags = with_user(folder, "app", "~app-server:*", "+@all", "-@dangerous", "-@admin")
    with running_redis(folder, *flags) as redis:
        store = opened(f"redis://app:{QUOTED}@127.0.0.1:{redis.port}/0")
        store.check()
        claim = saved(store)
        assert store.renew([claim]) == []
        store.put("bookmark", b"view", 60)
        assert len(list(store.entries())) == 2
        store.release(claim)
        assert store.purge(0, time.time() + 100) == 1


@pytest.mark.parametrize("password", ["wrong-password", QUOTED])
def test_no_error_shows_the_password(folder: Path, password: str, caplog: pytest.LogCaptureFixture) -> None:
    # With the right password this user may do nothing.
    with running_redis(folder, *with_user(folder, "app", "-@all")) as redis:
        store = opened(f"redis://app:{password}@127.0.0.1:{redis.port}/0")
        shown = []
        for call in (store.check, lambda: store.claim(KEY, create=True), lambda: list(store.entries())):
            with pytest.raises((OperatorError, Unavailable)) as caught:
                call()
            logging.getLogger("test").error("refused", exc_info=caught.value)
            shown += [str(caught.value), "".join(traceback.format_exception(caught.value))]
        texts = "".join([*shown, caplog.text, repr(store)])
    assert f"--store: redis://127.0.0.1:{redis.port}/0: " in texts
    assert "Check the address, and that Redis runs and may be used with this name and password." in shown[0]
    for secret in ("wrong-password", PASSWORD, QUOTED):
        assert secret not in texts


def test_a_redis_that_cannot_be_reached_stops_the_start_with_one_line(folder: Path) -> None:
    with pytest.raises(OperatorError) as caught:
        opened(f"unix://{folder}/nobody").check()
    text = str(caught.value)
    assert text.startswith(f"--store: unix://{folder}/nobody: Error 2 connecting to ")
    assert text.endswith(
        "No such file or directory. Check the address, and that Redis runs and may be used with this name and password."
    )


def test_tls_is_checked_with_the_authority_that_the_address_names(folder: Path) -> None:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(folder / "ca.pem")
    certificate = authority.issue_cert("localhost", "127.0.0.1")
    certificate.private_key_pem.write_to_path(folder / "key.pem")
    for pem in certificate.cert_chain_pems:
        pem.write_to_path(folder / "cert.pem", append=True)
    flags = ("--tls-cert-file", "cert.pem", "--tls-key-file", "key.pem", "--tls-ca-cert-file", "ca.pem")
    port = free_port()
    in_folder = [str(folder / flag) if flag.endswith(".pem") else flag for flag in flags]
    with running_redis(
        folder, "--bind", "127.0.0.1", "127.0.0.2", "--tls-port", str(port), "--tls-auth-clients", "no", *in_folder
    ):
        store = opened(f"rediss://localhost:{port}/0?ssl_ca_certs={folder}/ca.pem")
        store.check()
        assert store.read(saved(store), LIMIT) == b"journal"
        with pytest.raises(OperatorError, match="certificate verify failed"):
            opened(f"rediss://localhost:{port}/0").check()
        # Of the right authority, but for another name.
        with pytest.raises(OperatorError, match="certificate verify failed"):
            opened(f"rediss://127.0.0.2:{port}/0?ssl_ca_certs={folder}/ca.pem").check()


def test_looking_at_a_session_changes_nothing(store: RedisStore, redis: RunningRedis) -> None:
    assert (store.is_saved(KEY), store.head(KEY, 3)) == (False, b"")
    claim = claimed(store)
    assert not store.is_saved(KEY)
    store.write([Write(claim, b"journal", True)])
    other = opened(redis.location, ttl_s=1)
    assert (other.is_saved(KEY), other.head(KEY, 3), other.head(KEY, 99)) == (True, b"jou", b"journal")
    (entry,) = store.entries()
    assert entry.owned
    store.release(claim)
    assert other.is_saved(KEY) and other.head(KEY, 3) == b"jou"
    (entry,) = store.entries()
    assert entry.expires_s is not None and entry.expires_s > time.time() + TTL_S - 60
    assert store.lease_s == 4
    other.close()


def test_owner_of_a_session_that_was_revoked_has_lost_it(store: RedisStore, redis: RunningRedis) -> None:
    claim = claimed(store)
    store.write([Write(claim, b"journal", True)])
    other = opened(redis.location)
    assert other.revoke(KEY) and not other.revoke(KEY)
    assert store.write([Write(claim, b"!", False)]) == [claim] == list(store.renew([claim]))
    assert list(other.entries()) == [] and other.claim(KEY, create=False) is None
    again = claimed(other)
    assert again.fence > claim.fence
    other.write([Write(again, b"again", True)])
    store.delete(claim)
    assert other.is_saved(KEY)
    other.close()


def test_process_that_begins_finds_only_what_was_to_end_lately(store: RedisStore, redis: RunningRedis) -> None:
    store.end(Ending(KEY, 1))
    later = opened(redis.location, clock=lambda: time.time() + 7200)  # type: ignore[arg-type]
    assert later.endings() == []
    later.close()
