"""The files that we write, and what loads them."""

import io
import json
import random
import tempfile
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from collapse_guard import HumanReference
from collapse_guard.errors import CollapseGuardError
from collapse_guard.examples.recursive_finetune.results import GenerationResult, RunResults
from collapse_guard.mixing.guard import MixGuard
from collapse_guard.mixing.reports.ledger import Shown, ledger_of, read_ledger, write_ledger
from collapse_guard.monitor.track import Track
from collapse_guard.run_records.lines import look_values, run_values
from collapse_guard.run_records.read import read_record
from collapse_guard.run_records.record import RunRecord
from tests.mutated.judging import Case
from tests.mutated.mutations import DEPTH, cut, doubled, flipped, mutated
from tests.run_records.made import CONFIGURATION, DECODINGS, LOST, a_look, a_record, written
from tests.tiny import tiny_reference


def file_cases() -> dict[str, Callable[[], Case]]:
    """Each kind of file by name, made when it is asked for."""
    return {
        "reference file": _reference,
        "track file": _track,
        "ledger": _ledger,
        "results": _results,
        "run record": _run_record,
    }


def bomb(member: str, gigabytes: int) -> bytes:
    """An archive whose array of zeros, by its directory and its header, fills so much memory."""
    buffer = io.BytesIO()
    header = {"descr": "|i1", "fortran_order": False, "shape": (gigabytes << 30,)}
    with (
        zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as packed,
        packed.open(f"{member}.npy", "w") as file,
    ):
        np.lib.format.write_array_header_1_0(file, header)
    content = bytearray(buffer.getvalue())
    # The directory's sizes: in the central header at the end, of 4 bytes each.
    at = content.rfind(b"PK\x01\x02")
    content[at + 24 : at + 28] = (0xFFFFFF00).to_bytes(4, "little")
    return bytes(content)


def repacked(content: bytes, change: Callable[[dict[str, bytes]], Mapping[str, bytes]]) -> bytes:
    """An archive with other members."""
    with zipfile.ZipFile(io.BytesIO(content)) as packed:
        members = {name: packed.read(name) for name in packed.namelist()}
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as packed:
        for name, data in change(members).items():
            packed.writestr(name, data)
    return buffer.getvalue()


def array_file(value: Any, *, pickled: bool = False) -> bytes:
    """A member of an archive."""
    buffer = io.BytesIO()
    np.save(buffer, value, allow_pickle=pickled)
    return buffer.getvalue()


def _hostile(content: bytes, chance: random.Random) -> bytes:
    """One archive with something else in it."""
    with zipfile.ZipFile(io.BytesIO(content)) as packed:
        names = packed.namelist()
    name = chance.choice(names)

    def settings(change: Callable[[Any], Any]) -> bytes:
        def with_settings(members: dict[str, bytes]) -> Mapping[str, bytes]:
            written = json.loads(str(np.load(io.BytesIO(members["settings.npy"]))))
            text = json.dumps(change(written), default=repr)
            return {**members, "settings.npy": array_file(np.array(text))}

        return repacked(content, with_settings)

    def array(value: Any, **how: bool) -> bytes:
        return repacked(content, lambda members: {**members, name: array_file(value, **how)})

    return chance.choice(
        (
            lambda: bomb("counts", 10),
            lambda: repacked(content, lambda members: {**members, "../../evil.npy": b"x"}),
            lambda: repacked(content, lambda m: {k: v for k, v in m.items() if k != name}),
            lambda: array(np.array([{"a": 1}], dtype=object), pickled=True),
            lambda: array(np.full((4, 2, 3), np.nan)),
            lambda: array(np.array(3)),
            lambda: array(np.zeros(0)),
            lambda: array(np.array(["text"])),
            lambda: array(-np.arange(5)),
            lambda: array(np.full(5, 2**62)),
            lambda: settings(lambda written: _shallow(mutated(written, chance))),
            lambda: settings(lambda written: {**written, "format": 99}),
            lambda: settings(lambda written: [written]),
            lambda: repacked(
                content, lambda m: {**m, "settings.npy": array_file(np.array("[" * DEPTH))}
            ),
            lambda: b"\x80\x04\x95",
            lambda: b"",
        )
    )()


def _shallow(written: Any) -> Any:
    try:
        json.dumps(written, default=repr)
    except RecursionError:
        return None
    return written


def _of(
    name: str,
    content: bytes,
    mutate: Callable[[bytes, random.Random], bytes],
    load: Callable[[Path], Any],
    said: Callable[[Any], Any],
    use: Callable[[Any], object],
) -> Case:
    def load_bytes(_: Any, given: bytes) -> Any:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, name.replace(" ", "_"))
            path.write_bytes(given)
            try:
                return load(path)
            except CollapseGuardError as error:
                if str(path) in str(error):
                    raise
                raise LookupError("it does not name the file") from error

    return Case(
        name,
        content,
        mutate,
        make=lambda: None,
        load=load_bytes,
        said=lambda result: None if result is None else said(result),
        use=use,
    )


def _archive(content: bytes, chance: random.Random) -> bytes:
    return chance.choice((flipped, cut, doubled, _hostile, _hostile))(content, chance)


