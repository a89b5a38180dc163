import math

import pytest

from collapse_guard.audit.forms.effects import Effect
from collapse_guard.audit.forms.form_report import FormDifference, FormReport
from collapse_guard.audit.forms.letters import LetterDistance

SURE, UNSURE = Effect(2.0, 1.5, 2.5), Effect(0.5, -0.1, 1.1)


def share(synthetic: float, human: float, effect: Effect = SURE) -> FormDifference:
    return FormDifference("holds a tab", True, synthetic, human, 1200, 30, effect)


@pytest.mark.parametrize(
    ("difference", "said"),
    [
        (share(1, 0), "every row of web holds a tab, no human row does"),
        (share(0, 1), "every human row holds a tab, no row of web does"),
        (share(0.25, 0.5), "25.0% of the rows of web and 50.0% of the human ones: holds a tab"),
        (
            FormDifference("length in tokens", False, 120.4, 80, 1200, 30, SURE),
            "length in tokens is 120 on average in web and 80 in human rows",
        ),
    ],
)
def test_a_difference_is_said_with_its_size_interval_and_rows(
    difference: FormDifference, said: str
) -> None:
    unit = "h" if difference.is_share else "d"
    size = f"({unit} = 2.00, interval 1.50 to 2.50; 1,200 and 30 rows)"
    assert difference.sentence("web") == f"{said} {size}"


def test_the_first_difference_is_the_sentence_and_none_where_it_is_not_sure() -> None:
    told = FormReport("web", (share(1, 0), share(0.5, 0.2, UNSURE)), None)
    assert told.sentence.startswith("web: every row of web holds a tab")
    assert told.sentence.endswith(": a model can learn the kind from the form")
    unsure = FormReport("web", (share(0.5, 0.2, UNSURE),), None)
    assert unsure.sentence == "web: of 1 forms none surely tells its rows from human ones"
    assert "of 0 forms" in FormReport("web", (), None).sentence


def test_a_long_table_is_cut_and_an_infinite_size_is_shown() -> None:
    endless = FormDifference("number of lines", False, 4, 1, 9, 9, Effect(*[math.inf] * 3))
    report = FormReport(
        "web", (endless, *[share(0.5, 0.2)] * 30), LetterDistance(0.3, 0.2, 0.4, 0.1)
    )
    lines = str(report).splitlines()
    assert len(lines) == 1 + 1 + 20 + 1 + 1
    assert lines[2].split()[:5] == ["4", "1", "inf", "inf", "inf"]
    assert lines[-2] == "and 11 more forms that differ less surely"
    assert "0.300 of them differ (95% interval 0.200 to 0.400), and 0.100 between" in lines[-1]
