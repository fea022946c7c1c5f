"""The steps of a build, read from what docker prints."""

from __future__ import annotations

import pytest

from app_server.deployment.progress.buildkit import LONGEST, BuildSteps, shortened

SAID = """\
#0 building with "default" instance using docker driver

#1 [app-a1 internal] load build definition from Dockerfile
#1 transferring dockerfile: 3.2kB done
#1 DONE 0.0s

#2 [internal] load metadata for docker.io/library/debian:trixie-slim
#2 DONE 0.1s

#5 [app-a1 base 2/5] RUN apt-get update  && apt-get install x
#5 0.532 Get:1 somewhere
#6 [proxy stage-1 3/5] COPY --from=site /*.conf /etc/
#6 CACHED

#5 [app-a1 base 2/5] RUN apt-get update  && apt-get install x
#5 7.1 DONE 3.0s is what it said
#5 DONE 12.3s

#8 [stage-0 1/3] FROM docker.io/library/app-server:latest
#8 DONE 0.0s

#7 [app-a1] exporting to image
#7 exporting layers 1.2s done
#7 DONE 1.4s
#7 DONE 1.4s
"""


def test_each_step_is_reported_once_when_it_has_ended() -> None:
    steps = BuildSteps()
    assert [each for line in SAID.splitlines() for each in steps.feed(line)] == [
        ("app-a1 2/5 RUN apt-get update && apt-get install x", 12.3),
        ("[app-a1] exporting to image", 1.4),
    ]
    assert (steps.cached, steps.total) == (1, 4) and steps.summary == ", 1 of 4 steps cached"
    assert BuildSteps().summary == ""


@pytest.mark.parametrize(
    ("name", "short"),
    [
        ("[stage-0 1/2] FROM x", "stage-0 1/2 FROM x"),
        ("[1/2] FROM x", "1/2 FROM x"),
        ("exporting to image", "exporting to image"),
        ("[a 1/2] RUN " + "x" * 100, ("a 1/2 RUN " + "x" * 100)[: LONGEST - 1] + "…"),
    ],
)
def test_name_of_a_step_is_one_short_line(name: str, short: str) -> None:
    assert shortened(name) == short
