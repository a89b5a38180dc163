from dataclasses import replace

from collapse_guard import Decoding
from collapse_guard.finder.search import DecodingTrial
from collapse_guard.finder.source_decoding import SourceDecoding
from collapse_guard.integrations.run_report.trials import MOST_DRAWN, trials_of_run
from tests.run_records.made import DECODINGS, a_record, a_search


def test_what_was_found_has_a_picture_and_what_was_given_has_none() -> None:
    (picture,) = trials_of_run(a_record(decodings=DECODINGS))
    assert (picture.source, picture.search) == ("web", a_search())
    assert picture.svg.startswith('<svg role="img" aria-label="The rows look drawn with T 0.8')
    told = picture.svg[: picture.svg.index(" xmlns")]
    assert "T 0.5, after 6 steps: 0.7000 nats a token above the best" in told
    assert "T 1, after 24 steps: 0.2000 nats" in told
    assert trials_of_run(a_record()) == ()


def test_of_many_trials_the_best_are_drawn_and_plain_text() -> None:
    search = a_search()
    more = tuple(
        DecodingTrial(Decoding(top_k=k), 12, 4.0, 0.1, k / 100, (0.0, k)) for k in range(30, 130)
    )
    many = replace(search, trials=(search.best, *more, search.plain))
    (picture,) = trials_of_run(a_record(decodings=(SourceDecoding("web", None, many),)))
    told = picture.svg[: picture.svg.index(" xmlns")]
    assert told.count("above the best") == MOST_DRAWN + 1
    assert "T 1, after 24" in told
    assert "top-k 30," in told
    assert "top-k 129," not in told
