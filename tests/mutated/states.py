"""The states that checkpoints hold, and what loads them."""

import json
from collections.abc import Callable
from contextlib import suppress
from copy import deepcopy
from functools import cache
from typing import Any

import datasets
import numpy as np
import torch

from collapse_guard import (
    ArgumentError,
    Budget,
    CollapseMonitor,
    EveryNSteps,
    HumanReference,
    MixGuard,
    Threshold,
    TypeCounts,
)
from collapse_guard.alerts.alarms import Alarms
from collapse_guard.audit import ContentSample
from collapse_guard.audit.filters.rejection_sample import RejectionSample
from collapse_guard.callbacks.session import WatchSession
from collapse_guard.mixing.stream import MixStream
from collapse_guard.monitor.rotation import Rotation
from collapse_guard.monitor.stopwatch import Stopwatch
from collapse_guard.monitor.track import Track
from collapse_guard.readings.baseline import Baseline
from collapse_guard.readings.prequential import PrequentialReader
from collapse_guard.readings.reading import Reading
from collapse_guard.statistics.estimates import document_mean, exponential
from tests.looks import KINDS
from tests.mutated.judging import Case
from tests.mutated.mutations import mutated
from tests.tiny import perturb, tiny_gpt2, tiny_panel, tiny_reference, zipf_documents

BATCH = 8


def state_cases() -> dict[str, Callable[[], Case]]:
    """Each kind of state by name, made when it is asked for."""
    return {
        "baseline": _baseline,
        "track": _track,
        "rotation": _rotation,
        "alarms": _alarms,
        "stopwatch": _stopwatch,
        "pace": _pace,
        "reader": _reader,
        "monitor": _monitor,
        "monitor continued": _continued,
        "session": _session,
        "stream": _stream,
        "stream in lanes": _lanes,
        "content sample": _content_sample,
        "type counts": _type_counts,
        "rejection sample": _rejection_sample,
    }


def _of(
    name: str, make: Callable[[], Any], full: Any, use: Callable[[Any], object], **how: Any
) -> Case:
    def load(mine: Any, state: Any) -> Any:
        mine.load_state_dict(state)
        return mine

    how = {"load": load, "said": lambda mine: mine.state_dict(), **how}
    original = json.loads(json.dumps(how["said"](full)))
    return Case(name, original, mutated, make, use=use, **how)


@cache
def _panel() -> Any:
    return tiny_panel(documents=6)


@cache
def _model() -> Any:
    return tiny_gpt2()


@cache
def _moved_model() -> Any:
    model = tiny_gpt2()
    perturb(model, 0.2)
    return model


@cache
def _started() -> Baseline:
    monitor = CollapseMonitor(_panel(), sampling=None, rules=[])
    monitor.start(_model())
    assert monitor.baseline is not None
    return monitor.baseline


def _baseline() -> Case:
    def load(_: Any, state: Any) -> Baseline:
        baseline = Baseline.from_dict(state)
        CollapseMonitor(_panel(), sampling=None, rules=[], baseline=baseline)
        return baseline

    def use(baseline: Baseline) -> None:
        monitor = CollapseMonitor(_panel(), sampling=None, rules=[], baseline=baseline)
        monitor.look(_moved_model(), 1)

    return _of(
        "baseline",
        lambda: _started(),
        _started(),
        use,
        load=load,
        said=lambda baseline: baseline.to_dict(),
    )


def _track() -> Case:
    panel = _panel()

    def track(*steps: int) -> Track:
        made, chance = Track(panel.fingerprint), np.random.default_rng(0)
        for step in steps:
            made.add(step, -chance.random(len(panel)), -chance.random(len(panel)))
        return made

    def use(made: Track) -> None:
        made.at(7)
        made.add(10**6, np.zeros(len(panel)), np.zeros(len(panel)))
        made.at(10**6 - 1)
        assert np.isfinite(np.stack([seen.sums for seen in made._seen])).all()
        if len(made.steps) > 1:
            CollapseMonitor(panel, sampling=None, control=made, rules=[]).start(_model())

    return _of(
        "track",
        lambda: track(5),
        track(0, 5, 10, 15),
        use,
        load=lambda _, state: Track.from_state(panel.fingerprint, state),
    )


