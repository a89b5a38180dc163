"""A model of a few seconds, of text that every Python carries, for the loops of this folder."""

import re
from collections import Counter
from collections.abc import Mapping
from pydoc_data.topics import topics

import torch
from torch.nn import functional as F

from collapse_guard import Decoding, HeldOutPanel, HumanReference, sample

ROW = 32
"""Tokens of one training row."""

VOCAB_SIZE = 1_200
_UNKNOWN = 0

# So small a model gains nothing from threads, and waits for them where a machine has other work.
torch.set_num_threads(1)


class TinyLanguageModel(torch.nn.Module):
    """A recurrent language model of words. Token ids go in, logits come out: nothing else is asked.

    Args:
        width: Size of the hidden state.
    """

    def __init__(self, width: int = 96) -> None:
        super().__init__()
        self.embedding = torch.nn.Embedding(VOCAB_SIZE, width)
        self.body = torch.nn.GRU(width, width, batch_first=True)
        self.head = torch.nn.Linear(width, VOCAB_SIZE)

    def forward(self, input_ids: torch.Tensor) -> torch.Tensor:
        """Logits of shape (rows, tokens, vocabulary) for ids of shape (rows, tokens)."""
        hidden, _ = self.body(self.embedding(input_ids))
        logits: torch.Tensor = self.head(hidden)
        return logits


def next_token_loss(model: torch.nn.Module, rows: torch.Tensor) -> torch.Tensor:
    """Mean NLL of each token after the first."""
    logits = model(rows[:, :-1])
    return F.cross_entropy(logits.flatten(0, 1), rows[:, 1:].flatten())


def human_text() -> tuple[torch.Tensor, HeldOutPanel]:
    """The language reference of the running Python, every fourth topic held out.

    Returns:
        Training rows, int64 of shape (rows, `ROW`), and the held-out panel.
    """
    words = [re.findall(r"\w+|[^\w\s]", text.lower()) for text in _without_repeats()]
    commonest = Counter(word for document in words for word in document).most_common(VOCAB_SIZE - 1)
    ids = {word: i for i, (word, _) in enumerate(commonest, start=_UNKNOWN + 1)}
    documents = [[ids.get(word, _UNKNOWN) for word in document] for document in words]
    train = [document for i, document in enumerate(documents) if i % 4]
    reference = HumanReference.from_token_ids(train, vocab_size=VOCAB_SIZE)
    panel = HeldOutPanel.from_token_ids(
        documents[::4],
        reference,
        window=ROW,
        short="drop",
        max_windows=96,
        training_documents=train,
    )
    rows = [torch.tensor(each) for document in train for each in _cut(document)]
    return torch.stack(rows), panel


def pretrained(rows: torch.Tensor, *, steps: int = 200) -> TinyLanguageModel:
    """A model that has learned from human rows, as yours has before you fine-tune it."""
    torch.manual_seed(0)
    model = TinyLanguageModel()
    optimizer = torch.optim.AdamW(model.parameters(), lr=5e-3)
    for _ in range(steps):
        batch = rows[torch.randint(len(rows), (16,))]
        optimizer.zero_grad()
        next_token_loss(model, batch).backward()
        optimizer.step()
    return model


def written_by(model: torch.nn.Module, rows: torch.Tensor, *, count: int = 256) -> torch.Tensor:
    """Rows that the model writes at temperature 0.7, each after the first words of a human row."""
    prompts = rows[:count, : ROW // 8]
    text = sample(
        model,
        num_sequences=len(prompts),
        length=ROW - prompts.shape[1],
        prompt_ids=prompts,
        decoding=Decoding(temperature=0.7),
        seed=0,
        batch_size=count,
    )
    return torch.cat([prompts, text], dim=1)


def narrowing_run(steps: int) -> tuple[TinyLanguageModel, HeldOutPanel, torch.Tensor]:
    """A model that is about to be trained on what it wrote.

    Args:
        steps: Batches to train on.

    Returns:
        The model, the held-out panel, and the batches, int64 of shape (steps, 16, `ROW`).
    """
    human_rows, panel = human_text()
    model = pretrained(human_rows)
    rows = written_by(model, human_rows)
    return model, panel, rows[torch.randint(len(rows), (steps, 16))]


def told(record: Mapping[str, float]) -> str:
    """The reading to watch first, with its standard error, of what a session logs."""
    value, error = (record[f"collapse/tail_retention{end}"] for end in ("", "_se"))
    return f"tail retention {value:.3f} ± {error:.3f}"


def _without_repeats() -> list[str]:
    """The topics, each paragraph where it stands first: some topics are parts of longer ones."""
    seen: set[str] = set()
    texts = []
    for name in sorted(topics):
        paragraphs = dict.fromkeys(" ".join(p.split()) for p in re.split(r"\n\s*\n", topics[name]))
        texts.append("\n\n".join(p for p in paragraphs if p not in seen))
        seen.update(paragraphs)
    return [text for text in texts if text]


def _cut(document: list[int]) -> list[list[int]]:
    return [document[i : i + ROW] for i in range(0, len(document) - ROW + 1, ROW)]
