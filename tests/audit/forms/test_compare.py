from typing import Any

import numpy as np
import pytest

from collapse_guard import Source
from collapse_guard.audit import audit_rows
from collapse_guard.audit.forms import compare
from collapse_guard.audit.forms.compare import compare_forms
from collapse_guard.audit.forms.form_report import FormReport
from collapse_guard.rows.column import Column
from collapse_guard.rows.row_source import RowSource
from tests.audit.texts import as_text, random_rows
from tests.human_text.test_reference import word_tokenizer


def reports(
    human: list[Any], *synthetic: list[Any], tokenizer: Any = None
) -> tuple[FormReport, ...]:
    columns = [
        Column(RowSource(name, rows))
        for name, rows in zip("hab", [human, *synthetic], strict=False)
    ]
    return compare_forms(columns, ["human", *["synthetic"] * len(synthetic)], tokenizer)


def sentences(count: int, seed: int) -> list[str]:
    return [as_text(row).capitalize() + "." for row in random_rows(count, seed=seed)]


def test_a_token_that_stands_at_the_start_of_one_kind_is_what_is_said() -> None:
    human, synthetic = random_rows(400, seed=1), random_rows(300, seed=2)
    (report,) = reports(human, [[1, *row] for row in synthetic])
    first = report.differences[0]
    assert (first.form, first.synthetic, first.human) == ("starts with the token 1", 1.0, 0.0)
    assert first.effect.size == pytest.approx(np.pi)
    assert (first.num_synthetic, first.num_human) == (150, 200)
    assert report.sentence.startswith(
        "a: every row of a starts with the token 1, no human row does (h = 3.14, interval 2.7"
    )
    assert report.sentence.endswith("a model can learn the kind from the form")


def test_rows_of_one_form_are_not_told_apart() -> None:
    for seed in range(5):
        rows = [sentences(300, 10 * seed + part) for part in range(2)]
        (report,) = reports(*rows)
        assert report.differences[0].effect.sure == 0, report
        assert "none surely tells its rows from human ones" in report.sentence


def test_each_synthetic_source_is_compared_with_all_human_rows() -> None:
    human = sentences(200, 1)
    lists = [f"- {text}\n- {text}" for text in sentences(100, 2)]
    (same, other) = reports(human, sentences(100, 3), lists)
    assert (same.source, other.source) == ("a", "b")
    assert same.differences[0].effect.sure == 0
    told = {each.form: each for each in other.differences}
    assert {"holds a bullet list", "holds a line break"} <= {
        each.form for each in other.differences[:4]
    }
    assert told["holds a bullet list"].effect.size > 3
    assert told["number of lines"].synthetic == pytest.approx(2)
    assert told["starts with the word '-'"].synthetic == 1
    assert other.differences[0].is_share


def test_lengths_are_compared_on_a_log_scale() -> None:
    human = random_rows(400, seed=1, least=20, most=60)
    longer = [[*row, *row] for row in random_rows(400, seed=2, least=20, most=60)]
    (report,) = reports(human, longer)
    length = next(each for each in report.differences if each.form == "length in tokens")
    logs = [np.log([len(row) for row in rows]) for rows in (longer, human)]
    spread = np.sqrt((logs[0].var() + logs[1].var()) * 400 / 798)
    assert length.effect.size == pytest.approx((logs[0].mean() - logs[1].mean()) / spread)
    assert (length.synthetic, length.human) == pytest.approx([np.exp(log.mean()) for log in logs])
    assert not length.is_share


def test_rows_that_were_cut_at_a_length_are_told_by_it() -> None:
    human = random_rows(400, seed=1, least=20, most=60)
    cut = [row[:30] for row in random_rows(400, seed=2, least=20, most=60)]
    (report,) = reports(human, cut)
    told = {each.form: each for each in report.differences}
    assert told["has exactly 30 tokens"].synthetic == pytest.approx(0.75, abs=0.1)
    assert told["has exactly 30 tokens"].effect.sure > 1


def test_scripts_and_letters_tell_languages() -> None:
    human = ["the cold wind blew over the hills and far away that day"] * 20
    other = ["холодный ветер дул над холмами и далеко в тот день"] * 20
    (report,) = reports(human, other)
    told = {each.form: each.synthetic - each.human for each in report.differences}
    assert told["is mostly in Cyrillic letters"] == 1
    assert told["is mostly in Latin letters"] == -1
    assert report.letters is not None
    assert report.letters.size > 0.9
    assert report.letters.among_human == 0


def test_token_ids_show_the_forms_of_their_text_where_there_is_a_tokenizer() -> None:
    tokenizer = word_tokenizer("alpha", "Beta", "gamma", ".")
    ids = tokenizer.get_vocab()
    human = [[ids["Beta"], ids["alpha"], ids["gamma"], ids["alpha"]] for _ in range(30)]
    synthetic = [[ids["alpha"], ids["gamma"], ids["alpha"], ids["Beta"]] for _ in range(30)]
    (without,) = reports(human, synthetic)
    assert {"starts with a small letter"}.isdisjoint(each.form for each in without.differences)
    (report,) = reports(human, synthetic, tokenizer=tokenizer)
    told = {each.form: each for each in report.differences}
    assert told["starts with a small letter"].effect.size == pytest.approx(np.pi)
    assert any(form.startswith(f"starts with the token {ids['alpha']} ") for form in told)


def test_one_kind_alone_is_compared_with_nothing() -> None:
    assert audit_rows([Source(["a", "b"], "x", "human")], near=None).forms == ()
    assert audit_rows([Source(["a", "b"], "x", "synthetic")], near=None).forms == ()


def test_empty_rows_have_no_form() -> None:
    (report,) = reports(["", " "], ["", ""])
    assert report.letters is None
    assert "of 0 forms" in report.sentence or report.differences[0].effect.sure == 0
    (report,) = reports([[], []], [[], []])
    assert report.differences == ()


def test_what_is_looked_at_of_many_rows_is_spread_over_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:

    monkeypatch.setattr(compare, "_MOST_ROWS", 200)
    human = random_rows(1000, seed=1)
    synthetic = [[5, *row] if at < 500 else row for at, row in enumerate(random_rows(1000, seed=2))]
    (report,) = reports(human, synthetic)
    told = {each.form: each for each in report.differences}
    assert told["starts with the token 5"].num_synthetic == 100
    assert told["starts with the token 5"].synthetic == pytest.approx(0.5, abs=0.02)
    again = reports(human, synthetic)
    assert again == (report,)


def test_a_line_of_many_megabytes_is_looked_at_in_part() -> None:
    long = "# " + "word " * 4_000_000 + "```"
    (report,) = reports(sentences(20, 1), [long] * 3)
    told = {each.form: each.synthetic for each in report.differences}
    assert told["holds a Markdown heading"] == told["holds a code fence"] == 1
    assert told["length in characters"] == pytest.approx(len(long))


def test_the_report_is_a_table_and_plain_data() -> None:
    sources = [
        Source(sentences(50, 1), "books", "human"),
        Source([f"{text}\n" for text in sentences(50, 2)], "web", "synthetic"),
    ]
    report = audit_rows(sources)
    assert report.is_clean
    said = "web: every row of web ends with a space or a line break, no human row does (h = 3.14"
    assert said in str(report)
    (forms,) = report.forms
    table = str(forms).splitlines()
    assert table[1].split() == ["synthetic", "human", "size", "low", "high", "form"]
    assert len(table) <= 24
    plain = report.to_dict()["forms"][0]
    assert plain["source"] == "web"
    assert plain["differences"][0]["effect"] == list(forms.differences[0].effect)
