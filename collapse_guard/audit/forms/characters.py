"""Characters by what they are: letters of a script, capitals, digits, marks."""

import unicodedata
from functools import cache

import numpy as np
import numpy.typing as npt

Codes = npt.NDArray[np.uint32]

SCRIPTS = (
    "Latin", "Greek", "Cyrillic", "Armenian", "Hebrew", "Arabic", "Devanagari", "Bengali", "Tamil",
    "Thai", "Georgian", "Hangul", "Kana", "Han", "another script",
)  # fmt: skip
"""Where letters may belong to, told by their Unicode block."""

# The first code point of each stretch of blocks, and the script of its letters.
_STRETCHES = (
    (0x0000, "Latin"), (0x0370, "Greek"), (0x0400, "Cyrillic"), (0x0530, "Armenian"),
    (0x0590, "Hebrew"), (0x0600, "Arabic"), (0x0780, "another script"), (0x0870, "Arabic"),
    (0x0900, "Devanagari"), (0x0980, "Bengali"), (0x0A00, "another script"), (0x0B80, "Tamil"),
    (0x0C00, "another script"), (0x0E00, "Thai"), (0x0E80, "another script"),
    (0x10A0, "Georgian"), (0x1100, "Hangul"), (0x1200, "another script"), (0x1C80, "Cyrillic"),
    (0x1C90, "Georgian"), (0x1CC0, "another script"), (0x1D00, "Latin"), (0x1F00, "Greek"),
    (0x2000, "Latin"), (0x2C80, "another script"), (0x2D00, "Georgian"), (0x2D30, "another script"),
    (0x2DE0, "Cyrillic"), (0x2E80, "Han"),
    (0x3040, "Kana"), (0x3130, "Hangul"), (0x3190, "Han"), (0x31F0, "Kana"), (0x3200, "Han"),
    (0xA000, "another script"), (0xA640, "Cyrillic"), (0xA6A0, "another script"),
    (0xA720, "Latin"), (0xA800, "another script"), (0xA960, "Hangul"), (0xA980, "another script"),
    (0xAB30, "Latin"), (0xAB70, "another script"), (0xAC00, "Hangul"), (0xD800, "another script"),
    (0xF900, "Han"), (0xFB00, "Latin"), (0xFB1D, "Hebrew"), (0xFB50, "Arabic"),
    (0xFE00, "another script"), (0xFE70, "Arabic"), (0xFF00, "Latin"), (0xFF66, "Kana"),
    (0xFFA0, "Hangul"), (0xFFE0, "another script"), (0x20000, "Han"), (0x32000, "another script"),
)  # fmt: skip

CAPITAL, SMALL, OTHER_LETTER, DIGIT, MARK, SPACE, REST = range(7)
_CLASSES = {"Lu": CAPITAL, "Lt": CAPITAL, "Ll": SMALL, "Nd": DIGIT}
_FIRST_LETTERS = {"L": OTHER_LETTER, "P": MARK, "Z": SPACE, "C": SPACE}
_PLANE = 1 << 16


def codes_of(text: str) -> Codes:
    """The code points of a text, uint32 of shape (characters,)."""
    return np.frombuffer(text.encode("utf-32-le", "surrogatepass"), dtype="<u4").astype(np.uint32)


def classes_of(codes: Codes) -> npt.NDArray[np.uint8]:
    """What each character is: `CAPITAL`, `SMALL`, ..., uint8 of shape (characters,)."""
    beyond = np.where(codes >= 0x20000, np.uint8(OTHER_LETTER), np.uint8(REST))
    return np.where(codes < _PLANE, _classes()[np.minimum(codes, _PLANE - 1)], beyond)


def main_script(codes: Codes) -> str | None:
    """The script that most letters of a text belong to; None where it has no letter.

    Example:
        >>> main_script(codes_of("Жизнь is 3 + 4 слова"))
        'Cyrillic'
    """
    letters = codes[classes_of(codes) <= OTHER_LETTER]
    if not len(letters):
        return None
    starts, numbers = _stretches()
    stretch = np.searchsorted(starts, letters, side="right") - 1
    return SCRIPTS[int(np.bincount(numbers[stretch], minlength=len(SCRIPTS)).argmax())]


@cache
def _classes() -> npt.NDArray[np.uint8]:
    categories = [unicodedata.category(chr(code)) for code in range(_PLANE)]
    return np.array(
        [_CLASSES.get(name, _FIRST_LETTERS.get(name[0], REST)) for name in categories], np.uint8
    )


@cache
def _stretches() -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    starts = [start for start, _ in _STRETCHES]
    return np.array(starts), np.array([SCRIPTS.index(script) for _, script in _STRETCHES])
