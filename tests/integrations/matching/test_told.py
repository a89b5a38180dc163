from collapse_guard import Decoding
from collapse_guard.finder.source_decoding import SourceDecoding
from collapse_guard.integrations.matching.told import told
from tests.run_records.made import a_search

COLD = Decoding(temperature=0.5)


def test_the_line_of_all_rows() -> None:
    one = SourceDecoding("all", COLD)
    assert told([one], of_all=True) == "matched loss: all rows, as drawn with T 0.5."
    found = SourceDecoding("all", a_search().decoding, a_search())
    assert told([found], of_all=True) == (
        "matched loss: all rows, as drawn with T 0.8, top-p 0.9 (found with 40 human documents)."
    )


def test_the_line_of_sources() -> None:
    sources = [SourceDecoding("old", COLD), SourceDecoding("web", None)]
    assert told(sources, of_all=False) == (
        "matched loss: rows of 'old' as drawn with T 0.5, of 'web' as drawn with what they say."
    )
    many = told([SourceDecoding(f"model {n}", COLD) for n in range(5)], of_all=False)
    assert many.endswith("of 'model 2' as drawn with T 0.5, of 2 more sources.")
