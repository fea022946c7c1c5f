"""Sessions in a folder: one owner each, and what happens to files that are not as they should be."""

from __future__ import annotations

import errno
import fcntl
import os
import resource
import shutil
import signal
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from app_server.errors import InternalError, OperatorError
from app_server.store.base import Ending, Entry, Write, session_key
from app_server.store.errors import Lost, Taken, TooLarge, Unavailable
from app_server.store.files import endings
from app_server.store.folder import FolderStore
from tests.support.claiming import claiming
from tests.support.unprivileged import not_as_root
from tests.support.waiting import PATIENCE_S, patience, until
from tests.unit.store.making import KEY, LIMIT, OTHER, TTL_S, claimed, saved


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "sessions"


@pytest.fixture
def store(folder: Path) -> Iterator[FolderStore]:
    store = opened(folder)
    yield store
    store.close()


def opened(folder: Path) -> FolderStore:
    store = FolderStore(str(folder), ttl_s=TTL_S, max_bytes=LIMIT)
    store.check()
    return store


def file_of(folder: Path, key: str = KEY) -> Path:
    return folder / f"{key}.session"


def make_older(path: Path, age_s: float) -> None:
    then = time.time() - age_s
    os.utime(path, (then, then))


def test_the_folder_and_its_files_are_private(store: FolderStore, folder: Path) -> None:
    before = os.umask(0)
    try:
        saved(store)
        store.put("bookmark", b"view", 60)
    finally:
        os.umask(before)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()} == {0o600}
    assert sorted(path.name for path in folder.iterdir()) == [f"{KEY}.session", "bookmark.view"]


def test_a_released_session_is_found_again(folder: Path, store: FolderStore) -> None:
    store.release(saved(store))
    other = opened(folder)
    claim = other.claim(KEY, create=False)
    assert claim is not None and other.read(claim, LIMIT) == b"journal"
    other.close()


def test_nothing_saved_is_none_unless_it_is_created(store: FolderStore, folder: Path) -> None:
    assert store.claim(KEY, create=False) is None
    store.release(claimed(store))
    assert store.claim(KEY, create=False) is None
    assert list(folder.iterdir()) == []


def test_an_empty_file_of_a_killed_process_is_nothing_saved(store: FolderStore, folder: Path) -> None:
    with claiming(str(folder), KEY) as owner:
        owner.kill()
    assert file_of(folder).exists()
    assert store.claim(KEY, create=False) is None
    assert list(folder.iterdir()) == []


def test_one_key_has_one_owner_also_among_stores_of_a_process(store: FolderStore, folder: Path) -> None:
    saved(store)
    for other in (store, opened(folder)):
        with pytest.raises(Taken) as caught:
            other.claim(KEY, create=True)
        assert str(caught.value) == f"{folder}: another process owns this session"


def test_two_processes_cannot_own_one_session(store: FolderStore, folder: Path) -> None:
    claim = saved(store)
    with claiming(str(folder), KEY) as second:
        assert second.answer == "Taken"
    store.release(claim)
    with claiming(str(folder), KEY) as third:
        assert third.answer == "claimed"
        with pytest.raises(Taken):
            store.claim(KEY, create=False)


def test_of_many_processes_at_once_one_owns_the_session(folder: Path) -> None:
    opened(folder).close()
    stack = [claiming(str(folder), KEY) for _ in range(4)]
    owners = [each.__enter__() for each in stack]
    try:
        assert sorted(owner.answer for owner in owners) == ["Taken", "Taken", "Taken", "claimed"]
    finally:
        for each in stack:
            each.__exit__(None, None, None)


def test_kill_9_frees_the_session_at_once(store: FolderStore, folder: Path) -> None:
    with claiming(str(folder), KEY) as owner:
        assert owner.do("write") == "written"
        owner.kill()
        claim = store.claim(KEY, create=False)
        assert claim is not None and store.read(claim, LIMIT) == b"write"


def test_a_forked_child_does_not_keep_what_its_killed_parent_owned(store: FolderStore, folder: Path) -> None:
    with claiming(str(folder), KEY) as owner:
        assert owner.do("write") == "written"
        child = int(owner.do("fork"))
        try:
            with pytest.raises(Taken):
                store.claim(KEY, create=False)
            owner.kill()

            def is_free() -> bool:
                with suppress(Taken):
                    return store.claim(KEY, create=False) is not None
                return False

            # The child may not have come as far yet.
            until(is_free)
        finally:
            os.kill(child, signal.SIGKILL)


