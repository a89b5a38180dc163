"""Values that no argument expects, each made anew for every call."""

import io
import itertools
from collections.abc import Callable, Iterator
from decimal import Decimal
from fractions import Fraction
from typing import Any

import numpy as np
import torch


class Evil:
    """Fails at everything that it is asked."""

    def __len__(self) -> int:
        raise RuntimeError("len")

    def __iter__(self) -> Iterator[Any]:
        raise RuntimeError("iter")

    def __getitem__(self, key: object) -> Any:
        raise RuntimeError("getitem")

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(name)

    def __eq__(self, other: object) -> bool:
        raise RuntimeError("eq")

    __hash__ = None  # type: ignore[assignment]


class Mute:
    """Cannot be shown."""

    def __repr__(self) -> str:
        raise RuntimeError("repr")


class Vast:
    """Says that it is longer than any memory."""

    def __len__(self) -> int:
        return 1 << 62

    def __getitem__(self, place: object) -> Any:
        return {"input_ids": [1, 2, 3]}


class Liar:
    """Has every attribute, and each is itself."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return self

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self


class Module(torch.nn.Module):
    """A module that is no language model."""

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        raise RuntimeError("forward")


def around() -> list[Any]:
    values: list[Any] = []
    values.append(values)
    return values


def around_mapping() -> dict[str, Any]:
    values: dict[str, Any] = {}
    values["a"] = values
    return values


def deep() -> list[Any]:
    values: list[Any] = []
    for _ in range(5000):
        values = [values]
    return values


def fails(*args: Any, **kwargs: Any) -> Any:
    return 1 / 0


def _constant(value: Any) -> Callable[[], Any]:
    return lambda: value


HOSTILE: dict[str, Callable[[], Any]] = {
    "None": _constant(None),
    "True": _constant(True),
    "False": _constant(False),
    "0": _constant(0),
    "-1": _constant(-1),
    "1": _constant(1),
    "2**31": _constant(2**31),
    "2**63": _constant(2**63),
    "2**100": _constant(2**100),
    "-2**70": _constant(-(2**70)),
    "2**100000": lambda: 2**100_000,
    "-0.0": _constant(-0.0),
    "0.5": _constant(0.5),
    "1.5": _constant(1.5),
    "nan": _constant(float("nan")),
    "inf": _constant(float("inf")),
    "-inf": _constant(-float("inf")),
    "1e308": _constant(1e308),
    "5e-324": _constant(5e-324),
    "Fraction(1, 3)": _constant(Fraction(1, 3)),
    "Decimal(sNaN)": lambda: Decimal("sNaN"),
    "1+1j": _constant(1 + 1j),
    "no text": _constant(""),
    "a": _constant("a"),
    "lone surrogate": _constant("\ud800"),
    "odd characters": _constant("\U0001d518\u202e\x00"),
    "path out": _constant("../../etc/passwd"),
    "0.3 as text": _constant("0.3"),
    "long text": lambda: "x" * 1_000_000,
    "bytes": _constant(b"x"),
    "[]": list,
    "[None]": lambda: [None],
    "[0]": lambda: [0],
    "[-1]": lambda: [-1],
    "[1.5]": lambda: [1.5],
    "[2**70]": lambda: [2**70],
    "['a']": lambda: ["a"],
    "[[]]": lambda: [[]],
    "[[1, 2], [3]]": lambda: [[1, 2], [3]],
    "[[2**62]]": lambda: [[2**62]],
    "[['a'], [None]]": lambda: [["a"], [None]],
    "[nan]": lambda: [float("nan")],
    "list of itself": around,
    "deep list": deep,
    "long list": lambda: [0] * 100_000,
    "{}": dict,
    "{'a': 1}": lambda: {"a": 1},
    "{'input_ids': ...}": lambda: {"input_ids": [1, 2]},
    "[{'input_ids': None}]": lambda: [{"input_ids": None}, {}],
    "dict of itself": around_mapping,
    "()": lambda: (),
    "(1,)": lambda: (1,),
    "{1}": lambda: {1},
    "numpy float": lambda: np.float32(0.3),
    "numpy nan": lambda: np.float64("nan"),
    "numpy int": lambda: np.int64(3),
    "numpy bool": lambda: np.bool_(True),
    "numpy scalar": lambda: np.array(3),
    "numpy empty": lambda: np.array([]),
    "numpy ints": lambda: np.array([1, 2, 3]),
    "numpy table": lambda: np.array([[1.5]]),
    "numpy texts": lambda: np.array(["a"]),
    "numpy objects": lambda: np.array([None], object),
    "numpy uint64": lambda: np.array([2**64 - 1], dtype=np.uint64),
    "numpy date": lambda: np.datetime64("2026-01-01"),
    "tensor scalar": lambda: torch.tensor(3),
    "tensor float": lambda: torch.tensor(0.3),
    "tensor empty": lambda: torch.tensor([]),
    "tensor floats": lambda: torch.zeros(2, 3),
    "tensor ints": lambda: torch.zeros(2, 3, dtype=torch.long),
    "tensor nan": lambda: torch.full((2, 8, 50), float("nan")),
    "tensor bool": lambda: torch.ones(2, 8, dtype=torch.bool),
    "tensor sparse": lambda: torch.eye(3).to_sparse(),
    "tensor meta": lambda: torch.zeros(2, 8, device="meta", dtype=torch.long),
    "object": lambda: object(),
    "evil": Evil,
    "mute": Mute,
    "vast": Vast,
    "liar": Liar,
    "module": Module,
    "function that fails": _constant(fails),
    "function that returns": _constant(lambda value=None, *rest: value),
    "class": _constant(int),
    "type": _constant(type),
    "generator": lambda: iter([[1, 2], "a", None]),
    "endless": lambda: itertools.count(),
    "range": lambda: range(3),
    "long range": lambda: range(2**62),
    "file": lambda: io.StringIO("x"),
    "Ellipsis": _constant(Ellipsis),
    "NotImplemented": _constant(NotImplemented),
    "slice": _constant(slice(1)),
}
"""Makes each value, by the name that it is told by."""
