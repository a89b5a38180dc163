"""The human text of a run as a model takes it: rows to train on, and windows to be looked at on."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import torch
from transformers import PreTrainedTokenizerBase

from collapse_guard.errors import PanelError, bad_argument
from collapse_guard.examples.recursive_finetune.corpus import Corpus
from collapse_guard.examples.recursive_finetune.settings import Settings
from collapse_guard.examples.recursive_finetune.tokenization import encode, rows_of, separator
from collapse_guard.human_text.panel import HeldOutPanel
from collapse_guard.human_text.reference import HumanReference
from collapse_guard.readings.kind import ReadingKind
from collapse_guard.readings.rare_words import rare_word_reading
from collapse_guard.spacing import evenly_spaced

Rows = npt.NDArray[np.int64]

_HELD_OUT_ROWS = 96


@dataclass(frozen=True)
class HumanText:
    """Human text under the tokenizer of a run.

    Attributes:
        rows: int64 of shape (1 + generations, rows, window), fresh ones for every fine-tuning as
            long as there are any. Then they come again, in the same order: no fine-tuning has one
            twice, and none comes a third time before all have come twice.
        prompts: int64 of shape (1 + generations, rows, prompt), what each generation writes on: the
            beginnings of the rows that the next one may train on, and that it has not been trained
            on itself as long as rows are fresh, so that it cannot know how people went on. The next
            one may see a prompt with the answer of a person and with that of a model.
        num_rows: How many different ones there are to train on.
        held_out: int64 of shape (n, window), up to 96 rows that no fine-tuning is on, by which the
            decoding of a text is found.
        reference: Token counts of what models may train on: says what is rare.
        panel: Held-out windows.
        rare_words: The reading of their rare words; None where too few stand in them.
    """

    rows: Rows
    prompts: Rows
    num_rows: int
    held_out: Rows
    reference: HumanReference
    panel: HeldOutPanel
    rare_words: ReadingKind | None


def prepare_human_text(
    settings: Settings, corpus: Corpus, tokenizer: PreTrainedTokenizerBase
) -> HumanText:
    """Tokenize the three parts of a corpus.

    Raises:
        ArgumentError: The corpus is too small for so many rows.
        PanelError: The held-out text cannot be measured on, or stands in the training text.
    """
    pretraining, training = (encode(tokenizer, t) for t in (corpus.pretraining, corpus.training))
    seen = pretraining + training
    # Its separator belongs to no band by default: the published results are older than that.
    reference = HumanReference.from_token_ids(
        seen, vocab_size=len(tokenizer), tokenizer=tokenizer, special_tokens="count"
    )
    panel = HeldOutPanel.from_token_ids(
        encode(tokenizer, corpus.held_out),
        reference,
        window=settings.window,
        training_documents=seen,
        short="drop",
        max_windows=settings.panel_windows if corpus.whole_articles else None,
    )
    panel = _at_even_distances(panel, settings.panel_windows)
    # Only the small model has been trained on the pretraining part already.
    fresh = training if settings.model is None else seen
    rows = rows_of(fresh, settings.window, separator(tokenizer))
    fine_tunings = 1 + settings.generations
    # The last generation too writes on prompts of rows that come after its own.
    sets = fine_tunings + (settings.prompt > 0)
    needed = sets * settings.rows
    if len(rows) < settings.rows:
        raise bad_argument(
            "rows",
            expected=f"at most {len(rows)}, which is all of the human text",
            given=settings.rows,
            hint="lower --rows, or give more text",
        )
    # Shuffled, since neighbours are about one thing and a generation shall see a bit of all.
    order = np.random.default_rng(settings.seed).permutation(len(rows))
    at_most = max(len(rows) - _HELD_OUT_ROWS, settings.rows)
    num_rows = max(needed, at_most) if needed <= len(rows) else at_most
    used = rows[np.resize(order[:num_rows], needed)]
    used = used.reshape(sets, settings.rows, settings.window)
    return HumanText(
        used[:fine_tunings],
        used[-fine_tunings:, :, : settings.prompt],
        num_rows,
        rows[order[num_rows:]],
        reference,
        panel,
        _rare_words(panel, [*corpus.pretraining, *corpus.training], tokenizer),
    )


def _rare_words(
    panel: HeldOutPanel, texts: Sequence[str], tokenizer: PreTrainedTokenizerBase
) -> ReadingKind | None:
    try:
        return rare_word_reading(panel, texts, tokenizer)
    except PanelError:
        return None


def _at_even_distances(panel: HeldOutPanel, most: int) -> HeldOutPanel:
    """At most so many windows of a panel, at even distances.

    Not `max_windows`, which spreads them over documents, as is done for articles: the published
    results of this example were measured on these.
    """
    if len(panel) <= most:
        return panel
    kept = torch.from_numpy(evenly_spaced(most, len(panel)))
    _, owners = panel.document_ids[kept].unique(return_inverse=True)
    return replace(
        panel,
        input_ids=panel.input_ids[kept],
        document_ids=owners,
        positions=panel.positions[kept],
        source_ids=None if panel.source_ids is None else panel.source_ids[kept],
    )
