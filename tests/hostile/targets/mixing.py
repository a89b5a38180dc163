"""Mixing: sources, the two mixes, and what is asked of them."""

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from accelerate import Accelerator
from torch.utils.data import DataLoader
from transformers import TrainingArguments

from collapse_guard import (
    Decoding,
    MixCollator,
    MixGuard,
    MixStream,
    PackCollator,
    PackedMix,
    RareBoost,
    Source,
)
from collapse_guard.mixing import croissant, data_card, write_croissant, write_data_card
from collapse_guard.model.decoding_columns import decoding_from_columns, to_columns
from tests.hostile.target import Target
from tests.hostile.targets.made import Words, mix, panel, reference, rows


def stream(**settings: Any) -> MixStream:
    usual = {"human_fraction": 0.3, "block_size": 8, "length": 64}
    return MixStream(rows(1), rows(2), **{**usual, **settings})


def sourced(rows: Any, weight: Any, quality: Any, decoding: Any) -> object:
    source = Source(rows, "web", "synthetic", weight=weight, quality=quality, decoding=decoding)
    mixed = mix_with(source)
    return [mixed.decodings, mixed.__getitems__([0, 1, 2, 3]) if mixed.marks is None else None]


def mix_with(source: Source) -> MixGuard:
    return MixGuard(rows(1), source, human_fraction=0.3, block_size=8)


def to_be_found() -> MixGuard:
    return mix_with(Source(rows(2), "web", "synthetic", decoding="find"))


def written(write: Any, **given: Any) -> object:
    with tempfile.TemporaryDirectory() as folder:
        return write(Path(folder) / "card", **given).read_text(encoding="utf-8")


def packed() -> PackedMix:
    return PackedMix(mix(), 40)


