"""Whether an ASGI server has several workers."""

from __future__ import annotations

import pytest

from app_server.asgi.workers import check_workers, workers_asked_for
from app_server.errors import OperatorError
from app_server.settings import Settings


@pytest.mark.parametrize(
    ("argv", "environ", "count"),
    [
        ([], {}, 1),
        (["uvicorn", "app:app"], {}, 1),
        (["/venv/bin/uvicorn", "app:app", "--workers", "4"], {}, 4),
        (["/venv/lib/uvicorn/__main__.py", "app:app", "--workers=3"], {}, 3),
        (["gunicorn", "-w", "2", "app:app"], {}, 2),
        (["gunicorn", "-w2", "app:app"], {}, 2),
        (["gunicorn", "app:app", "-w"], {}, 1),
        (["hypercorn", "--workers", "0", "app:app"], {}, 1),
        (["gunicorn", "app:app"], {"GUNICORN_CMD_ARGS": "--bind :80 --workers 5"}, 5),
        (["gunicorn", "app:app"], {"GUNICORN_CMD_ARGS": "it's"}, 1),
        (["uvicorn", "app:app"], {"WEB_CONCURRENCY": "6"}, 6),
        (["gunicorn", "app:app", "-w", "1", "-w", "3"], {"WEB_CONCURRENCY": "6", "GUNICORN_CMD_ARGS": "-w 2"}, 3),
        (["granian", "app:app"], {"GRANIAN_WORKERS": "many"}, 1),
        (["pytest", "-w", "4"], {}, 1),
        (["/home/uvicorn/tool", "-w", "4"], {}, 1),
        (["-c", "--workers", "4"], {}, 1),
    ],
)
def test_workers_are_those_of_the_command_line_or_the_environment(
    argv: list[str], environ: dict[str, str], count: int
) -> None:
    assert workers_asked_for(argv, environ) == count


def test_workers_need_a_key_in_common() -> None:
    assert check_workers(1, Settings()) is None
    with pytest.raises(OperatorError) as caught:
        check_workers(4, Settings())
    assert str(caught.value) == (
        "secret_key: 4 workers would each sign tokens with a key of their own. Set BOKEH_SECRET_KEY to what"
        " `app-server secret` prints, or use one worker."
    )


def test_workers_share_sessions_only_in_a_store() -> None:
    said = check_workers(2, Settings(secret_key="s" * 44))
    assert said is not None and said.startswith("2 workers share no sessions. A page and its socket may reach")
    assert check_workers(2, Settings(secret_key="s" * 44, store="/var/lib/sessions")) is None
