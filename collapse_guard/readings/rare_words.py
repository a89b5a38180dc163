"""Whole words that are rare in human text, all tokens of a word together."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch

from collapse_guard.arguments import checked, function
from collapse_guard.errors import PanelError, bad_argument
from collapse_guard.human_text.bands import band_cutoffs
from collapse_guard.human_text.panel import A_PANEL, HeldOutPanel
from collapse_guard.human_text.tokenizer import Tokenizer
from collapse_guard.human_text.words import WordSpans, decoder, word_counts, word_spans
from collapse_guard.readings.at_positions import Floats, by_document, check_logprobs
from collapse_guard.readings.evidence import Evidence
from collapse_guard.readings.kind import ReadingKind
from collapse_guard.readings.panel import Panel, check_same_panel
from collapse_guard.readings.panel_words import panel_words
from collapse_guard.statistics.estimates import Estimate, document_means, exponential


@dataclass(frozen=True, eq=False)
class RareWords:
    """Where the rare words of a panel stand.

    Attributes:
        positions: bool of shape (windows, tokens), within the panel's: the tokens that spell them.
        per_window: int64 of shape (windows,), how many of them stand in each window.
        max_count: Words that human text shows at most so often are rare, unseen ones too.
        fingerprint: Of the panel.
    """

    positions: torch.Tensor
    per_window: npt.NDArray[np.int64]
    max_count: int
    fingerprint: str

    def by_document(self, logprobs: Floats, panel: Panel) -> tuple[Floats, Floats]:
        """Summed log-probability of the rare words of each document, and how many those are.

        Args:
            logprobs: float64 of shape (positions,), natural logarithms.
            panel: The one that they were taken on.

        Returns:
            Two float64 arrays of shape (documents,).

        Raises:
            ArgumentError: Another panel, or another number of log-probabilities.
        """
        check_same_panel(panel, self.fingerprint)
        check_logprobs("logprobs", logprobs, panel)
        sums, _ = by_document(logprobs, panel, self.positions)
        words = np.bincount(panel.document_ids.numpy(), self.per_window, panel.num_documents)
        return sums, words.astype(np.float64, copy=False)


@checked(panel=A_PANEL, spans=function(hint="leave it out"))
def rare_words(
    panel: HeldOutPanel,
    texts: Iterable[str],
    tokenizer: Tokenizer,
    *,
    tail_mass: float = 0.10,
    spans: WordSpans = word_spans,
) -> RareWords:
    """Look up the whole words of a panel that human text shows rarely or never.

    Words are cut as token types are (`band_cutoffs`): rare is every word with at most c*
    occurrences, c* being the largest count whose words together make up at most `tail_mass` of all
    words, and every word that does not occur. Letter case does not count. A word counts where all
    of its tokens are looked at and what stands beside it shows that it is whole, which at the edge
    of a window cannot be told (`collapse_guard.human_text.words.whole_words`).

    Args:
        panel: The held-out text.
        texts: The human text that words are counted in: what the reference was counted in, say.
        tokenizer: That of the panel, with `decode`.
        tail_mass: Largest share of the words of human text that rare ones may hold, in (0, 0.5).
        spans: From a text to the spans of its words. The usual one is for scripts that part words.

    Raises:
        ArgumentError: An argument out of range, a tokenizer that cannot decode, or texts that are
            none or hold no word.
        TokenizerMismatchError: The tokenizer is not the panel's.
        PanelError: Rare words stand in fewer than 2 documents of the panel.
    """
    panel.reference.check_tokenizer(tokenizer)
    counts = word_counts(texts, tokenizer, spans=spans)
    if not counts:
        raise bad_argument("texts", expected="texts with words", given="none", hint="give more")
    max_count = band_cutoffs(np.array(list(counts.values())), tail_mass=tail_mass).tail
    positions = torch.zeros_like(panel.positions)
    per_window = np.zeros(len(panel), dtype=np.int64)
    for window, word in panel_words(panel, decoder(tokenizer), spans=spans):
        if counts[word.word] <= max_count:
            positions[window, word.first : word.end] = True
            per_window[window] += 1
    documents = len(panel.document_ids[per_window > 0].unique())
    if documents < 2:
        raise PanelError(
            f"rare words (at most {max_count} times in the texts given) stand whole in {documents} "
            f"of the panel's {panel.num_documents} documents, and 2 are the fewest that tell how "
            f"documents differ: give more held-out text, longer windows, or a larger `tail_mass` "
            f"(now {tail_mass})."
        )
    return RareWords(positions, per_window, max_count, panel.fingerprint)


def rare_word_retention(
    logprobs: Floats, start_logprobs: Floats, panel: Panel, words: RareWords
) -> Estimate:
    """How much of its starting probability a model has kept for whole rare words.

    The log-probability of a word is the sum of those of its tokens. As in `tail_retention`, it is
    the exponential of the mean over documents of the mean difference between the two models; but
    over words, not over tokens. Where a vocabulary is small most rare words are spelt in common
    pieces, and most rare tokens stand in common words: the two can have opposite signs.

    Args:
        logprobs: float64 of shape (positions,), natural logarithms, of the model as it is.
        start_logprobs: The same of the model that the run started from.
        panel: The held-out text that both were taken on.
        words: Of that panel.

    Returns:
        1.0 kept all, 0.8 lost a fifth, above 1 gained. A word of three tokens that each lose a
        fifth has lost half.

    Raises:
        ArgumentError: Another panel, or another number of log-probabilities.
    """
    return _kept(words, logprobs, panel, words.by_document(start_logprobs, panel)[0])


@checked(panel=A_PANEL, spans=function(hint="leave it out"))
def rare_word_reading(
    panel: HeldOutPanel,
    texts: Iterable[str],
    tokenizer: Tokenizer,
    *,
    tail_mass: float = 0.10,
    spans: WordSpans = word_spans,
) -> ReadingKind:
    """What a monitor of this panel takes to read `rare_word_retention`.

    Words are counted here, once. Of the start it keeps a number for each document. What the tokens
    of a word lose multiplies, so a rule needs a lower limit than one on `tail_retention`: 0.85 for
    each of three tokens is 0.61 for the word.

    Args:
        panel: The monitor's.
        texts: As in `rare_words`.
        tokenizer: As in `rare_words`.
        tail_mass: As in `rare_words`.
        spans: As in `rare_words`.

    Raises:
        ArgumentError: As in `rare_words`.
        TokenizerMismatchError: As in `rare_words`.
        PanelError: As in `rare_words`.

    Example:
        >>> from tokenizers import Tokenizer, models, pre_tokenizers
        >>> from collapse_guard import HumanReference
        >>> vocabulary = {"the": 0, "fox": 1, "dog": 2, "owl": 3, "un": 4, "known": 5, ".": 6}
        >>> tokenizer = Tokenizer(models.WordPiece(vocabulary, unk_token="."))
        >>> tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
        >>> texts = ["the fox . the dog . " * 9 + "the owl"]
        >>> ids = [tokenizer.encode(text).ids for text in texts]
        >>> reference = HumanReference.from_token_ids(ids, vocab_size=7, tokenizer=tokenizer)
        >>> held_out = ["the dog . the owl . the fox .", "the fox . the owl . the dog ."]
        >>> panel = HeldOutPanel.from_texts(held_out, tokenizer, reference, window=9)
        >>> rare_word_reading(panel, texts, tokenizer).name
        'rare_word_retention'
    """
    words = rare_words(panel, texts, tokenizer, tail_mass=tail_mass, spans=spans)

    def keep_start(evidence: Evidence) -> list[float]:
        sums, _ = words.by_document(evidence.whole.position_logprobs, evidence.panel)
        kept: list[float] = sums.tolist()
        return kept

    def take(evidence: Evidence) -> Estimate:
        start = np.array(evidence.kept("rare_word_retention"))
        return _kept(words, evidence.whole.position_logprobs, evidence.panel, start)

    return ReadingKind(
        "rare_word_retention",
        f"geometric share of the start's probability that is left of whole words which human text "
        f"shows at most {words.max_count} times",
        take,
        on_log_scale=True,
        start="above 0",
        keep_start=keep_start,
        logs_error=True,
    )


def _kept(words: RareWords, logprobs: Floats, panel: Panel, start: Floats) -> Estimate:
    """Of each document's summed log-probability at the start, on average over words."""
    now, counts = words.by_document(logprobs, panel)
    return exponential(document_means(now - start, counts))