def _rotation() -> Case:
    def rotation(looks: int) -> Rotation:
        made = Rotation(_panel())
        for number in range(looks):
            turn = made.next(4)
            sums = _sums(4, number)
            made.update(turn, sums)
            if number == 2:
                made.update_all(_sums(made.num_windows, 9))
        return made

    def use(made: Rotation) -> None:
        made.update(made.next(3), _sums(3, 1))
        moved = made.moved()
        assert moved is None or np.isfinite(moved.tail_logprob).all()
        made.update_all(_sums(made.num_windows, 2))

    return _of("rotation", lambda: rotation(1), rotation(5), use)


def _sums(windows: int, seed: int) -> Any:
    from collapse_guard.readings.panel_sums import BandSums

    chance = np.random.default_rng(seed)
    return BandSums(-chance.random(windows), chance.random(windows), -chance.random(windows))


def _alarms() -> Case:
    rules = [
        Threshold("tail_retention", below=0.9, patience=2, alpha=0.05),
        Threshold("tail_retention", below=0.5, alpha=None),
    ]
    documents = np.random.default_rng(1).normal(-0.5, 0.2, (4, 20))
    start = Reading(0, {"tail_retention": 1.0}, {})

    def alarms(looks: int) -> Alarms:
        made = Alarms(rules, KINDS)
        for step in range(looks):
            look(made, step)
        return made

    def look(made: Alarms, step: int) -> None:
        excess = exponential(document_mean(documents[step % 4] - 0.1 * step))
        made.check(Reading.of(step, {"tail_retention": excess}), start)

    def use(made: Alarms) -> None:
        for step in range(3):
            look(made, step)
        assert all(str(alert.message) for alert in made.alerts)

    return _of("alarms", lambda: alarms(1), alarms(4), use)


def _stopwatch() -> Case:
    def stopwatch(seconds: float) -> Stopwatch:
        made = Stopwatch()
        made.trained, made.looked, made.written = seconds, 0.1 * seconds, 0.01 * seconds
        return made

    def use(made: Stopwatch) -> None:
        made.leave()
        made.arrive()
        with made.looking(torch.device("cpu")), made.writing():
            pass
        assert made.overhead >= 0.0

    return _of("stopwatch", lambda: stopwatch(1.0), stopwatch(17.0), use)


def _pace() -> Case:
    def schedule(steps: int) -> Any:
        made = Budget(0.05).schedule(num_windows=12, most=6)
        made.calibrate(0, 0.4, lambda windows: 0.01 + 0.02 * windows)
        for step in range(1, steps):
            windows = made.due(step, 0.5)
            if windows:
                made.looked(step, windows, 0.02 * windows)
        return made

    def use(made: Any) -> None:
        looked = 0
        for step in range(made._step + 1, made._step + 1000):
            windows = made.due(step, 0.5)
            assert 0 <= windows <= 12
            if windows:
                made.looked(step, windows, 0.02 * windows)
                looked += 1
        assert looked > 0

    return _of("pace", lambda: schedule(5), schedule(40), use)


@cache
def _mix() -> MixGuard:
    human, written = (
        [{"input_ids": ids} for ids in zipf_documents(40, length=24, seed=seed)] for seed in (5, 6)
    )
    return MixGuard(human, written, human_fraction=0.5, block_size=BATCH)


def _trained(reader: PrequentialReader, batches: int, passes: int = 0) -> None:
    mix, model = _mix(), tiny_gpt2().train()
    end = reader.watch(model, batch_size=BATCH, passes=passes)
    for batch in range(passes, passes + batches):
        slots = range(batch * BATCH, (batch + 1) * BATCH)
        model(input_ids=torch.tensor([mix[slot]["input_ids"] for slot in slots]))
    end()


