"""Decodings: what they say of themselves, and what they refuse to be made from."""

import json
from typing import Any

import numpy as np
import pytest

from collapse_guard.errors import ArgumentError
from collapse_guard.model.decoding import (
    VLLM_ORDER,
    Decoding,
    check_matchable,
)


@pytest.mark.parametrize(
    ("decoding", "shown"),
    [
        (Decoding(), "T 1"),
        (Decoding(temperature=0.8), "T 0.8"),
        (Decoding(top_k=50), "top-k 50"),
        (Decoding(0.7, 20, 0.95, 0.05), "T 0.7, top-k 20, top-p 0.95, min-p 0.05"),
        (Decoding(0.7, 20, 0.95, 0.05, VLLM_ORDER), "T 0.7, min-p 0.05, top-k 20, top-p 0.95"),
        (Decoding(top_p=1.0, min_p=0.0), "T 1"),
    ],
)
def test_they_are_read_in_the_order_in_which_they_work(decoding: Decoding, shown: str) -> None:
    assert str(decoding) == shown
    assert decoding.is_plain == (shown == "T 1")


def test_ledgers_take_them() -> None:
    decoding = Decoding(np.float32(0.5), np.int64(5), top_p=np.float64(0.9), order=VLLM_ORDER)
    state = json.loads(json.dumps(decoding.to_dict()))
    assert Decoding.from_dict(state) == decoding
    assert hash(Decoding.from_dict(state)) == hash(decoding)
    with pytest.raises(ArgumentError, match=r"temperature.*but got \['typical_p'\]"):
        Decoding.from_dict({"typical_p": 0.9})


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"temperature": 0.0}, "top_k=1 is greedy"),
        ({"temperature": float("nan")}, "`temperature` expected a number above 0"),
        ({"temperature": float("inf")}, "`temperature` expected a number above 0"),
        ({"temperature": "hot"}, "`temperature` expected a number above 0, but got 'hot'"),
        ({"top_k": 0}, "`top_k` expected at least 1"),
        ({"top_k": 5.0}, "`top_k` expected at least 1, as a whole number, but got 5.0"),
        ({"top_p": 0.0}, "`top_p` expected a share above 0"),
        ({"top_p": 1.5}, "`top_p` expected a share above 0"),
        ({"min_p": -0.1}, "`min_p` expected a share of at least 0"),
        ({"min_p": float("nan")}, "`min_p` expected a share of at least 0"),
        ({"order": ("top_k", "top_p")}, "`order` expected each of top_k, top_p, min_p once"),
        ({"order": ("top_k", "top_k", "min_p")}, "`order` expected each of"),
    ],
)
def test_bad_arguments_are_named(wrong: dict[str, Any], message: str) -> None:
    with pytest.raises(ArgumentError, match=message):
        Decoding(**wrong)


@pytest.mark.parametrize("cold", [Decoding(temperature=0.04), Decoding(top_k=1, temperature=2)])
def test_greedy_text_can_be_drawn_and_not_matched(cold: Decoding) -> None:
    with pytest.raises(
        ArgumentError, match=r"`decoding` expected a top-k above 1 .* floor of human"
    ):
        check_matchable(cold)
    check_matchable(Decoding(temperature=0.05, top_k=2))
