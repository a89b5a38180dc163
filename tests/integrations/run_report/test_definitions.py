from collapse_guard import Threshold
from collapse_guard.integrations.run_report.definitions import SAMPLER, definitions_of
from collapse_guard.readings.registry import READINGS
from tests.run_records.made import DECODINGS, RULES, a_look, a_record, an_alert


def test_what_is_shown_is_explained_once_and_the_users_own_words_go_first() -> None:
    record = a_record(a_look(4, 0.5, alerts=(an_alert(4),)), meanings={"mine": "a thing of mine"})
    other = a_record(rules=RULES[1:], meanings={"tail_retention": "what is left"})
    found = definitions_of([record, other], ["mine", "perplexity", "unknown"])
    assert found == {
        # Of the alert, of the pictures, and of the rules.
        "tail_retention": "what is left",
        "mine": "a thing of mine",
        "perplexity": READINGS["perplexity"].meaning,
        "effective_vocabulary": READINGS["effective_vocabulary"].meaning,
    }
    assert next(iter(found)) == "tail_retention"


def test_a_rule_beside_another_one_is_explained() -> None:
    rule = Threshold("perplexity", above=2.0, beside=Threshold("tail_prob", below=0.5))
    assert list(definitions_of([a_record(rules=(rule,), meanings={})], [])) == [
        "perplexity",
        "tail_prob",
    ]


def test_samplers_are_explained_where_there_are_some() -> None:
    assert not SAMPLER.keys() & definitions_of([a_record()], [])
    assert definitions_of([a_record(decodings=DECODINGS)], []).items() >= SAMPLER.items()
