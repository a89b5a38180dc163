"""Texts as numbered words, many texts at a time and without a tokenizer."""

from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt

from collapse_guard.human_text.token_rows import TokenRows
from collapse_guard.scrambling import scramble

Bytes = npt.NDArray[np.uint8]
Mask = npt.NDArray[np.bool_]

_BASE = 0x9E3779B97F4A7C15
_BASE_INVERSE = pow(_BASE, -1, 2**64)
_BYTES_AT_A_TIME = 1 << 20
# One random-looking number for each byte, none of them 0.
_BYTE_CODES = scramble(np.arange(1, 257, dtype=np.uint64))
_IS_ASCII_WORD = np.array([byte < 128 and chr(byte).isalnum() for byte in range(256)])


def word_rows(texts: Sequence[str]) -> TokenRows:
    """The words of texts, equal numbers for equal words.

    A word is a run of letters and digits, whatever their case; punctuation and spaces part words
    and are no part of them. Characters that take three or four bytes in UTF-8 are words of their
    own: most scripts that have those (Chinese, Japanese, Thai) put no spaces between words.
    Numbers are 64-bit hashes of the words, the same on every machine. Long texts are worked through
    in slices; a word of more than a million bytes is several.

    Args:
        texts: One row each.

    Example:
        >>> rows = word_rows(["To be, or not to BE", "", "to-be"])
        >>> rows.lengths.tolist(), len(set(rows.ids.tolist()))
        ([6, 0, 2], 4)
    """
    # A lone surrogate is no text, but no reason to give up on a million other rows either.
    encoded = [text.lower().encode("utf-8", "surrogatepass") for text in texts]
    ids, lengths = [np.zeros(0, np.int64)], np.zeros(len(texts), np.int64)
    for rows, pieces in _slices(encoded):
        data = np.frombuffer(b"\n".join(pieces) + b"\n", dtype=np.uint8)
        starts, ends = _spans(data)
        piece_ends = np.cumsum([len(piece) + 1 for piece in pieces])
        owners = np.array(rows)[np.searchsorted(piece_ends, starts, side="right")]
        lengths += np.bincount(owners, minlength=len(texts))
        ids.append(_hashes(data, starts, ends))
    return TokenRows(np.concatenate(ids), lengths)


def _slices(texts: Sequence[bytes]) -> Iterator[tuple[list[int], list[bytes]]]:
    """Pieces of texts and the text of each, about a million bytes at a time."""
    rows: list[int] = []
    pieces: list[bytes] = []
    size = 0
    for row, text in enumerate(texts):
        start = 0
        while start < len(text):
            stop = _end_of_piece(text, start)
            rows.append(row)
            pieces.append(text[start:stop])
            size += stop - start
            start = stop
            if size >= _BYTES_AT_A_TIME:
                yield rows, pieces
                rows, pieces, size = [], [], 0
    if rows:
        yield rows, pieces


def _end_of_piece(text: bytes, start: int) -> int:
    """Where a piece ends so that no word is cut, unless it were longer than a piece."""
    stop = start + _BYTES_AT_A_TIME
    if stop >= len(text):
        return len(text)
    piece = np.frombuffer(text, np.uint8, _BYTES_AT_A_TIME, start)
    marks = np.flatnonzero((piece < 0x80) & ~_IS_ASCII_WORD[piece])
    # What follows the first byte of a character beyond ASCII begins with the bits 10.
    ends = marks if len(marks) else np.flatnonzero(piece & 0xC0 != 0x80)[1:] - 1
    return start + int(ends[-1]) + 1


def _spans(data: Bytes) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Where words begin and where they end, int64 of shape (words,) each."""
    alone, narrow = _parts(data)
    before = np.concatenate([[False], narrow[:-1]])
    after = np.concatenate([narrow[1:], [False]])
    starts = np.concatenate([np.flatnonzero(narrow & ~before), alone])
    widths = np.where(data[alone] < 0xF0, 3, 4)
    ends = np.concatenate([np.flatnonzero(narrow & ~after) + 1, alone + widths])
    order = np.argsort(starts)
    return starts[order], ends[order]


def _parts(data: Bytes) -> tuple[npt.NDArray[np.int64], Mask]:
    """First bytes of the characters that are words alone, and the bytes of all other words."""
    following = np.concatenate([data[1:], np.zeros(1, np.uint8)])
    wide = data >= 0xE0
    # Dashes, quotation marks and spaces beyond ASCII: U+2000 to U+207F and U+3000 to U+303F.
    mark = (data == 0xE2) & (following <= 0x81) | (data == 0xE3) & (following == 0x80)
    narrow = _IS_ASCII_WORD[data] | (data >= 0x80)
    # What stands beyond ASCII in Latin-1 up to U+00BF is signs and the no-break space.
    for first, width in ((data == 0xC2, 2), (wide, 3), (data >= 0xF0, 4)):
        places = np.flatnonzero(first)
        for offset in range(width):
            narrow[places + offset] = False
    return np.flatnonzero(wide & ~mark), narrow


def _hashes(
    data: Bytes, starts: npt.NDArray[np.int64], ends: npt.NDArray[np.int64]
) -> npt.NDArray[np.int64]:
    """A number for each span, from differences of one running sum: sum of code(byte) base^place."""
    powers = _powers(_BASE, len(data))
    sums = np.concatenate([np.zeros(1, np.uint64), np.cumsum(_BYTE_CODES[data] * powers)])
    return scramble((sums[ends] - sums[starts]) * _powers(_BASE_INVERSE, len(data))[starts]).view(
        np.int64
    )


def _powers(base: int, count: int) -> npt.NDArray[np.uint64]:
    powers = np.full(count, base, dtype=np.uint64)
    powers[0] = 1
    return np.cumprod(powers)
