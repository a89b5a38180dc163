"""Whole rare words, against loops over texts."""

import json
import math
from collections import Counter
from functools import cache

import numpy as np
import pytest
import torch
from tokenizers import Tokenizer
from transformers.modeling_outputs import CausalLMOutput

from collapse_guard import (
    ArgumentError,
    CollapseMonitor,
    HeldOutPanel,
    HumanReference,
    PanelError,
    TokenizerMismatchError,
)
from collapse_guard.human_text.tokenizer import encoded
from collapse_guard.readings.at_positions import retention
from collapse_guard.readings.panel_logprobs import panel_logprobs
from collapse_guard.readings.rare_words import (
    RareWords,
    rare_word_reading,
    rare_word_retention,
    rare_words,
)
from tests.docs.user import make_tokenizer, texts
from tests.human_text.test_reference import word_tokenizer
from tests.tiny import BRIEF, perturb, tiny_gpt2

WINDOW = 24


@cache
def bytes_tokenizer() -> Tokenizer:
    return make_tokenizer().backend_tokenizer


HUMAN = texts(12, seed=1)
HELD_OUT = [text[:700].strip() for text in texts(10, seed=2)]


def reference_of(tokenizer: Tokenizer, human: list[str] = HUMAN) -> HumanReference:
    return HumanReference.from_token_ids(
        [encoded(tokenizer, text) for text in human],
        vocab_size=tokenizer.get_vocab_size(),
        tokenizer=tokenizer,
    )


@cache
def bytes_panel() -> HeldOutPanel:
    return HeldOutPanel.from_texts(
        HELD_OUT, bytes_tokenizer(), reference_of(bytes_tokenizer()), window=WINDOW
    )


def loop(
    held_out: list[str], changes: np.ndarray
) -> tuple[float, float, set[tuple[int, int, int]]]:
    """Retention and its error, of texts of words and single spaces, by offsets in the whole texts.

    Also the rare words, as document, first token and last token and one.
    """
    counts = Counter(word for text in HUMAN for word in text.split())
    # The largest count whose words together are at most a tenth.
    most, total = 0, sum(counts.values())
    for level in sorted(set(counts.values())):
        if 10 * sum(count for count in counts.values() if count <= level) <= total:
            most = level
    values = iter(changes.tolist())
    means, places = [], set()
    for document, text in enumerate(held_out):
        encoding = bytes_tokenizer().encode(text)
        tokens = len(encoding.ids) // WINDOW * WINDOW
        change = [next(values) if token % WINDOW else math.nan for token in range(tokens)]
        sums, begin = [], 0
        for word in text.split(" "):
            end = begin + len(word)
            own = [t for t, (a, b) in enumerate(encoding.offsets) if a < end and begin < b]
            first, last = own[0], own[-1]
            begin = end + 1
            is_whole = (
                last < tokens
                and first // WINDOW == last // WINDOW
                # The first token of a window is not looked at, and what follows it has nothing
                # before it that is; what follows the last one is not known.
                and first % WINDOW > 1
                and last % WINDOW < WINDOW - 1
            )
            if is_whole and counts[word] <= most:
                sums.append(sum(change[token] for token in own))
                places.add((document, first, last + 1))
        if sums:
            means.append(np.mean(sums))
    value = math.exp(np.mean(means))
    return value, value * np.std(means, ddof=1) / math.sqrt(len(means)), places


def places_of(panel: HeldOutPanel, words: RareWords) -> set[tuple[int, int]]:
    """Document and token of all positions in rare words."""
    windows, columns = words.positions.nonzero(as_tuple=True)
    document = panel.document_ids[windows]
    firsts = torch.searchsorted(panel.document_ids.contiguous(), document)
    tokens = (windows - firsts) * WINDOW + columns
    return set(zip(document.tolist(), tokens.tolist(), strict=True))


