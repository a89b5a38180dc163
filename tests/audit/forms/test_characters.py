import unicodedata

import numpy as np
import pytest

from collapse_guard.audit.forms.characters import (
    CAPITAL,
    DIGIT,
    MARK,
    OTHER_LETTER,
    REST,
    SMALL,
    SPACE,
    classes_of,
    codes_of,
    main_script,
)

NAMES = {
    "LATIN": "Latin", "GREEK": "Greek", "CYRILLIC": "Cyrillic", "ARMENIAN": "Armenian",
    "HEBREW": "Hebrew", "ARABIC": "Arabic", "DEVANAGARI": "Devanagari", "BENGALI": "Bengali",
    "TAMIL": "Tamil", "THAI": "Thai", "GEORGIAN": "Georgian", "HANGUL": "Hangul",
    "HIRAGANA": "Kana", "KATAKANA": "Kana", "CJK": "Han",
}  # fmt: skip


def test_scripts_are_those_that_unicode_names_letters_by() -> None:
    wrong, count = [], 0
    for code in [
        *range(0x41, 0x3400),
        *range(0x4E00, 0x4F00),
        *range(0xA000, 0xACFF),
        *range(0xF900, 0x10000),
        0x20000,
    ]:
        name = unicodedata.name(chr(code), "")
        if unicodedata.category(chr(code))[0] != "L" or name.startswith("MODIFIER"):
            continue
        expected = NAMES.get(name.split()[0].split("-")[0])
        found = main_script(codes_of(chr(code)))
        count += 1
        if found != (expected or "another script") and name.split()[0] in NAMES:
            wrong.append((hex(code), name, found))
    assert count > 4000
    # A few letters stand in blocks of another script.
    assert len(wrong) < 0.01 * count, wrong[:20]


@pytest.mark.parametrize(
    ("text", "script"),
    [
        ("Hello, мир", "Latin"),
        ("今日は天気がいいですね", "Kana"),
        ("今天天气很好", "Han"),
        ("안녕하세요", "Hangul"),
        ("مرحبا بالعالم", "Arabic"),
        ("12 + 3 = 15!", None),
        ("", None),
    ],
)
def test_most_letters_say_which_script_it_is(text: str, script: str | None) -> None:
    assert main_script(codes_of(text)) == script


def test_characters_are_what_they_are() -> None:
    found = classes_of(codes_of("Aß中5. \n+\U00020000\U0001f600"))
    assert found.tolist() == [
        CAPITAL, SMALL, OTHER_LETTER, DIGIT, MARK, SPACE, SPACE, REST, OTHER_LETTER, REST,
    ]  # fmt: skip
    assert np.array_equal(codes_of("\ud800a"), [0xD800, 97])