def test_a_stopped_owner_keeps_its_session(store: FolderStore, folder: Path) -> None:
    with claiming(str(folder), KEY) as owner:
        owner.process.send_signal(signal.SIGSTOP)
        with pytest.raises(Taken):
            store.claim(KEY, create=True)
        owner.process.send_signal(signal.SIGCONT)
        assert owner.do("write") == "written"


def test_replacing_a_file_lets_no_other_process_in(store: FolderStore, folder: Path) -> None:
    claim = saved(store)
    stop = threading.Event()
    taken = []

    def try_on() -> None:
        other = opened(folder)
        while not stop.is_set():
            try:
                taken.append(other.claim(KEY, create=True))
            except Taken:
                continue

    thread = threading.Thread(target=try_on)
    thread.start()
    try:
        for number in range(500):
            assert store.write([Write(claim, b"%d" % number, True)]) == []
            assert store.read(claim, LIMIT) == b"%d" % number
    finally:
        stop.set()
        thread.join()
    assert taken == []


def test_a_file_that_was_replaced_while_we_waited_is_not_ours(store: FolderStore, folder: Path) -> None:
    claim = saved(store)
    number = os.open(file_of(folder), os.O_RDWR)
    store.write([Write(claim, b"newer", True)])
    # The lock of the old file is free, and means nothing: its name leads to the new one.
    fcntl.flock(number, fcntl.LOCK_EX | fcntl.LOCK_NB)
    with pytest.raises(Taken):
        store.claim(KEY, create=True)
    os.close(number)
    assert store.write([Write(claim, b"!", False)]) == []
    assert file_of(folder).read_bytes() == b"newer!"


@pytest.mark.parametrize("replaces", [False, True])
def test_a_session_whose_file_was_deleted_is_lost(store: FolderStore, folder: Path, replaces: bool) -> None:
    claim, other = saved(store), saved(store, key=OTHER)
    file_of(folder).unlink()
    assert store.write([Write(claim, b"more", replaces), Write(other, b"more", False)]) == [claim]
    with pytest.raises(Lost):
        store.read(claim, LIMIT)
    successor = saved(store, b"another")
    store.delete(claim)
    store.release(claim)
    assert store.read(successor, LIMIT) == b"another"
    assert store.read(other, LIMIT) == b"journalmore"


def test_a_deleted_session_is_gone_and_free(store: FolderStore, folder: Path) -> None:
    store.delete(saved(store))
    assert list(folder.iterdir()) == []
    assert store.claim(KEY, create=False) is None


def test_what_is_released_or_deleted_is_written_no_more(store: FolderStore) -> None:
    released, deleted = saved(store), saved(store, key=OTHER)
    store.release(released)
    store.delete(deleted)
    for claim in (released, deleted):
        assert store.write([Write(claim, b"x", False)]) == [claim]
        store.release(claim)
        store.delete(claim)
    claim = store.claim(KEY, create=False)
    assert claim is not None and store.read(claim, LIMIT) == b"journal"


def test_a_journal_over_the_limit_is_refused_before_it_is_read(store: FolderStore, folder: Path) -> None:
    claim = saved(store)
    os.truncate(file_of(folder), 2**40)  # a file of holes: reading it would take a terabyte
    with pytest.raises(TooLarge) as caught:
        store.read(claim, 1000)
    assert str(caught.value) == f"what is saved has {2**40} bytes, more than the 1000 allowed"


def test_a_write_over_the_limit_is_left_out_and_the_others_are_written(store: FolderStore) -> None:
    claim, other = saved(store), saved(store, key=OTHER)
    with pytest.raises(Unavailable, match="a session would have more than 1000000 bytes") as caught:
        store.write([Write(claim, b"x" * LIMIT, False), Write(other, b" more", False)])
    assert caught.value.unwritten == (claim,)
    assert (store.read(claim, LIMIT), store.read(other, LIMIT)) == (b"journal", b"journal more")
    assert store.write([Write(claim, b"x" * LIMIT, True)]) == []


def limited(size: int) -> None:
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.getrlimit(resource.RLIMIT_FSIZE)[1]))


