"""What hosts install is gathered for their Python and platform, with what applications require."""

from __future__ import annotations

from pathlib import Path

import pytest

from app_server.deployment.releases import wheelhouse
from app_server.errors import OperatorError
from tests.support.tools import ROOT


def test_wheels_for_older_c_libraries_run_on_newer_ones() -> None:
    names = wheelhouse.compatible("manylinux_2_17_aarch64")
    assert names[:2] == ["manylinux_2_17_aarch64", "manylinux2014_aarch64"]
    assert {"manylinux_2_5_aarch64", "manylinux1_aarch64", "linux_aarch64"} <= set(names)
    assert wheelhouse.compatible("macosx_14_0_arm64") == ["macosx_14_0_arm64"]


def test_applications_keep_the_versions_that_the_server_needs(tmp_path: Path) -> None:
    (tmp_path / "plain.txt").write_text("pandas\n", encoding="utf-8")
    (tmp_path / "locked.txt").write_text("kit==1 --hash=sha256:00\n", encoding="utf-8")
    needs = [tmp_path / "plain.txt", tmp_path / "locked.txt"]
    listed = ROOT / "requirements/image.txt"
    server, plain, locked = wheelhouse.commands(tmp_path, needs, Path("/limits"), "3.13", "linux_x86_64", listed)
    assert "--require-hashes" in server and str(listed) in server
    assert plain[-4:] == ["--requirement", str(needs[0]), "--constraint", "/limits"]
    assert locked[-2:] == ["--requirement", str(needs[1])]
    for words in (server, plain, locked):
        assert words[words.index("--python-version") + 1] == "3.13" and "linux_x86_64" in words


def test_versions_are_those_of_the_lock() -> None:
    text = "bokeh==3.9.2 \\\n    --hash=sha256:00\nnumpy==2.4.6 ; python_version > '3'\n    # via bokeh\n"
    assert wheelhouse.versions(text) == "bokeh==3.9.2\nnumpy==2.4.6\n"


@pytest.mark.parametrize(
    ("python", "version"), [("3.11", "2.4.6"), ("3.11.2", "2.4.6"), ("3.12", "2.5.5"), ("3.13", "2.5.5")]
)
def test_conditions_are_those_of_the_hosts_python(python: str, version: str) -> None:
    """Not of the Python that gathers: pip compares with that, whatever --python-version says."""
    text = (
        "bokeh==3.9.2 \\\n    --hash=sha256:00\n    # via app-server; python\n"
        "numpy==2.4.6 ; python_full_version < '3.12' \\\n    --hash=sha256:01 \\\n    --hash=sha256:02\n"
        "numpy==2.5.5 ; python_full_version >= '3.12' \\\n    --hash=sha256:03\n    # via bokeh\n"
        "old==1 ; python_version < '3.11'\n"
    )
    applying = wheelhouse.applying(text, python)
    assert wheelhouse.versions(applying) == f"bokeh==3.9.2\nnumpy=={version}\n"
    assert ("sha256:02" in applying, "sha256:03" in applying) == (version == "2.4.6", version != "2.4.6")


def test_lock_names_one_version_of_each_for_any_python() -> None:
    """Two constraints of one package contradict each other."""
    text = (ROOT / "requirements/image.txt").read_text(encoding="utf-8")
    for python in ("3.11", "3.13", None):
        names = [line.partition("==")[0] for line in wheelhouse.versions(wheelhouse.applying(text, python)).split()]
        assert "numpy" in names and len(names) == len(set(names))


def test_missing_file_is_said_before_anything_is_fetched(tmp_path: Path) -> None:
    with pytest.raises(OperatorError) as refused:
        wheelhouse.collect(tmp_path / "wheels", [tmp_path / "none.txt"])
    assert str(refused.value) == f"{tmp_path}/none.txt: does not exist"
    assert not (tmp_path / "wheels").exists()


def test_environment_without_pip_is_told_how_to_get_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wheelhouse.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(OperatorError) as refused:
        wheelhouse.collect(tmp_path / "wheels")
    assert str(refused.value) == (
        "pip, which collects wheels, is not installed. "
        "Install it beside app-server: `uvx --with pip ...`, `uv pip install pip` or `python -m ensurepip`."
    )


def test_wheels_are_collected_and_failures_say_of_what(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    listed = tmp_path / "clone/requirements/image.txt"
    needs = tmp_path / "needs.txt"
    listed.parent.mkdir(parents=True)
    listed.write_text("# empty\n", encoding="utf-8")
    needs.write_text("./no-such-wheel-1-py3-none-any.whl\n", encoding="utf-8")
    monkeypatch.setattr(wheelhouse, "brought", lambda path: listed)
    monkeypatch.setattr(wheelhouse, "write_own_wheel", lambda folder: (folder / "app_server-1.whl").touch())
    assert wheelhouse.collect(tmp_path / "wheels") == 1
    assert sorted(path.name for path in (tmp_path / "wheels").iterdir()) == ["app_server-1.whl", "requirements.txt"]
    with pytest.raises(OperatorError) as refused:
        wheelhouse.collect(tmp_path / "wheels", [needs])
    assert str(refused.value) == f"{needs}: its wheels cannot be collected. pip says why, above."


def test_list_of_an_application_is_never_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wheelhouse, "write_own_wheel", lambda folder: (folder / "app_server-1.whl").touch())
    place = tmp_path / "requirements.txt"
    place.write_text("pandas\n", encoding="utf-8")
    with pytest.raises(OperatorError, match="is not a list of app-server, and would be replaced. Name a folder"):
        wheelhouse.collect(tmp_path, download=False)
    assert place.read_text(encoding="utf-8") == "pandas\n" and list(tmp_path.iterdir()) == [place]
    assert wheelhouse.collect(tmp_path / "wheels", [place], download=False) == 1
    # Again, after an update: the list is an older one of ours.
    (tmp_path / "wheels" / "requirements.txt").write_text("older", encoding="utf-8")
    assert wheelhouse.collect(tmp_path / "wheels", [place], download=False) == 1
    with pytest.raises(OperatorError, match="would be replaced"):
        wheelhouse.collect(tmp_path / "wheels", [tmp_path / "wheels" / "requirements.txt"], download=False)


def test_folder_that_cannot_be_is_said_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for folder in (tmp_path / "file", tmp_path / "file" / "x", tmp_path / ("x" * 256)):
        with pytest.raises(OperatorError, match="cannot be written: "):
            wheelhouse.collect(folder, download=False)
