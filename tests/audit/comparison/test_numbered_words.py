from collapse_guard.audit.comparison.numbered_words import WordNumbers


def test_equal_words_have_equal_numbers_whatever_their_case_and_text() -> None:
    numbers = WordNumbers()
    one, other = numbers.of(["The cat's", "", "CAT"]), numbers.of(["the, THE: café"])
    assert one.lengths.tolist() == [2, 0, 1]
    assert [numbers.words[each] for each in one.ids] == ["the", "cat's", "cat"]
    assert [numbers.words[each] for each in other.ids] == ["the", "the", "café"]
    assert len(set(numbers.words)) == len(numbers.words) == 4


def test_no_texts_have_no_words() -> None:
    rows = WordNumbers().of([])
    assert (len(rows.ids), len(rows.lengths), rows.ids.dtype) == (0, 0, "int64")


def test_a_function_of_one_s_own_says_what_words_are() -> None:
    numbers = WordNumbers(lambda text: [(place, place + 1) for place in range(len(text))])
    assert numbers.of(["人人水"]).ids.tolist() == [0, 0, 1]
