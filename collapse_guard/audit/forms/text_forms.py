"""Forms that a text has or has not, and measures of its form."""

import re
from collections.abc import Callable, Mapping

import numpy as np

from collapse_guard.audit.forms.characters import (
    CAPITAL,
    DIGIT,
    MARK,
    SCRIPTS,
    SMALL,
    SPACE,
    classes_of,
    codes_of,
    main_script,
)

_MOST_CHARACTERS = 16_384
_LAST_CHARACTERS = 1_024

FORMS_LOOKED_AT = 4_096
"""Characters of a text whose kind and script are counted."""


def _holds(pattern: str, flags: int = re.MULTILINE) -> Callable[[str], bool]:
    search = re.compile(pattern, flags).search
    return lambda text: search(text) is not None


# As what a row does, so that a sentence can be made of it.
FORMS: Mapping[str, Callable[[str], bool]] = {
    "starts with a space or a line break": lambda text: text[:1].isspace(),
    "starts with a small letter": lambda text: text[:1].islower(),
    "starts with a capital letter": lambda text: text[:1].isupper(),
    "starts with a digit": lambda text: text[:1].isdigit(),
    "starts with a quotation mark": lambda text: text[:1] in set("\"'“”\u2018\u2019«»„"),
    "ends with a space or a line break": lambda text: text[-1:].isspace(),
    "ends with the end of a sentence": lambda text: text[-1:] in set(".!?…。\uff01\uff1f"),
    "ends with a letter or a digit": lambda text: text[-1:].isalnum(),
    "ends with a quotation mark or a bracket": lambda text: text[-1:] in set("\"'“”\u2019»)]}"),
    "holds a line break": lambda text: "\n" in text,
    "holds an empty line": _holds(r"\n[ \t]*\n"),
    "holds two spaces in a row": lambda text: "  " in text,
    "holds a space before a line break": _holds(r"[ \t]\r?\n"),
    "holds a tab": lambda text: "\t" in text,
    "holds a carriage return": lambda text: "\r" in text,
    "holds a no-break space": lambda text: "\u00a0" in text,
    "holds a Markdown heading": _holds(r"^#{1,6} \S"),
    "holds Markdown bold or italics": _holds(
        r"\*\*[^*\n]+\*\*|(?<![\w*])\*[^*\s][^*\n]*\*(?![\w*])"
    ),
    "holds a bullet list": _holds(r"^[ \t]*[-*+•] \S"),
    "holds a numbered list": _holds(r"^[ \t]*\d{1,3}[.)] \S"),
    "holds a code fence": lambda text: "```" in text,
    "holds inline code": _holds(r"(?<!`)`[^`\n]+`(?!`)"),
    "holds a Markdown link": _holds(r"\[[^\]\n]+\]\([^)\n]+\)"),
    "holds a table row": _holds(r"^[ \t]*\|.+\|[ \t]*$"),
    "holds an HTML tag": _holds(r"</?[a-zA-Z][a-zA-Z0-9]*(?: [^<>\n]*)?/?>"),
    "holds LaTeX": _holds(r"\\\(|\\\[|\\begin\{|\\frac\{|\$\$"),
    "holds a web address": _holds(r"https?://|www\."),
    "holds a mark of a chat or a prompt": _holds(
        r"<\|[^|\n]{1,40}\|>|\[/?INST\]|^#{2,3} ?(?:Instruction|Response|Input)"
        r"|^(?:User|Human|Assistant|System|AI|Question|Answer|Instruction|Q|A) ?:"
    ),
    "holds curly quotation marks": _holds("[“”\u2018\u2019]"),
    "holds an en or em dash": _holds("[\u2013—]"),
    "holds an ellipsis": _holds(r"…|\.\.\."),
    "holds an emoji": _holds("[\U0001f300-\U0001faff\u2600-\u27bf]"),
    "holds a character beyond ASCII": lambda text: not text.isascii(),
    "has no capital letter": lambda text: text == text.lower(),
    "has no small letter": lambda text: text == text.upper(),
}
"""Forms that a text has or has not."""

SCRIPT_FORMS = {script: f"is mostly in {script} letters" for script in SCRIPTS} | {
    SCRIPTS[-1]: "is mostly in letters of another script",
    None: "has no letter",
}


def shortened(text: str) -> str:
    """The first 15,360 characters and the last 1,024 of a text that has more."""
    if len(text) <= _MOST_CHARACTERS:
        return text
    return text[: _MOST_CHARACTERS - _LAST_CHARACTERS] + text[-_LAST_CHARACTERS:]


def forms_of(text: str) -> list[bool]:
    """Which of `FORMS` and then of `SCRIPT_FORMS` a text has, that holds something."""
    codes = codes_of(text[:FORMS_LOOKED_AT])
    script = main_script(codes)
    return [has(text) for has in FORMS.values()] + [script == each for each in SCRIPT_FORMS]


FORM_NAMES = (*FORMS, *SCRIPT_FORMS.values())

MEASURES = (
    "number of lines",
    "characters in a word",
    "share of capitals among letters",
    "share of marks among characters",
    "share of digits among characters",
)
"""Measures of a text; the first on a log scale."""


def measures_of(text: str) -> list[float]:
    """The `MEASURES` of a text that holds something, of its first 4,096 characters."""
    part = text[:FORMS_LOOKED_AT]
    counts = np.bincount(classes_of(codes_of(part)), minlength=SPACE + 2).tolist()
    letters = counts[CAPITAL] + counts[SMALL]
    words = max(len(part.split()), 1)
    return [
        part.count("\n") + 1,
        (len(part) - counts[SPACE]) / words,
        counts[CAPITAL] / max(letters, 1),
        counts[MARK] / len(part),
        counts[DIGIT] / len(part),
    ]
