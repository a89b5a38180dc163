import pytest

from collapse_guard import Source
from collapse_guard.audit import audit_rows
from collapse_guard.audit.comparison.content_sample import ContentSample
from collapse_guard.audit.comparison.text_sizes import Copies, TextSize
from tests.audit.comparison.languages import zipf_texts


def sampled(texts: list[str], characters: int = 1 << 24) -> ContentSample:
    sample = ContentSample(characters)
    sample.extend(texts)
    return sample


def copies(human: ContentSample, synthetic: ContentSample) -> Copies:
    sources = [
        Source([one.text for one in sample.contents()], kind, kind)
        for kind, sample in (("human", human), ("synthetic", synthetic))
    ]
    return Copies.of(human, synthetic, audit_rows(sources))


def test_sizes_are_those_of_all_texts() -> None:
    size = TextSize.of(sampled(["ab", " ", "ab"]), words=1)
    assert (size.texts, size.characters, size.empty, size.sampled) == (3, 5, 1, 1.0)


def test_copies_are_counted_with_their_rows() -> None:
    human, new = zipf_texts(100, seed=0), zipf_texts(60, seed=1)
    near = f"{human[1]} and more"
    found = copies(sampled(human), sampled([*new, human[0], human[0], near, *new[:37]]))
    assert found.shared == 3 / 100
    assert found.rows == (60, 61, 62)
    # One of the copied human text, and 37 of its own.
    assert found.repeated == pytest.approx(38 / 100)
    assert found.human_repeated == 0


def test_of_a_part_the_shares_are_estimated() -> None:
    human, new = zipf_texts(3_000, seed=0), zipf_texts(2_000, seed=1)
    rows = [*new, *human[:1_000], *new[:1_000]]
    for room in ((1 << 24, 200_000), (200_000, 1 << 24), (150_000, 250_000)):
        found = copies(
            *(sampled(texts, each) for texts, each in zip((human, rows), room, strict=True))
        )
        assert found.shared == pytest.approx(0.25, abs=0.06)
        assert found.repeated == pytest.approx(0.25, abs=0.06)
