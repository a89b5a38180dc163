import pytest

from collapse_guard import ArgumentError
from collapse_guard.human_text.texts import checked_texts, same_words


def test_texts_are_read_as_they_come() -> None:
    def stream():
        yield "one"
        yield "two"
        raise AssertionError("read too far")

    texts = checked_texts("texts", stream())
    assert [next(texts), next(texts)] == ["one", "two"]


def test_a_text_that_is_none_is_found_wherever_it_stands() -> None:
    with pytest.raises(ArgumentError, match=r"`texts` expected .* got None"):
        list(checked_texts("texts", ["one", None]))  # type: ignore[list-item]


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("a b", " a\t\n b\u3000", True),
        ("caf\u00e9", "cafe\u0301", True),
        ("\uff21\uff22 \ufb01", "AB fi", True),
        ("a b", "ab", False),
        ("a b", "A b", False),
    ],
)
def test_what_counts_as_the_same_words(one: str, other: str, same: bool) -> None:
    assert (same_words(one) == same_words(other)) is same
