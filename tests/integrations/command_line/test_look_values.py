from collapse_guard import Look
from collapse_guard.integrations.command_line.look_values import shown_value


def test_shares_have_intervals_and_what_is_missing_is_a_dash() -> None:
    look = Look(1, {"tail_retention": 0.5, "perplexity": 12.3456}, {"tail_retention": 0.05})
    assert shown_value(look, "tail_retention") == "50%\n(40% to 60%)"
    assert shown_value(look, "perplexity") == "12.35"
    assert shown_value(look, "head_retention") == "-"
    assert shown_value(Look(0, {"tail_retention": 1.0}, {}), "tail_retention") == "100%"