def test_a_short_write_is_cut_back(store: FolderStore, folder: Path) -> None:
    claim, other = saved(store), saved(store, key=OTHER)
    unlimited = resource.getrlimit(resource.RLIMIT_FSIZE)
    limited(20)
    try:
        writes = [Write(claim, b"x" * 100, False), Write(other, b" more", False), Write(claim, b"y" * 100, True)]
        with pytest.raises(Unavailable, match=f"^{folder}: File too large$") as caught:
            store.write(writes)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, unlimited)
    assert caught.value.unwritten == (claim, claim)
    assert (file_of(folder).read_bytes(), file_of(folder, OTHER).read_bytes()) == (b"journal", b"journal more")
    assert len(list(folder.iterdir())) == 2
    assert store.write([Write(claim, b" goes on", False)]) == []
    assert store.read(claim, LIMIT) == b"journal goes on"


def test_without_descriptors_the_store_is_unavailable_and_says_what_to_raise(folder: Path) -> None:
    program = (
        "import resource, sys\n"
        "from app_server.store.base import session_key\n"
        "from app_server.store.errors import Unavailable\n"
        "from app_server.store.folder import FolderStore\n"
        "store = FolderStore(sys.argv[1], ttl_s=1, max_bytes=1)\n"
        "store.check()\n"
        "resource.setrlimit(resource.RLIMIT_NOFILE, (20, 20))\n"
        "try:\n"
        "    claims = [store.claim(session_key('', str(n)), create=True) for n in range(30)]\n"
        "except Unavailable as error:\n"
        "    print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", program, str(folder)], capture_output=True, text=True, check=True)
    assert done.stdout == (
        f"{folder}: Too many open files."
        " Each session needs an open file: raise the limit (ulimit -n, or LimitNOFILE in systemd).\n"
    )


def test_a_session_that_was_not_written_for_long_has_expired(store: FolderStore, folder: Path) -> None:
    store.release(saved(store))
    make_older(file_of(folder), TTL_S - 10)
    claim = store.claim(KEY, create=False)
    assert claim is not None
    store.write([Write(claim, b"!", False)])
    store.release(claim)
    make_older(file_of(folder), TTL_S + 10)
    assert store.claim(KEY, create=False) is None
    assert list(folder.iterdir()) == []


def test_an_expired_session_is_created_empty(store: FolderStore, folder: Path) -> None:
    store.release(saved(store))
    make_older(file_of(folder), TTL_S + 10)
    assert store.read(claimed(store), LIMIT) == b""


def test_a_clock_that_was_set_back_expires_nothing(store: FolderStore, folder: Path) -> None:
    store.release(saved(store))
    make_older(file_of(folder), -100_000)
    assert store.claim(KEY, create=False) is not None


def test_a_session_does_not_expire_while_it_is_owned(store: FolderStore, folder: Path) -> None:
    with claiming(str(folder), KEY) as owner:
        assert owner.do("write") == "written"
        make_older(file_of(folder), TTL_S + 10)
        assert owner.do("renew") == "renewed"
        owner.kill()
    assert store.claim(KEY, create=False) is not None


def test_entries_are_all_that_is_saved(store: FolderStore, folder: Path) -> None:
    store.release(saved(store, b"1234567", OTHER))
    saved(store)
    store.put("bookmark", b"view", 60)
    (folder / "notes.txt").write_text("not ours")
    (folder / "short.view").mkdir()
    found = {entry.key: entry for entry in store.entries()}
    at = {key: entry.saved_at_s for key, entry in found.items()}
    now = time.time()
    assert all(abs(saved_at - now) < 60 for saved_at in at.values())
    assert found == {
        KEY: Entry(KEY, 7, at[KEY], True, False, None),
        OTHER: Entry(OTHER, 7, at[OTHER], False, False, at[OTHER] + TTL_S),
        "bookmark": Entry("bookmark", 4, at["bookmark"], False, True, found["bookmark"].expires_s),
    }
    expires_s = found["bookmark"].expires_s
    assert expires_s is not None and abs(expires_s - now - 60) < 60


def test_looking_at_entries_disturbs_no_claim(store: FolderStore, folder: Path) -> None:
    for number in range(50):
        store.release(saved(store, key=session_key("", str(number))))
    stop = threading.Event()

    def look() -> None:
        other = opened(folder)
        while not stop.is_set():
            list(other.entries())

    thread = threading.Thread(target=look)
    thread.start()
    try:
        for number in range(2000):
            claim = store.claim(session_key("", str(number % 50)), create=False)
            assert claim is not None
            store.release(claim)
    finally:
        stop.set()
        thread.join()