def test_it_is_a_loop_over_words_of_whole_texts() -> None:
    panel = bytes_panel()
    words = rare_words(panel, HUMAN, bytes_tokenizer())
    random = np.random.default_rng(0)
    start, now = -random.exponential(2.0, (2, int(panel.positions.sum())))
    value, error, places = loop(HELD_OUT, now - start)
    assert places_of(panel, words) == {
        (document, token) for document, first, end in places for token in range(first, end)
    }
    assert words.per_window.sum() == len(places) > 30
    assert any(end - first > 1 for _, first, end in places)
    kept = rare_word_retention(now, start, panel, words)
    assert kept[:2] == pytest.approx((value, error))


def test_words_of_one_token_each_are_its_rare_types() -> None:
    named = [f"w{letter}" for letter in "abcdefghijklmnopqrstuvwxyz"]
    tokenizer = word_tokenizer(*named)
    random = np.random.default_rng(0)
    weights = 1 / np.arange(1, 27)
    human, held_out = (
        [" ".join(row) for row in random.choice(named, (20, 90), p=weights / weights.sum())]
        for _ in range(2)
    )
    reference = HumanReference.from_token_ids(
        map(tokenizer.encode, human), vocab_size=len(tokenizer), tokenizer=tokenizer
    )
    panel = HeldOutPanel.from_texts(held_out, tokenizer, reference, window=30)
    words = rare_words(panel, human, tokenizer)
    inner = panel.tail_positions.clone()
    inner[:, [1, -1]] = False
    assert words.positions.equal(inner)
    assert words.max_count == reference.cutoffs.tail
    start, now = -random.exponential(2.0, (2, int(panel.positions.sum())))
    expected = retention(now, start, panel, inner)
    assert rare_word_retention(now, start, panel, words)[:2] == pytest.approx(expected[:2])


class Unigrams(torch.nn.Module):
    """Gives each type the same probability everywhere."""

    def __init__(self, vocab_size: int) -> None:
        super().__init__()
        self.logits = torch.nn.Parameter(torch.zeros(vocab_size))

    def forward(self, input_ids: torch.Tensor, **_: object) -> CausalLMOutput:
        return CausalLMOutput(logits=self.logits.expand(*input_ids.shape, -1))


def test_rare_words_can_gain_what_rare_tokens_lose() -> None:
    """Where rare words are spelt in common pieces, and a common word bears a rare token."""
    tokenizer = bytes_tokenizer()
    # One letter is rare, and stands in common words alone; rare words are of common letters.
    common = [f"{letter}" * 2 for letter in "abcdefgh"]
    human = [" ".join(common * 5 + ["aab", "bba", "cca"] + ["zz"])] * 10
    held_out = [f"{' '.join(common)} hag dab bag zz{' fed' * seed} fad cab" for seed in range(8)]
    panel = HeldOutPanel.from_texts(
        held_out, tokenizer, reference_of(tokenizer, human), window=20, short="drop"
    )
    counted = [*human, " ".join(["zz"] * 100)]
    reading = rare_word_reading(panel, counted, tokenizer)
    model = Unigrams(tokenizer.get_vocab_size())
    monitor = CollapseMonitor(panel, readings=["tail_retention", reading], sampling=BRIEF)
    monitor.start(model)
    words = rare_words(panel, counted, tokenizer)
    with torch.no_grad():
        tail = panel.input_ids[panel.tail_positions & ~words.positions]
        model.logits[tail] -= 2.0
        model.logits[panel.input_ids[words.positions & ~panel.tail_positions]] += 2.0
    look = monitor.look(model, 1)
    assert look["tail_retention"] < 1 < look["rare_word_retention"]


