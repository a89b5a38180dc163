import numpy as np

from collapse_guard.audit.forms.ends import common_ends, common_lengths, phrase, shared_ends


def test_the_commonest_ends_of_either_kind_are_looked_for_in_both() -> None:
    synthetic = [(1, row, 5) for row in range(100)]
    # Every other row is counted: those that start with 1 are not among them.
    human = [(7, row, 5) if row % 4 else (1, row) for row in range(200)]
    found = common_ends(synthetic, human, first=True)
    shares = {end: tuple(has.mean().item() for has in both) for end, both in found.items()}
    assert shares == {(1,): (1.0, 0.0), (7,): (0.0, 1.0)}
    last = common_ends(synthetic, human, first=False)
    assert last[(5,)][0].all()
    assert (len(last[(5,)][0]), len(last[(5,)][1])) == (50, 100)


def test_ends_are_chosen_on_other_rows_than_they_are_counted_on() -> None:
    """Where no end is common, the one that chance makes common does not look common."""
    generator = np.random.default_rng(0)
    shares = []
    for _ in range(50):
        rows = [(token,) for token in generator.integers(0, 300, 1000).tolist()]
        others = [(token,) for token in generator.integers(0, 300, 1000).tolist()]
        shares += [
            has[0].mean() - has[1].mean() for has in common_ends(rows, others, first=True).values()
        ]
    assert len(shares) > 100
    assert abs(np.mean(shares)) < 4 * np.std(shares) / np.sqrt(len(shares))
    assert np.std(shares) < 0.005


def test_templates_of_four_and_sixteen_tokens_are_ends_too() -> None:
    template = tuple(range(16))
    found = common_ends([template] * 10, [(*range(100, 115), row) for row in range(10)], first=True)
    assert {len(end) for end, both in found.items() if both[0].all()} == {1, 4, 16}
    assert {len(end) for end, both in found.items() if both[1].all()} == {1, 4}


def test_ends_that_another_row_has_are_counted_among_as_many_rows() -> None:
    ends = [(row // 2, 1, 2, 3, 4, 5, 6, 7) for row in range(20)]
    assert shared_ends(ends, first=True, among=20).all()
    assert not shared_ends(ends, first=True, among=10).any()
    assert not shared_ends([(1, 2)] * 20, first=True, among=20).any()


def test_a_common_length_is_named() -> None:
    synthetic, human = np.full(100, 512), np.arange(100, 300)
    found = common_lengths(synthetic, human)
    assert list(found) == [512]
    assert (found[512][0].all(), found[512][1].any()) == (True, False)


def test_an_end_is_said_as_what_a_row_does() -> None:
    assert phrase((1,), str, "token", first=True) == "starts with the token 1"
    assert phrase(("a", "b"), repr, "word", first=False) == "ends with the 2 words 'a' 'b'"
