from typing import Any

import numpy as np
import pytest

from collapse_guard.audit.forms.sampled import decoder, sample_forms, token_name
from collapse_guard.errors import ArgumentError
from collapse_guard.rows.column import Column
from collapse_guard.rows.row_source import RowSource
from tests.human_text.test_reference import word_tokenizer


def column(rows: list[Any]) -> Column:
    return Column(RowSource("rows", rows))


def test_all_rows_are_read_where_there_are_few_and_one_of_each_stretch_of_many() -> None:
    few = sample_forms([column([[1, 2], [3]]), column([[4, 5, 6]])], 10, None)
    assert few.openings == [(1, 2), (3,), (4, 5, 6)]
    assert few.lengths == [2, 1, 3]
    many = sample_forms(
        [column([[n] for n in range(700)]), column([[n] for n in range(300)])], 50, None
    )
    numbers = np.array([ids[0] for ids in many.openings])
    numbers[35:] += 700
    assert (numbers // 20).tolist() == list(range(50))


def test_ends_are_the_first_and_last_sixteen() -> None:
    found = sample_forms([column([list(range(40))])], 10, None)
    assert found.openings == [tuple(range(16))]
    assert found.endings == [tuple(range(24, 40))]
    words = sample_forms([column([" ".join(map(str, range(40)))])], 10, None)
    assert words.endings == [tuple(map(str, range(24, 40)))]


def test_token_ids_become_text_without_special_tokens() -> None:
    decode = decoder(word_tokenizer("a", "b"))
    assert decode is not None
    ids = word_tokenizer("a", "b").get_vocab()
    assert decode([ids["a"], ids["b"]]) == "a b"
    assert decoder(None) is None


def test_a_tokenizer_that_cannot_read_the_ids_is_named() -> None:
    class Broken:
        def decode(self, ids: list[int], **settings: Any) -> str:
            raise IndexError(ids)

    decode = decoder(Broken())  # type: ignore[arg-type]
    assert decode is not None
    with pytest.raises(ArgumentError, match="`tokenizer` expected the tokenizer of the token ids"):
        decode([1])


def test_tokens_are_named_by_what_they_stand_for() -> None:
    class Named:
        bos_token_id = 1

        def convert_ids_to_tokens(self, token: int) -> str:
            return {1: "<s>", 2: "the"}[token]

    name = token_name(Named())  # type: ignore[arg-type]
    assert (name(1), name(2)) == ("1 '<s>' (BOS)", "2 'the'")
    assert token_name(None)(7) == "7"