def test_case_does_not_count_and_words_never_seen_are_rare() -> None:
    tokenizer = word_tokenizer("the", "The", "THE", "fox", "owl", ".")
    human = ["the fox . The the THE fox . " * 10 + "owl"]
    held_out = [". the owl fox THE .", "fox the owl fox the ."]
    reference = HumanReference.from_token_ids(
        map(tokenizer.encode, human), vocab_size=7, tokenizer=tokenizer
    )
    panel = HeldOutPanel.from_texts(held_out, tokenizer, reference, window=6)
    words = rare_words(panel, human, tokenizer)
    assert words.per_window.tolist() == [1, 1]
    assert panel.input_ids[words.positions].tolist() == [5, 5]
    # With counts of other text: the fox has never been seen, and is rare too.
    unseen = rare_words(panel, ["the owl " * 10], tokenizer)
    assert unseen.max_count == 0
    assert panel.input_ids[unseen.positions].tolist() == [4, 4]


def test_what_stands_before_a_window_is_no_part_of_its_words() -> None:
    """A prefix would make a whole word of what is the rest of one."""
    tokenizer = bytes_tokenizer()
    reference = reference_of(tokenizer)
    prefix = encoded(tokenizer, "Go: ")
    panel = HeldOutPanel.from_texts(HELD_OUT, tokenizer, reference, window=WINDOW, prefix=prefix)
    found = rare_words(panel, HUMAN, tokenizer).positions[:, len(prefix) :]
    without = rare_words(bytes_panel(), HUMAN, tokenizer).positions
    assert not (without & ~found).any()
    assert not found[:, 0].any()


def test_it_can_be_watched_and_resumed() -> None:
    panel, tokenizer = bytes_panel(), bytes_tokenizer()
    model = tiny_gpt2(vocab_size=tokenizer.get_vocab_size())
    reading = rare_word_reading(panel, HUMAN, tokenizer)
    monitor = CollapseMonitor(panel, readings=[..., reading], sampling=BRIEF)
    assert monitor.start(model)["rare_word_retention"] == 1.0
    start = panel_logprobs(model, panel)
    perturb(model, 0.1)
    words = rare_words(panel, HUMAN, tokenizer)
    expected = rare_word_retention(panel_logprobs(model, panel), start, panel, words)
    resumed = CollapseMonitor(panel, readings=[..., reading], sampling=BRIEF)
    resumed.load_state_dict(json.loads(json.dumps(monitor.state_dict())))
    for each in (monitor, resumed):
        look = each.look(model, 1)
        assert look["rare_word_retention"] == pytest.approx(expected.value, rel=1e-5)
        error = look.standard_errors["rare_word_retention"]
        assert error == pytest.approx(expected.standard_error, rel=1e-4)
    other = HeldOutPanel.from_texts(
        [text[:700] for text in texts(10, seed=3)], tokenizer, panel.reference, window=WINDOW
    )
    with pytest.raises(ArgumentError, match="the monitor's own panel"):
        CollapseMonitor(other, readings=[reading], sampling=BRIEF).start(model)


def test_bad_input() -> None:
    panel, tokenizer = bytes_panel(), bytes_tokenizer()
    with pytest.raises(TokenizerMismatchError):
        rare_words(panel, HUMAN, word_tokenizer("a"))
    with pytest.raises(ArgumentError, match="`texts`"):
        rare_words(panel, HUMAN[0], tokenizer)
    with pytest.raises(ArgumentError, match="`texts` expected texts with words"):
        rare_words(panel, ["1990 ...", ""], tokenizer)
    with pytest.raises(ArgumentError, match="`tail_mass`"):
        rare_words(panel, HUMAN, tokenizer, tail_mass=0.6)
    everything = [text for seed in (1, 2) for text in texts(12, seed=seed)]
    with pytest.raises(PanelError, match=r"at most \d+ times .* whole in 0 of the panel's 10"):
        rare_words(panel, everything, tokenizer, tail_mass=1e-6)
    words = rare_words(panel, HUMAN, tokenizer)
    with pytest.raises(ArgumentError, match="`logprobs`"):
        words.by_document(np.zeros(3), panel)