def _new_reader(batches: int) -> PrequentialReader:
    reader = PrequentialReader(_mix(), tiny_reference(), memory=32, start_rows=12)
    _trained(reader, batches)
    return reader


def _reader() -> Case:
    def use(reader: PrequentialReader) -> None:
        _trained(reader, 1, passes=6)
        estimates = reader.estimates()
        assert np.isfinite(estimates["tail_logprob_prequential"].value)

    used, full = _new_reader(1), _new_reader(6)
    state = used.state_dict()

    def make() -> PrequentialReader:
        made = PrequentialReader(_mix(), tiny_reference(), memory=32, start_rows=12)
        made.load_state_dict(deepcopy(state))
        return made

    return _of("reader", make, full, use)


def _new_monitor(**settings: Any) -> CollapseMonitor:
    rules = [
        Threshold("tail_retention", below=0.97, patience=2),
        Threshold("perplexity", above=1.01, relative_to_start=True, alpha=None),
    ]
    given = {"rules": rules, "rules_wait": False, "sampling": None, "pace": Budget(0.5)}
    reader = PrequentialReader(_mix(), tiny_reference(), memory=32, start_rows=12)
    return CollapseMonitor(_panel(), prequential=reader, **{**given, **settings})


@cache
def _watched(looks: int) -> CollapseMonitor:
    monitor, model = _new_monitor(), tiny_gpt2()
    monitor.start(model)
    assert monitor.prequential is not None
    _trained(monitor.prequential, 4)
    for step in range(1, looks):
        perturb(model, 0.1, seed=step)
        monitor.look(model, step)
    return monitor


@cache
def _state_of_watched(looks: int) -> Any:
    return json.loads(json.dumps(_watched(looks).state_dict()))


def _used_monitor() -> CollapseMonitor:
    monitor = _new_monitor()
    monitor.load_state_dict(deepcopy(_state_of_watched(2)))
    return monitor


def _use_monitor(monitor: CollapseMonitor) -> None:
    if monitor.started:
        monitor.observe(_moved_model(), 10)
        monitor.look(_moved_model(), 11)
    monitor.state_dict()


def _monitor() -> Case:
    return _of("monitor", _used_monitor, _watched(4), _use_monitor)


def _continued() -> Case:
    """The state of a monitor that another one goes on from in a chain."""

    def load(_: Any, state: Any) -> CollapseMonitor:
        return _new_monitor(continues=state)

    def said(monitor: CollapseMonitor) -> Any:
        state = monitor.state_dict()
        spent = state["alarms"]["boundaries"]
        return {"baseline": state["baseline"], "alarms": {"boundaries": spent}}

    case = _of("monitor continued", _used_monitor, _watched(4), _use_monitor, said=said, load=load)
    # What it takes over is a part of what it is given.
    whole = _state_of_watched(4)

    def mutate(part: Any, chance: Any) -> Any:
        return mutated({"baseline": part["baseline"], "alarms": part["alarms"]}, chance)

    def load_whole(_: Any, part: Any) -> CollapseMonitor:
        alarms = part.get("alarms")
        if isinstance(alarms, dict):
            alarms = {**whole["alarms"], **alarms}
        state = {**whole, **part}
        if "alarms" in part:
            state["alarms"] = alarms
        return _new_monitor(continues=state)

    return Case(case.name, case.original, mutate, case.make, load_whole, case.said, case.use)


def _session() -> Case:
    def session(looks: int) -> WatchSession:
        made = WatchSession(_new_monitor(pace=EveryNSteps(1)), on_error="raise")
        made.load_state_dict(deepcopy(original(looks)))
        return made

    @cache
    def original(looks: int) -> Any:
        made, model = WatchSession(_new_monitor(pace=EveryNSteps(1))), tiny_gpt2()
        made.start(model)
        for step in range(1, looks):
            perturb(model, 0.1, seed=step)
            made.step(model, step)
        return json.loads(json.dumps(made.state_dict()))

    def use(made: WatchSession) -> None:
        made.start(_moved_model(), 9)
        made.step(_moved_model(), 10)
        made.end(_moved_model(), 11)
        assert made.metrics(11)

    def said(made: WatchSession) -> Any:
        state = made.state_dict()
        # Who resumes a run that was not watched tries again, and forgets that.
        if state:
            state["latest"].setdefault("collapse/watched", 0.0)
        return state

    return _of("session", lambda: session(2), session(4), use, said=said)


