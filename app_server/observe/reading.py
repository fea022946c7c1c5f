"""A snapshot read back from a server's /metrics, for use on another machine."""

from __future__ import annotations

from typing import Any

from app_server.errors import OperatorError
from app_server.observe import exposition
from app_server.observe.gauges import BOUNDS_S, ApplicationGauges, LoopGauges
from app_server.observe.snapshots import Snapshot


def snapshot_from(text: str, *, taken_s: float, where: str) -> Snapshot:
    """The snapshot that `exposition.expose` was given, as far as it shows there. OperatorError for another text."""
    from prometheus_client.parser import text_string_to_metric_families

    try:
        families = {family.name: family for family in text_string_to_metric_families(text)}
    except ValueError:
        families = {}
    if "app_server_process_id" not in families:
        raise OperatorError("this is not the /metrics of an app-server", where=where)
    reader = _Reader(families, taken_s)
    return reader.read()


class _Reader:
    """Puts the samples of each family back into the snapshot."""

    def __init__(self, families: dict[str, Any], taken_s: float) -> None:
        self._families = families
        self._taken_s = taken_s
        self._processes: dict[str, Any] = {}

    def read(self) -> Snapshot:
        for key, (name, _) in exposition.PROCESS.items():
            for labels, value in self._samples(name):
                whole = int(value) if key != "started_s" else value
                self._process(labels)[key] = bool(value) if key == "draining" else whole
        for key, (name, _) in exposition.LOOP.items():
            for labels, value in self._samples(name):
                self._process(labels)["loop"]["now"][key] = value
        for key, (name, _) in {"blocks": exposition.BLOCKS, "blocked_s": exposition.BLOCKED}.items():
            for labels, value in self._samples(name, "_total"):
                self._process(labels)["loop"]["ever"][key] = value
        for labels, value in self._samples(exposition.CPU[0], "_total"):
            self._process(labels)["cpu_s"] = value
        for labels, value in self._samples(exposition.ANSWERS[0], "_total"):
            self._process(labels)["answers"][labels["status"]] = int(value)
        self._saving()
        self._applications()
        self._histograms()
        silent = next((int(value) for _, value in self._samples(exposition.SILENT[0])), 0)
        return {"processes": self._processes, "silent": ["?"] * silent}

    def _saving(self) -> None:
        for key, (name, _) in exposition.SAVING.items():
            for labels, value in self._samples(name, "_total"):
                self._process(labels).setdefault("saving", {})[key] = int(value)
        for labels, value in self._samples(exposition.AWAY[0]):
            self._process(labels).setdefault("saving", {})["away"] = int(value)

    def _applications(self) -> None:
        for key, (name, _) in exposition.NOW.items():
            for labels, value in self._samples(name):
                self._application(labels)["now"][key] = int(value)
        for key, (name, _) in exposition.EVER.items():
            for labels, value in self._samples(name, "_total"):
                self._application(labels)["ever"][key] = int(value)
        for labels, value in self._samples(exposition.REFUSED[0], "_total"):
            if value:  # some reasons are exposed before they occur
                self._application(labels)["ever"]["refused"][labels["reason"]] = int(value)

        for labels, value in self._samples(exposition.JOBS[0], "_total"):
            if value:
                self._application(labels)["ever"]["jobs"][labels["outcome"]] = int(value)

    def _histograms(self) -> None:
        for key, (name, _) in exposition.HISTOGRAMS.items():
            for labels in self._series(name):
                self._application(labels)["ever"][key] = self._histogram(name, key, labels)
        for labels in self._series(exposition.CALLBACKS[0]):
            callbacks = self._application(labels)["ever"]["callbacks"]
            callbacks[labels["kind"]] = self._histogram(exposition.CALLBACKS[0], "callback", labels)
        for labels in self._series(exposition.LAG[0]):
            self._process(labels)["loop"]["ever"]["lag"] = self._histogram(exposition.LAG[0], "lag", labels)

    def _process(self, labels: dict[str, str]) -> dict[str, Any]:
        fresh = {
            "taken_s": self._taken_s, "pss_bytes": None, "cpu_s": None, "answers": {}, "loop": LoopGauges().snapshot(),
            "applications": {},
        }  # fmt: skip
        found: dict[str, Any] = self._processes.setdefault(labels["process"], fresh)
        return found

    def _application(self, labels: dict[str, str]) -> dict[str, Any]:
        fresh = {"now": dict.fromkeys(exposition.NOW, 0), "ever": ApplicationGauges().snapshot()}
        found: dict[str, Any] = self._process(labels)["applications"].setdefault(labels["application"], fresh)
        return found

    def _samples(self, name: str, ending: str = "") -> list[tuple[dict[str, str], float]]:
        family = self._families.get(name)
        samples = [] if family is None else family.samples
        return [(sample.labels, sample.value) for sample in samples if sample.name == name + ending]

    def _series(self, name: str) -> list[dict[str, str]]:
        return [labels for labels, _ in self._samples(name, "_sum")]

    def _histogram(self, name: str, key: str, labels: dict[str, str]) -> dict[str, Any]:
        below = [
            value
            for found, value in self._samples(name, "_bucket")
            if {label: word for label, word in found.items() if label != "le"} == labels
        ]
        counts = [int(value - before) for value, before in zip(below, [0.0, *below], strict=False)]
        if len(counts) != len(BOUNDS_S[key]) + 1:
            raise OperatorError("the server has another version, whose figures cannot be read", where=name)
        sum_s = next(value for found, value in self._samples(name, "_sum") if found == labels)
        return {"counts": counts, "sum_s": sum_s}
