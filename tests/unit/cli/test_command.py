"""The description of a command, and the flags that settings make."""

from __future__ import annotations

import pytest

from app_server.cli.command import Command, Flag, choices, flag_of, flags_of, switch, wrong_choice
from app_server.settings import Arity, all_settings

SETTINGS = {setting.name: setting for setting in all_settings()}


def test_flag_is_spelled_with_its_argument() -> None:
    assert Flag(names=("-f", "--file"), metavar="FILE", help="h").spelled == "-f, --file FILE"
    assert Flag(names=("--names",), metavar="NAME", arity=Arity.SOME, help="h").spelled == "--names NAME ..."
    assert switch("--fast", "h").spelled == "--fast"
    assert switch("--fast", "h", short="-x").names == ("-x", "--fast")


def test_name_in_the_namespace_is_that_of_the_long_flag() -> None:
    assert Flag(names=("-f", "--the-file"), metavar="FILE", help="h").name == "the_file"
    assert Flag(names=("--from",), metavar="NAME", dest="base", help="h").name == "base"


def test_setting_makes_a_flag() -> None:
    flag = flag_of(SETTINGS["port"])
    assert (flag.names, flag.metavar, flag.default, flag.group) == (("--port",), "PORT", "5006", "Network")
    assert flag.variables == ("BOKEH_DEFAULT_SERVER_PORT", "PORT")
    assert not flag.checked
    assert flag_of(SETTINGS["block_limit_s"]).default == "5"


def test_setting_without_a_flag_documents_its_variable() -> None:
    flag = flag_of(SETTINGS["secret_key"])
    assert (flag.names, flag.spelled) == ((), "BOKEH_SECRET_KEY")


def test_settings_that_share_a_flag_make_one() -> None:
    [flag] = flags_of((SETTINGS["dev"], SETTINGS["dev_watch"]))
    assert (flag.spelled, flag.name, flag.arity, flag.help) == (
        "--dev [FILE ...]", "dev_watch", Arity.ANY, SETTINGS["dev"].help
    )  # fmt: skip


def test_command_is_long_if_its_help_leaves_flags_out() -> None:
    common, rare = flag_of(SETTINGS["port"]), flag_of(SETTINGS["route"])
    assert not Command(forms=("",), text="T.", examples=("e",), flags=(common,)).is_long
    assert Command(forms=("",), text="T.", examples=("e",), flags=(common, rare)).is_long


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("", "--how: expected one of fast, slow. For example: app-server go --how fast"),
        ("x", "--how: expected one of fast, slow, not 'x'"),
        ("fsat", "--how: expected one of fast, slow, not 'fsat'. Did you mean fast?"),
    ],
)
def test_wrong_choice_is_met_with_the_choices(word: str, message: str) -> None:
    assert str(wrong_choice(word, choices("fast", "slow"), "--how", "app-server go --how fast")) == message