def targets() -> Iterator[Target]:
    # Data sets of torch end at an `IndexError`, and Python's own lists refuse other keys.
    ends = (IndexError, TypeError)
    yield Target(
        "Source",
        Source,
        lambda: {
            "rows": rows(1),
            "name": "web",
            "kind": "synthetic",
            "generation": 0,
            "licence": None,
            "weight": 1.0,
            "min_fraction": 0.0,
            "max_fraction": 1.0,
            "max_repeats": None,
            "quality": None,
            "when_dry": "error",
            "decoding": None,
            "found_by": None,
            "num_rows": None,
        },
    )
    yield Target(
        "Source in a mix",
        sourced,
        lambda: {"rows": rows(2), "weight": 1.0, "quality": [1.0] * 40, "decoding": None},
    )
    usual = {"human_fraction": 0.3, "block_size": 8, "generation_decay": 1.0, "seed": 0}
    yield Target(
        "MixGuard",
        MixGuard,
        lambda: {
            "human": rows(1),
            "synthetic": rows(2),
            "boost": None,
            "max_repeats": 4,
            "length": None,
            "epochs": 1,
            "unit": "rows",
            "lengths": None,
            **usual,
        },
    )
    yield Target(
        "MixGuard of tokens",
        MixGuard,
        lambda: {
            "human": rows(1),
            "synthetic": rows(2),
            "unit": "tokens",
            "lengths": lambda row: 3,
            "length": 16,
            **usual,
        },
    )
    yield Target("PackedMix", PackedMix, lambda: {"guard": mix(), "length": 64, "longer": "error"})
    yield Target("PackedMix[]", lambda pack: packed()[pack], lambda: {"pack": 0}, ends)
    yield Target(
        "PackedMix.__getitems__",
        lambda packs: packed().__getitems__(packs),
        lambda: {"packs": [0, 1]},
        ends,
    )
    yield Target("PackedMix.locate", lambda packs: packed().locate(packs), lambda: {"packs": [0]})
    yield Target(
        "PackedMix.segments", lambda pack: packed().segments(pack), lambda: {"pack": 0}, ends
    )
    yield Target(
        "PackedMix.slots_before", lambda pack: packed().slots_before(pack), lambda: {"pack": 1}
    )
    yield Target("PackedMix.report", lambda packs: packed().report(packs), lambda: {"packs": 1})
    yield Target(
        "PackedMix.check_loader",
        lambda loader: packed().check_loader(loader),
        lambda: {"loader": DataLoader(packed(), batch_size=2)},
    )
    yield Target("PackCollator", PackCollator, dict)
    yield Target(
        "PackCollator()",
        lambda rows: PackCollator()(rows),
        lambda: {"rows": [packed()[0], packed()[1]]},
    )
    yield Target(
        "MixGuard.for_trainer",
        MixGuard.for_trainer,
        lambda: {
            "human": rows(1),
            "synthetic": rows(2),
            "args": Accelerator(cpu=True),
            "human_fraction": 0.3,
            "batch_size": 8,
        },
    )
    yield Target(
        "MixGuard.trainer_arguments",
        lambda args: mix().trainer_arguments(args),
        lambda: {"args": TrainingArguments("out", use_cpu=True)},
    )
    yield Target(
        "MixStream",
        MixStream,
        lambda: {
            "human": rows(1),
            "synthetic": rows(2),
            "length": 64,
            "max_repeats": 1,
            "shuffle_buffer": 8,
            "batch_size": None,
            "lanes": 1,
            "boost": None,
            **usual,
        },
    )
    yield Target(
        "MixStream in lanes",
        lambda **given: list(stream(**given)),
        lambda: {"batch_size": 4, "lanes": 2},
    )
    yield Target(
        "RareBoost",
        RareBoost,
        lambda: {
            "times": 2.0,
            "by": reference(),
            "column": "input_ids",
            "num_strata": 10,
            "sample": None,
        },
    )
    yield Target(
        "RareBoost in a mix",
        lambda **given: mix(boost=RareBoost(**given)),
        lambda: {"times": 2.0, "by": [1.0, 2.0] * 20, "column": "input_ids", "num_strata": 4},
    )
    yield Target("RareBoost.weights", RareBoost(2.0, "n").weights, lambda: {"num_strata": 3})
    yield Target("MixGuard[]", lambda slot: mix()[slot], lambda: {"slot": 3}, ends)
    yield Target(
        "MixGuard.__getitems__",
        lambda slots: mix().__getitems__(slots),
        lambda: {"slots": [0, 1, 2, 3]},
        ends,
    )
    yield Target("MixGuard.locate", lambda slots: mix().locate(slots), lambda: {"slots": [0, 1]})
    yield Target(
        "MixGuard.plan",
        lambda **given: str(MixGuard.plan(**given)),
        lambda: {
            "human": 1e6,
            "synthetic": 3e6,
            "tokens": 1e7,
            "human_fraction": 0.3,
            "max_repeats": 4,
            "tokens_per_row": None,
        },
    )
    yield Target("MixGuard.report", lambda slots: mix().report(slots), lambda: {"slots": 8})
    yield Target(
        "MixGuard.check",
        lambda **given: mix().check(**given),
        lambda: {"column": "input_ids", "panel": panel(), "tokenizer": None, "near": None},
    )
    yield Target(
        "MixGuard.check_loader",
        lambda loader: mix().check_loader(loader),
        lambda: {"loader": DataLoader(mix(), batch_size=8)},
    )
    yield Target(
        "MixGuard.set_decoding",
        lambda **given: to_be_found().set_decoding(**given),
        lambda: {"name": "web", "found": Decoding(0.7)},
    )
    yield Target(
        "MixStream.shard",
        lambda **given: stream(batch_size=4).shard(**given),
        lambda: {"num_shards": 2, "index": 0},
    )
    yield Target("MixStream.report", lambda slots: stream().report(slots), lambda: {"slots": 8})
    yield Target(
        "MixStream.resume_at", lambda slots: stream().resume_at(slots), lambda: {"slots": 8}
    )
    yield Target(
        "MixStream.check_loader",
        lambda loader: stream().check_loader(loader),
        lambda: {"loader": DataLoader(stream(), batch_size=8)},
    )
    yield Target(
        "MixReport.source",
        lambda name: mix().report().source(name),
        lambda: {"name": "human"},
        (KeyError,),
    )
    # No ledger may be at a path that is given.
    titled = {"told": mix().report().to_dict(), "name": "mine"}
    yield Target("data_card", data_card, lambda: dict(titled), (OSError,))
    yield Target(
        "write_data_card",
        lambda **given: written(write_data_card, **given),
        lambda: dict(titled),
        (OSError,),
    )
    told = {"url": "https://example.org", "creator": "we", "published": "2026-01-31"}
    yield Target(
        "croissant", croissant, lambda: {**titled, **told, "description": None}, (OSError,)
    )
    yield Target(
        "write_croissant",
        lambda **given: written(write_croissant, **given),
        lambda: {**titled, **told, "description": None},
        (OSError,),
    )
    yield Target("MixCollator", MixCollator, lambda: {"labels": False})
    yield Target(
        "MixCollator()",
        lambda rows: MixCollator()(rows),
        lambda: {"rows": [{"input_ids": [1, 2]}, {"input_ids": [3, 4]}]},
    )
    yield Target("to_columns", to_columns, lambda: {"decoding": Decoding(0.8, top_k=5)})
    yield Target(
        "decoding_from_columns",
        lambda **given: decoding_from_columns(given),
        lambda: {"temperature": 0.7, "top_k": 5, "top_p": 0.9, "min_p": None, "cut_order": None},
    )
    yield Target("a row's columns", decoding_from_columns, lambda: {"row": {"temperature": 0.7}})
    yield Target(
        "Source.words",
        lambda rows: mix_with(Source(rows, "w", "synthetic")).check(tokenizer=Words(), near=None),
        lambda: {"rows": rows(2)},
    )