def _json(content: bytes, chance: random.Random) -> bytes:
    def otherwise(whole: bytes, chance: random.Random) -> bytes:
        changed = _shallow(mutated(json.loads(whole), chance))
        return json.dumps(changed, default=repr).encode()

    def deep(whole: bytes, chance: random.Random) -> bytes:
        return chance.choice((b"[" * 10**5, b'{"a":' * 10**5, b"NaN", b"9" * 10**4))

    return chance.choice((flipped, cut, doubled, otherwise, otherwise, otherwise, deep))(
        content, chance
    )


def _written(write: Callable[[Path], Any]) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        write(Path(folder, "file"))
        (path,) = (path for path in Path(folder).rglob("*") if path.is_file())
        return path.read_bytes()


def _reference() -> Case:
    def said(reference: HumanReference) -> Any:
        return {
            "counts": reference.counts.tolist(),
            "settings": [reference.fingerprint, reference.tail_mass, reference.smoothing],
            "left out": [list(reference.special_ids), dict(reference.left_out)],
        }

    def use(reference: HumanReference) -> None:
        assert np.isfinite(reference.self_information).all()
        assert reference.tail_types.any()

    content = _written(tiny_reference().save)
    return _of("reference file", content, _archive, HumanReference.load, said, use)


def _track() -> Case:
    track, chance = Track("0123456789abcdef"), np.random.default_rng(0)
    for step in (0, 5, 9):
        track.add(step, -chance.random(12), -chance.random(12))

    def use(loaded: Track) -> None:
        loaded.at(7)
        loaded.add(10**9, np.zeros(12), np.zeros(12))

    def said(loaded: Track) -> Any:
        return {"panel": loaded.panel, **loaded.state_dict()}

    return _of("track file", _written(track.save), _archive, Track.load, said, use)


def _ledger() -> Case:
    human, written = ([{"input_ids": [number]} for number in range(60)] for _ in range(2))
    mix = MixGuard(human, written, human_fraction=0.5, block_size=8)
    ledger = ledger_of(mix, Shown(1, 40, 120), step=20)

    def use(found: dict[str, Any]) -> None:
        assert 0.0 <= found["total"]["human_share"] <= 1.0
        assert found["total"]["slots"] == found["pass"]["slots"] + found["whole_pass"]["slots"]

    content = _written(lambda path: write_ledger(path, ledger))
    return _of("ledger", content, _json, read_ledger, dict, use)


def _results() -> Case:
    generation = GenerationResult(
        generation=0,
        readings={"perplexity": 12.5, "tail_retention": 1.0},
        standard_errors={"perplexity": 0.5, "tail_retention": float("nan")},
        distinct_2=0.5,
        alerts=[],
        human_share=1.0,
        texts=["a text"],
    )
    results = RunResults({"seed": 0}, {"python": "3"}, {"name": "text"}, {"replace": [generation]})

    def said(loaded: RunResults) -> Any:
        with tempfile.TemporaryDirectory() as folder:
            loaded.save(Path(folder, "again"))
            return json.loads(Path(folder, "again").read_text(encoding="utf-8"))

    def use(loaded: RunResults) -> None:
        for generations in loaded.regimes.values():
            for each in generations:
                assert each.as_reading().step == each.generation

    return _of("results", _written(results.save), _json, RunResults.load, said, use)


def _lines(content: bytes, chance: random.Random) -> bytes:
    """One line of a run's file is another."""

    def otherwise(whole: bytes, chance: random.Random) -> bytes:
        lines = whole.splitlines(keepends=True)
        place = chance.randrange(len(lines))
        changed = _shallow(mutated(json.loads(lines[place]), chance))
        lines[place] = json.dumps(changed, default=repr).encode() + b"\n"
        return b"".join(lines)

    return chance.choice((flipped, cut, doubled, otherwise, otherwise, otherwise, otherwise))(
        content, chance
    )


def _run_record() -> Case:
    record = a_record(
        a_look(0, 1.0),
        a_look(4, 0.9),
        has_ended=True,
        summary=("fine",),
        overhead=0.01,
        decodings=DECODINGS,
        configuration=CONFIGURATION,
        position_logprobs=np.array([-1.0, -2.5]),
        lost_words=LOST,
    )

    def said(loaded: RunRecord) -> Any:
        logprobs = loaded.position_logprobs
        looks = [look_values(look, summary=(), overhead=0.0) for look in loaded.looks]
        return {
            "values": [run_values(loaded), looks],
            "ended": [loaded.has_ended, loaded.summary, loaded.lost_words],
            "start": None if logprobs is None else logprobs.tolist(),
        }

    def use(loaded: RunRecord) -> None:
        for word in () if loaded.lost_words is None else loaded.lost_words.words:
            assert 0 <= word.kept <= 1
        for drawn in loaded.decodings:
            assert drawn.search is None or drawn.search.verdict
        _ = loaded.full_looks, loaded.alerts, [str(rule) for rule in loaded.rules]

    content = written(record).encode()
    return _of("run record", content, _lines, read_record, said, use)
