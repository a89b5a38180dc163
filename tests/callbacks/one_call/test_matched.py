"""For which rows of a watched run the loss is matched."""

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from collapse_guard import ArgumentError, Decoding, MixGuard, MixStream, Source
from collapse_guard.callbacks.one_call.loop import of_loop
from collapse_guard.callbacks.one_call.matched import to_match
from collapse_guard.callbacks.one_call.target import Target
from tests.tiny import tiny_gpt2, zipf_documents

COLD = Decoding(temperature=0.5)
ROWS = [{"input_ids": ids, "labels": ids} for ids in zipf_documents(8, length=8)]


def mix_of(*decodings: Any) -> MixGuard:
    written = [
        Source(ROWS, f"model {number}", "synthetic", decoding=each)
        for number, each in enumerate(decodings)
    ]
    return MixGuard(ROWS, written, human_fraction=0.5, block_size=4)


def target(training: Any = None) -> Target:
    found = of_loop(tiny_gpt2(), steps=None, tokens_per_step=None)
    return replace(found, training=training)


def test_nothing_is_asked_for() -> None:
    assert to_match(target(), None, None) is None


def test_sources_are_those_of_the_mix_that_is_trained_on() -> None:
    mix, packed = mix_of(COLD, None), SimpleNamespace(guard=mix_of("find"))
    found = to_match(target(mix), "sources", None)
    assert found is not None
    assert (found.decodings, found.is_of_all, found.finds) == (mix, False, False)
    for synthetic, training in (("sources", packed), (packed, None), (packed.guard, packed)):
        found = to_match(target(training), synthetic, None)
        assert found is not None
        assert (found.decodings, found.finds) == (packed.guard, True)
    stream = MixStream(ROWS, Source(ROWS, "web", "synthetic", decoding=COLD), human_fraction=0.5,
                       block_size=4)  # fmt: skip
    found = to_match(target(stream), "sources", None)
    assert found is not None
    assert found.decodings is stream


@pytest.mark.parametrize(
    ("decoding", "expected"), [(COLD, COLD), ("find", "find"), (None, "find")], ids=str
)
def test_all_have_one_decoding(decoding: Any, expected: Any) -> None:
    found = to_match(target(ROWS), "all", decoding)
    assert found is not None
    assert (found.decodings, found.is_of_all, found.finds) == (expected, True, expected == "find")
    mix = MixGuard(None, ROWS, human_fraction=0.0, block_size=4)
    of_mix = to_match(target(mix), "all", decoding)
    assert of_mix is not None
    assert of_mix.decodings == expected


@pytest.mark.parametrize(
    ("training", "synthetic", "decoding", "says"),
    [
        (ROWS, None, COLD, '`decoding` expected None, but for synthetic="all".*Source'),
        (mix_of(COLD), "sources", COLD, '`decoding` expected None, but for synthetic="all"'),
        (ROWS, "all", "some", "`decoding` expected a Decoding"),
        (ROWS, "all", Decoding(top_k=1), "top-k above 1"),
        (mix_of(None), "all", COLD, '`synthetic` expected "sources" for a mix with human'),
        (
            MixGuard(
                None,
                Source(ROWS, "web", "synthetic", decoding=COLD),
                human_fraction=0.0,
                block_size=4,
            ),
            "all",
            COLD,
            '`synthetic` expected "sources"',
        ),
        (None, "all", None, r"`decoding` expected the Decoding, .*decoding=Decoding\(tem"),
        (None, "all", "find", "`decoding` expected the Decoding, .*find_decoding"),
        (ROWS, "sources", None, '`synthetic` expected a training set that is a Mix.*synthetic="al'),
        (None, "sources", None, "`synthetic` expected a training set that is a Mix.*synthetic=mix"),
        (mix_of(None), "sources", None, r"`synthetic` expected a mix of which.*Source\(rows"),
        (mix_of(COLD), mix_of(COLD), None, "`synthetic` expected the mix that is trained on"),
        (ROWS, "some", None, "`synthetic` expected None"),
        (mix_of(COLD), "some", None, "`synthetic` expected None"),
        (ROWS, 3, None, "`synthetic` expected None"),
    ],
)
def test_what_does_not_fit_is_refused(
    training: Any, synthetic: Any, decoding: Any, says: str
) -> None:
    with pytest.raises(ArgumentError, match=says):
        to_match(target(training), synthetic, decoding)


def test_how_a_decoding_is_searched_for_is_handed_on() -> None:
    matching = to_match(target(ROWS), "all", "find", {"steps": 3, "max_seconds": 9.0})
    assert matching is not None
    assert matching.search == {"steps": 3, "max_seconds": 9.0}


@pytest.mark.parametrize(
    ("synthetic", "decoding", "search", "says"),
    [
        ("all", COLD, {"steps": 3}, "`search` expected None, where no decoding is to be found"),
        (None, None, {"steps": 3}, "`search` expected None"),
        ("all", "find", {"step": 3}, "`search` expected settings of find_decoding.*max_seconds"),
        ("all", "find", {"held_out": []}, "`search` expected settings"),
        ("all", "find", {"judge": None}, "`search` expected settings"),
        ("all", "find", 3, "`search` expected settings"),
        ("all", "find", {3: 4}, "`search` expected settings"),
    ],
)
def test_a_search_that_cannot_be_is_refused(
    synthetic: Any, decoding: Any, search: Any, says: str
) -> None:
    with pytest.raises(ArgumentError, match=says):
        to_match(target(ROWS), synthetic, decoding, search)
