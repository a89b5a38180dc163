"""Whole words of a panel, against a search in its text."""

import re

from collapse_guard import HeldOutPanel
from collapse_guard.human_text.words import decoder
from collapse_guard.readings.panel_words import panel_words
from tests.readings.test_rare_words import HELD_OUT, bytes_panel, bytes_tokenizer, reference_of


def test_words_are_those_of_each_windows_text_but_at_its_edges() -> None:
    panel, decode = bytes_panel(), decoder(bytes_tokenizer())
    found: dict[int, list[str]] = {window: [] for window in range(len(panel))}
    for window, word in panel_words(panel, decode):
        ids = panel.input_ids[window, word.first : word.end].tolist()
        assert word.word in decode(ids).lower()
        assert panel.positions[window, word.first : word.end].all()
        found[window].append(word.word)
    for window, words in found.items():
        text = decode(panel.input_ids[window].tolist()).lower()
        inside = re.findall(r"[^\W\d_][\w']*", text)
        assert words
        # What is cut off, or may be, stands at either end.
        assert len(inside) - 4 <= len(words) <= len(inside)
        assert any(inside[at : at + len(words)] == words for at in range(5))


def test_what_is_not_looked_at_has_no_words() -> None:
    panel = HeldOutPanel.from_texts(
        HELD_OUT, bytes_tokenizer(), reference_of(bytes_tokenizer()), window=30
    )
    decode = decoder(bytes_tokenizer())
    assert 0 in {window for window, _ in panel_words(panel, decode)}
    panel.positions[0] = False
    assert 0 not in {window for window, _ in panel_words(panel, decode)}
