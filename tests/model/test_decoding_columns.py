"""Decodings as columns: there and back, through what libraries and file formats make of them."""

import io
import json
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given, strategies as st

from collapse_guard.errors import ArgumentError
from collapse_guard.model.decoding import TRANSFORMERS_ORDER, VLLM_ORDER, Decoding
from collapse_guard.model.decoding_columns import (
    DECODING_COLUMNS,
    decoding_from_columns,
    to_columns,
)

DECODINGS = st.builds(
    Decoding,
    temperature=st.floats(0.05, 5),
    top_k=st.none() | st.integers(2, 100_000),
    top_p=st.none() | st.floats(0.01, 1),
    min_p=st.none() | st.floats(0, 1),
    order=st.permutations(TRANSFORMERS_ORDER),
)


def law(decoding: Decoding | None) -> tuple[object, ...]:
    """All that decides which token is drawn."""
    assert decoding is not None
    return decoding.temperature, *((cut, getattr(decoding, cut)) for cut in decoding.cuts)


@given(DECODINGS)
def test_there_and_back_is_the_same_law(decoding: Decoding) -> None:
    columns = to_columns(decoding)
    assert tuple(columns) == DECODING_COLUMNS
    assert law(decoding_from_columns(columns)) == law(decoding)
    assert to_columns(decoding_from_columns(columns) or Decoding()) == columns
    assert decoding_from_columns(json.loads(json.dumps(columns))) == decoding_from_columns(columns)


@given(st.lists(DECODINGS, min_size=1, max_size=5))
def test_tables_of_pandas_are_read(decodings: list[Decoding]) -> None:
    frame = pd.DataFrame([to_columns(decoding) for decoding in decodings])
    for table in (frame, frame.convert_dtypes()):
        read = [decoding_from_columns(row) for _, row in table.iterrows()]  # type: ignore[arg-type]
        assert list(map(law, read)) == list(map(law, decodings))
    text = io.StringIO(frame.to_csv(index=False))
    # pandas 2 rounds else, and later ones know no other way.
    is_old = pd.__version__.startswith("2.")
    again = pd.read_csv(text, float_precision="round_trip") if is_old else pd.read_csv(text)
    read = [decoding_from_columns(row) for row in again.to_dict("records")]
    assert list(map(law, read)) == list(map(law, decodings))


@pytest.mark.parametrize("nothing", [None, float("nan"), np.float32("nan"), pd.NA, pd.NaT])
def test_no_temperature_is_no_known_sampler(nothing: object) -> None:
    assert decoding_from_columns({"temperature": nothing, "top_k": 50}) is None
    assert decoding_from_columns({"top_k": 50}) is None
    silent = {"top_k": nothing, "top_p": nothing, "min_p": nothing, "cut_order": nothing}
    assert decoding_from_columns({"temperature": 0.5, **silent}) == Decoding(temperature=0.5)


@pytest.mark.parametrize(
    "off",
    [{"top_k": 0}, {"top_k": -1}, {"top_k": -1.0}, {"top_p": 1}, {"top_p": 1.0}, {"min_p": 0}],
)
def test_what_vllm_and_transformers_write_for_no_cut(off: dict[str, float]) -> None:
    assert decoding_from_columns({"temperature": 0.7, **off}) == Decoding(temperature=0.7)


@pytest.mark.parametrize("made", [float, np.float64, np.array, torch.tensor])
def test_numbers_of_any_make(made: Any) -> None:
    row = {"temperature": made(0.5), "top_k": made(7.0), "cut_order": "min_p, top_k, top_p"}
    assert decoding_from_columns(row) == Decoding(0.5, 7, order=VLLM_ORDER)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"temperature": "0.8"}, r"`temperature` expected a number .* numeric type"),
        ({"temperature": True}, "`temperature` expected a number"),
        ({"temperature": [0.8, 0.7]}, r"`temperature` expected a number .* one value a row"),
        ({"temperature": np.array([0.8, 0.7])}, r"`temperature` expected a number .* one value"),
        ({"temperature": 0}, "`temperature` expected a number above 0 in this column.*greedy"),
        ({"temperature": -1.0}, "`temperature` expected a number above 0"),
        ({"temperature": 0.01}, r"`temperature` expected a top-k above 1 .* plain loss"),
        ({"top_k": 1}, r"`top_k` expected a top-k above 1 .* plain loss"),
        ({"top_k": 1.5}, "`top_k` expected a whole number or None in this column"),
        ({"top_k": -2}, "`top_k` expected at least 1, as a whole number"),
        ({"top_k": float("inf")}, "`top_k` expected a whole number"),
        ({"top_p": 1.5}, "`top_p` expected a share above 0"),
        ({"top_p": 0.0}, "`top_p` expected a share above 0"),
        ({"min_p": -0.1}, "`min_p` expected a share of at least 0"),
        ({"cut_order": "top_k,top_p"}, "`cut_order` expected each of .* joined by commas"),
        ({"cut_order": ["min_p", "top_k", "top_p"]}, "`cut_order` expected each of"),
        ({"cut_order": ""}, "`cut_order` expected each of .* leave the column out"),
    ],
)
def test_errors_name_the_column(wrong: dict[str, Any], message: str) -> None:
    with pytest.raises(ArgumentError, match=message):
        decoding_from_columns({"temperature": 0.8, **wrong})


@pytest.mark.parametrize("kind", [np.float32, np.float64, torch.tensor])
def test_narrow_numbers_are_the_decimals_that_were_written(kind: Any) -> None:
    """Data sets hand float64 columns out in single precision, as numpy or torch has them."""
    row = {"temperature": kind(0.8), "top_p": kind(0.95), "top_k": kind(40)}
    assert decoding_from_columns(row) == Decoding(temperature=0.8, top_p=0.95, top_k=40)
