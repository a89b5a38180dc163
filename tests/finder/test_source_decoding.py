from dataclasses import replace

from collapse_guard import Decoding
from collapse_guard.finder.source_decoding import SourceDecoding
from tests.run_records.made import a_search


def test_it_says_how_rows_were_drawn_and_how_that_is_known() -> None:
    assert str(SourceDecoding("web", Decoding(0.5))) == "T 0.5"
    assert str(SourceDecoding("web", None)) == "what they say"
    search = a_search()
    found = SourceDecoding("web", search.decoding, search)
    assert str(found) == "T 0.8, top-p 0.9 (found with 40 human documents)"
    plain = replace(search.trials[2], interval=(-0.1, 0.3))
    unsure = replace(search, trials=(*search.trials[:2], plain))
    assert "not told apart from the plain loss)" in str(replace(found, search=unsure))
