import pytest

from collapse_guard.audit.forms.text_forms import (
    FORM_NAMES,
    FORMS,
    MEASURES,
    forms_of,
    measures_of,
    shortened,
)

PLAIN = "It was a bright cold day in April, and the clocks were striking thirteen."

HAVING = {
    "starts with a space or a line break": " a",
    "starts with a small letter": "a b",
    "starts with a capital letter": PLAIN,
    "starts with a digit": "1 a",
    "starts with a quotation mark": "\u201cA\u201d he said.",
    "ends with a space or a line break": "A.\n",
    "ends with the end of a sentence": PLAIN,
    "ends with a letter or a digit": "cut of",
    "ends with a quotation mark or a bracket": 'He said "no."',
    "holds a line break": "a\nb",
    "holds an empty line": "a\n \nb",
    "holds two spaces in a row": "a.  B",
    "holds a space before a line break": "a \nb",
    "holds a tab": "a\tb",
    "holds a carriage return": "a\r\nb",
    "holds a no-break space": "a\u00a0b",
    "holds a Markdown heading": "a\n## B\nc",
    "holds Markdown bold or italics": "a **b c** d",
    "holds a bullet list": "a:\n - b\n - c",
    "holds a numbered list": "a:\n1. b\n2. c",
    "holds a code fence": "```python\nx\n```",
    "holds inline code": "call `f(x)` now",
    "holds a Markdown link": "see [this](http://x.y)",
    "holds a table row": "a\n| b | c |\n",
    "holds an HTML tag": "a<br/>b",
    "holds LaTeX": r"so \(x^2\)",
    "holds a web address": "see https://example.org",
    "holds a mark of a chat or a prompt": "<|user|>\nhello",
    "holds curly quotation marks": "it\u2019s",
    "holds an en or em dash": "this \u2014 that",
    "holds an ellipsis": "well...",
    "holds an emoji": "fine \U0001f600",
    "holds a character beyond ASCII": "caf\u00e9",
    "has no capital letter": "all small",
    "has no small letter": "ALL LARGE",
}


def having(text: str) -> set[str]:
    return {name for name, has in zip(FORM_NAMES, forms_of(text), strict=True) if has}


def test_each_form_is_seen_where_it_is() -> None:
    assert HAVING.keys() == FORMS.keys()
    assert [form for form, text in HAVING.items() if form not in having(text)] == []


def test_plain_text_has_no_more_than_it_has() -> None:
    assert having(PLAIN) == {
        "starts with a capital letter",
        "ends with the end of a sentence",
        "is mostly in Latin letters",
    }


@pytest.mark.parametrize(
    ("text", "form"),
    [
        ("2 * 3 * 4 = 24", "holds Markdown bold or italics"),
        ("#hashtag", "holds a Markdown heading"),
        ("well-known -- really", "holds a bullet list"),
        ("in 1984. Then", "holds a numbered list"),
        ("a < b and c > d", "holds an HTML tag"),
        ("```\nx\n```", "holds inline code"),
        ("He asked the user: who?", "holds a mark of a chat or a prompt"),
        ("$5 and $6", "holds LaTeX"),
    ],
)
def test_what_looks_like_a_form_is_none(text: str, form: str) -> None:
    assert form not in having(text)


def test_measures_are_counted() -> None:
    found = dict(zip(MEASURES, measures_of("Ab cd, 12\nEFg."), strict=True))
    assert found == {
        "number of lines": 2,
        "characters in a word": pytest.approx(11 / 4),
        "share of capitals among letters": pytest.approx(3 / 7),
        "share of marks among characters": pytest.approx(2 / 14),
        "share of digits among characters": pytest.approx(2 / 14),
    }


def test_of_a_long_text_both_ends_are_left() -> None:
    text = "a" + "x" * 20_000_000 + "z"
    part = shortened(text)
    assert (len(part), part[0], part[-1]) == (16_384, "a", "z")
    assert shortened(PLAIN) == PLAIN