def test_claim_of_ones_own_session_waits_for_another_process_that_only_looks(
    store: FolderStore, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app_server.store.folder._TRY_FOR_S", patience(PATIENCE_S))
    file_of(folder).touch(mode=0o600)
    number = os.open(file_of(folder), os.O_RDONLY)
    fcntl.flock(number, fcntl.LOCK_SH)
    begun_s = time.monotonic()
    looking = threading.Timer(0.1, os.close, [number])  # a process that has lost the processor
    looking.start()
    claimed(store)
    assert time.monotonic() - begun_s > 0.05
    looking.join()


def test_asking_for_sessions_that_another_process_has_costs_no_time(store: FolderStore, folder: Path) -> None:
    """Many pages may wait for the sessions of a process that is about to stop, and one thread asks for them all."""
    saved(store)
    store.release(saved(store, key=OTHER))
    other = opened(folder)

    def asked() -> None:
        with pytest.raises(Taken):
            other.claim(KEY, create=False)

    def had() -> None:
        claim = other.claim(OTHER, create=False)
        assert claim is not None
        other.release(claim)

    assert least_s(asked) < 20 * least_s(had)
    other.close()


def least_s(work: Callable[[], None]) -> float:
    """How long it takes, if the processor has nothing else to do."""
    found = []
    for _ in range(50):
        begun_s = time.monotonic()
        work()
        found.append(time.monotonic() - begun_s)
    return min(found)


def test_purge_deletes_what_is_old_and_has_no_owner(store: FolderStore, folder: Path) -> None:
    for key in (KEY, OTHER, "0" * 64):
        claim = saved(store, key=key)
        if key != KEY:
            store.release(claim)
    store.put("bookmark", b"view", 60)
    store.put("for-long", b"view", 600)
    make_older(file_of(folder, KEY), 500)
    make_older(file_of(folder, OTHER), 500)
    draft, fresh = folder / f".{KEY}.session.0000.draft", folder / f".{KEY}.session.1111.draft"
    for path in (draft, fresh):
        path.touch()
    make_older(draft, 4000)
    assert store.purge(400, time.time()) == 1
    assert store.purge(400, time.time() + 100) == 1
    left = sorted(path.name for path in folder.iterdir())
    assert left == sorted([fresh.name, f"{KEY}.session", f"{'0' * 64}.session", "for-long.view"])


def test_bookmarks_are_kept_dropped_and_expire(store: FolderStore) -> None:
    store.put("bookmark", b"view", 60)
    assert store.get("bookmark", 4) == b"view"
    assert store.get("unknown-", 4) is None
    with pytest.raises(TooLarge, match="the bookmark has 4 bytes, more than the 3 allowed"):
        store.get("bookmark", 3)
    assert (store.drop("bookmark"), store.drop("bookmark")) == (True, False)
    assert store.get("bookmark", 4) is None
    store.put("expired-", b"view", -1)
    assert store.get("expired-", 4) is None


def test_a_bookmark_that_was_cut_off_has_expired(store: FolderStore, folder: Path) -> None:
    (folder / "bookmark.view").write_bytes(b"\x41")
    assert store.get("bookmark", 4) is None
    assert store.purge(0, time.time()) == 1


@pytest.mark.parametrize("name", ["../secret", "a/b/c/d/e", "", ".", "x" * 200])
def test_names_from_links_never_leave_the_folder(store: FolderStore, folder: Path, name: str) -> None:
    (folder.parent / "secret.view").write_bytes(b"\x7f" * 20)
    assert store.get(name, LIMIT) is None
    assert store.drop(name) is False
    for write in (lambda: store.put(name, b"", 1), lambda: store.claim(name, create=True)):
        with pytest.raises(InternalError):
            write()
    assert sorted(path.name for path in folder.parent.iterdir()) == ["secret.view", "sessions"]


def refused(folder: Path | str) -> str:
    with pytest.raises(OperatorError) as caught:
        FolderStore(str(folder), ttl_s=1, max_bytes=1).check()
    return str(caught.value)


def test_a_folder_that_others_can_write_is_refused(folder: Path) -> None:
    folder.mkdir()
    for mode in (0o770, 0o702, 0o1777):
        folder.chmod(mode)
        assert refused(folder) == f"--store: {folder} can be written by other users. Run: chmod 700 {folder}"
    folder.chmod(0o755)
    opened(folder).close()


def test_a_folder_of_another_user_is_refused(tmp_path: Path) -> None:
    # /proc belongs to root, whoever runs the tests; root looks at a folder that it gives away.
    if os.geteuid() == 0:
        folder = tmp_path / "theirs"
        folder.mkdir(mode=0o700)
        os.chown(folder, 65534, 65534)
        expected = f"--store: {folder} belongs to nobody, not to root."
        hint = f" Run this as nobody, or give the folder away: chown root {folder}"
        assert refused(folder) == expected + hint
    else:
        assert refused("/usr").startswith("--store: /usr belongs to root, not to ")


def test_a_folder_that_cannot_be_made_is_refused(tmp_path: Path) -> None:
    with not_as_root():
        assert refused("/usr/app-server-sessions") == (
            "--store: /usr/app-server-sessions cannot be used for sessions: Permission denied."
            " Make it, or name one that this user can make and write."
        )


def test_a_folder_that_this_user_cannot_write_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "sessions"
    folder.mkdir()
    tmp_path.chmod(0o755)
    if os.geteuid() == 0:
        os.chown(folder, 65534, 65534)
    folder.chmod(0o555)
    with not_as_root():
        parents_are_open = os.access(folder, os.X_OK, effective_ids=True)
        text = refused(folder)
    if parents_are_open:
        assert text == (
            f"--store: sessions cannot be saved in {folder}: Permission denied."
            " Name a folder that this user can write, on a disk that has room."
        )
    else:
        assert "Permission denied" in text


def test_a_file_in_place_of_the_folder_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.touch()
    assert refused(path) == f"--store: {path} is not a folder. Name a folder for saved sessions."


def test_a_link_in_place_of_the_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    link = tmp_path / "link"
    link.symlink_to(tmp_path / "real")
    hint = f"Name the folder that it leads to: {tmp_path / 'real'}"
    assert refused(link) == f"--store: {link} is a symbolic link. {hint}"
    link.unlink()
    link.symlink_to(tmp_path / "nowhere")
    assert refused(link) == f"--store: {link} is a symbolic link. Name the folder that it leads to: {tmp_path}/nowhere"


@pytest.mark.parametrize("create", [False, True])
def test_a_link_in_place_of_a_session_is_not_followed(store: FolderStore, folder: Path, create: bool) -> None:
    target = folder.parent / "target"
    target.write_bytes(b"untouched")
    file_of(folder).symlink_to(target)
    (folder / "bookmark.view").symlink_to(target)
    with pytest.raises(Unavailable, match=f"^{folder}: {os.strerror(errno.ELOOP)}$"):
        store.claim(KEY, create=create)
    assert store.get("bookmark", LIMIT) is None
    assert list(store.entries()) == []
    store.put("bookmark", b"view", 60)
    assert store.get("bookmark", LIMIT) == b"view"
    assert target.read_bytes() == b"untouched"


def test_a_pipe_in_place_of_a_session_is_not_waited_for(store: FolderStore, folder: Path) -> None:
    os.mkfifo(file_of(folder))
    os.mkfifo(folder / "bookmark.view")
    with pytest.raises(Unavailable, match="there is something that is not a file"):
        store.claim(KEY, create=True)
    assert store.get("bookmark", LIMIT) is None
    assert list(store.entries()) == []


def test_sessions_in_use_outlive_their_folder(store: FolderStore, folder: Path) -> None:
    claim = saved(store)
    shutil.rmtree(folder)
    with pytest.raises(Unavailable, match="the folder was deleted") as unavailable:
        store.write([Write(claim, b"more", replaces=False)])
    assert unavailable.value.unwritten == (claim,)
    assert store.write([Write(claim, b"all of it", replaces=True)]) == []
    assert store.write([Write(claim, b" and more", replaces=False)]) == []
    assert store.read(claim, 100) == b"all of it and more"
    with pytest.raises(Taken):
        FolderStore(str(folder), ttl_s=3600, max_bytes=10_000).claim(claim.key, create=True)
    store.release(claim)
    assert store.is_saved(claim.key)


def test_session_that_another_process_has_in_the_new_folder_is_lost(store: FolderStore, folder: Path) -> None:
    claim = saved(store)
    shutil.rmtree(folder)
    other = FolderStore(str(folder), ttl_s=3600, max_bytes=10_000)
    assert other.claim(claim.key, create=True) is not None
    assert store.write([Write(claim, b"all of it", replaces=True)]) == [claim]
    other.close()


def test_a_folder_that_was_deleted_is_made_again(store: FolderStore, folder: Path) -> None:
    claim = saved(store)
    file_of(folder).unlink()
    folder.rmdir()
    assert store.write([Write(claim, b"more", True)]) == []
    assert store.read(claim, LIMIT) == b"more"
    assert store.read(saved(store, b"new", key=OTHER), LIMIT) == b"new"
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_looking_at_a_session_changes_nothing(store: FolderStore, folder: Path) -> None:
    assert (store.is_saved(KEY), store.head(KEY, 3)) == (False, b"")
    claim = claimed(store)
    assert not store.is_saved(KEY)
    store.write([Write(claim, b"journal", True)])
    other = opened(folder)
    assert (other.is_saved(KEY), other.head(KEY, 3), other.head(KEY, 99)) == (True, b"jou", b"journal")
    store.release(claim)
    make_older(file_of(folder), TTL_S - 60)
    before = file_of(folder).stat().st_mtime_ns
    assert other.is_saved(KEY) and other.head(KEY, 3) == b"jou"
    assert file_of(folder).stat().st_mtime_ns == before
    make_older(file_of(folder), TTL_S + 60)
    assert not other.is_saved(KEY)
    assert other.lease_s == 0


def test_renewing_in_a_folder_that_was_deleted_loses_nothing(store: FolderStore, folder: Path) -> None:
    claim = saved(store)
    shutil.rmtree(folder)
    assert store.renew([claim]) == []


def test_file_of_what_is_to_end_keeps_the_last_ones(
    store: FolderStore, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(endings, "_KEPT", 4)
    other = opened(folder)
    seen = set()
    for number in range(40):
        store.end(Ending(KEY, number))
        seen |= {ending.at_s for ending in other.endings()}
    assert seen == set(range(40))
    assert 4 <= len(store.endings()) <= 8
    other.close()


def test_half_a_record_of_what_is_to_end_hides_no_other(store: FolderStore, folder: Path) -> None:
    store.end(Ending(KEY, 1))
    with (folder / "endings").open("ab") as file:
        file.write(b"half")
    assert list(store.endings()) == [Ending(KEY, 1)]
    store.end(Ending(OTHER, 2))
    assert list(store.endings()) == [Ending(OTHER, 2)]


def test_file_of_what_is_to_end_that_stays_locked_is_an_error(
    store: FolderStore, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(endings, "_TRY_FOR_S", 0.02)
    store.end(Ending(KEY, 1))
    with (folder / "endings").open("rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        with pytest.raises(Unavailable, match="another process does not let go of the file that says which sessions"):
            store.end(Ending(OTHER, 2))
    store.end(Ending(OTHER, 3))
    assert list(store.endings()) == [Ending(KEY, 1), Ending(OTHER, 3)]


def test_processes_that_end_sessions_at_the_same_time_lose_nothing(
    store: FolderStore, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(endings, "_KEPT", 50)

    def ends(first: int) -> None:
        each = opened(folder)
        for number in range(first, first + 200):
            each.end(Ending(KEY, number))
        each.close()

    threads = [threading.Thread(target=ends, args=(first,)) for first in (0, 1000, 2000)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    kept = [int(ending.at_s) for ending in store.endings()]
    assert len(kept) >= 50
    for first in (0, 1000, 2000):
        own = [number for number in kept if first <= number < first + 200]
        assert own == list(range(first + 200 - len(own), first + 200))


def test_another_file_in_place_of_what_is_to_end_is_not_followed(store: FolderStore, folder: Path) -> None:
    target = folder.parent / "target"
    target.write_bytes(b"untouched")
    (folder / "endings").symlink_to(target)
    assert list(store.endings()) == []
    with pytest.raises(Unavailable, match=os.strerror(errno.ELOOP)):
        store.end(Ending(KEY, 1))
    assert target.read_bytes() == b"untouched"