def _read_to(stream: MixStream, rows: int) -> MixStream:
    """The stream, once so many rows of it were read."""
    reading = iter(stream)
    for _ in range(rows):
        next(reading)
    return stream


def _read_on(stream: MixStream) -> None:
    # Which reader it is shows when it reads.
    with suppress(ArgumentError):
        list(stream)


def _stream() -> Case:
    class Numbers:
        def __init__(self, first: int) -> None:
            self.first = first

        def __iter__(self) -> Any:
            return ({"input_ids": [number]} for number in range(self.first, self.first + 100))

    def stream(rows: int) -> MixStream:
        made = MixStream(
            Numbers(0),
            [{"input_ids": [number]} for number in range(100)],
            human_fraction=0.5,
            block_size=8,
            shuffle_buffer=16,
            length=96,
        )
        return _read_to(made, rows)

    return _of("stream", lambda: stream(3), stream(21), _read_on)


def _lanes() -> Case:
    def stream(rows: int) -> MixStream:
        human, synthetic = (
            datasets.Dataset.from_dict({"n": list(range(100))}).to_iterable_dataset(num_shards=4)
            for _ in range(2)
        )
        made = MixStream(
            human,
            synthetic,
            human_fraction=0.5,
            block_size=4,
            batch_size=4,
            lanes=4,
            shuffle_buffer=6,
            length=160,
        )
        return _read_to(made, rows)

    return _of("stream in lanes", lambda: stream(3), stream(101), _read_on)


def _content_sample() -> Case:
    def sample(rows: int, part: str, room: int = 4_000) -> ContentSample:
        made = ContentSample(room)
        made.extend([f"text {row % 17} of many" for row in range(rows)], part=part)
        return made

    def use(made: ContentSample) -> None:
        texts = [one.text for one in made.merge(sample(40, "another", made.characters)).contents()]
        assert len(texts) == len(set(texts))

    full = sample(60, "first").merge(sample(50, "second"))
    return _of(
        "content sample",
        lambda: sample(5, "mine"),
        full,
        use,
        load=lambda _, state: ContentSample.of_state(state),
    )


def _type_counts() -> Case:
    def counts(documents: int) -> TypeCounts:
        ids = [[0, 1, 2 + number, 2] for number in range(documents)]
        masks = [[0, 1, 1, number % 2] for number in range(documents)]
        return TypeCounts.of(ids, vocab_size=40, attention_mask=masks)

    def use(made: TypeCounts) -> None:
        whole = made.merge(TypeCounts.of([[3, 5, 5]], vocab_size=len(made.counts)))
        reference = HumanReference.from_type_counts(whole)
        assert np.isfinite(reference.entropy)

    return _of(
        "type counts",
        lambda: counts(3),
        counts(30),
        use,
        load=lambda _, state: TypeCounts.of_state(state),
    )


def _rejection_sample() -> Case:
    def sample(rows: int, seed: int) -> RejectionSample:
        chance = np.random.default_rng(seed)
        made = RejectionSample(1_000)
        keys = chance.integers(0, 2**64, rows, dtype=np.uint64)
        made.extend(keys, chance.random(rows), chance.normal(8, 2, rows))
        return made

    return _of(
        "rejection sample",
        lambda: sample(5, 0),
        sample(40, 1),
        lambda made: made.report(),
        load=lambda _, state: RejectionSample.of_state(state),
    )


def reference_of(path: Any) -> HumanReference:
    """A reference that a file holds."""
    return HumanReference.load(path)
