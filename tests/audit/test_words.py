import numpy as np
from hypothesis import given, strategies as st

from collapse_guard.audit.words import word_rows
from tests.audit.texts import plain_words

LETTERS = "abAB09éßЖя\u0130中文字ไท😀"
MARKS = " .,'-\n\t\x00\u00a0\u00b7\u2014\u2019\u2044\u2070\u2080\u3002\ud800"

texts = st.text(st.sampled_from(LETTERS + MARKS), max_size=12)


@given(st.lists(texts, max_size=6))
def test_words_are_those_of_the_code_points(rows: list[str]) -> None:
    found = word_rows(rows)
    expected = [plain_words(text) for text in rows]
    assert found.lengths.tolist() == [len(words) for words in expected]
    numbers = dict(zip([w for words in expected for w in words], found.ids.tolist(), strict=True))
    assert [numbers[word] for words in expected for word in words] == found.ids.tolist()
    assert len(set(numbers.values())) == len(numbers)


def test_case_and_punctuation_do_not_matter_and_order_does() -> None:
    one, same, other = word_rows(["It's the END.", "it s\nthe (end)", "the end it s"]).split()
    assert one.tolist() == same.tolist() != other.tolist()


def test_a_word_has_one_number_wherever_it_stands() -> None:
    rows = word_rows(["x " * number + "collapse" for number in range(1000)])
    ends = np.cumsum(rows.lengths) - 1
    assert len(set(rows.ids[ends].tolist())) == 1


def test_scripts_without_spaces_are_split_into_characters() -> None:
    assert word_rows(["今日は天気がいい", "วันนี้"]).lengths.tolist() == [8, 6]
    assert word_rows(["naïve café Жизнь"]).lengths.tolist() == [3]
