"""`collapse-guard score`: what models keep of human text, beside the first of them."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

import numpy as np

from collapse_guard import Alert, CollapseMonitor, HeldOutPanel, HumanReference, Look, Threshold
from collapse_guard.audit.comparison.content_sample import ContentSample
from collapse_guard.errors import bad_argument
from collapse_guard.human_text.best_window import best_window
from collapse_guard.integrations.command_line.look_values import COLUMNS
from collapse_guard.integrations.command_line.progress import reading
from collapse_guard.integrations.command_line.texts import Texts
from collapse_guard.integrations.text_inputs import as_model, as_tokenizer
from collapse_guard.readings.sampling import A_LITTLE
from collapse_guard.statistics.json_values import without_nan

_CHARACTERS = 1 << 22
_LEAST_TEXTS = 8


@dataclass(frozen=True)
class Scores:
    """What each model keeps.

    Attributes:
        looks: By the names of the models, in their order; with alerts, each model by itself.
        rules: Those that the panel is large enough for.
        documents: How many independent texts they were looked at on.
    """

    looks: dict[str, Look]
    rules: Sequence[Threshold]
    documents: int

    @property
    def is_broken(self) -> bool:
        """Whether a rule says of a model that it has lost something."""
        return any(told(look) for look in self.looks.values())


def told(look: Look) -> tuple[Alert, ...]:
    """The alerts of a look that tell of a loss."""
    return tuple(alert for alert in look.alerts if alert.is_alarm)


def scored(
    models: Sequence[str],
    human: Texts,
    *,
    tokenizer: str | None,
    window: int | None,
    windows: int,
    writes: bool,
    tell: Callable[[str], object],
) -> Scores:
    """Look at models on human text, one after the other.

    The first half of the text is where it is counted which tokens are rare, and the second half is
    what the models are looked at on.

    Args:
        models: Names or paths for `transformers`; the first is what others are compared with.
        human: Text that none of them was trained on.
        tokenizer: A name or path; the first model's where left out.
        window: Tokens of a window; as long as most texts allow where left out.
        windows: How many of them to look at, at most.
        writes: Whether the models write as well, for how varied that is.
        tell: Called with the name of each model before it is looked at.

    Raises:
        ArgumentError: A model that is none, or too few texts.
    """
    with reading(human) as texts:
        sample = ContentSample(_CHARACTERS)
        sample.extend(texts, argument="--human")
    chosen = [one.text for one in sample.contents()]
    if len(chosen) < _LEAST_TEXTS:
        raise bad_argument(
            "--human",
            expected=f"at least {_LEAST_TEXTS} different texts",
            given=f"{len(chosen)} in {human.name}",
            hint="split it at lines or paragraphs with --split-at, or give more",
        )
    encode = as_tokenizer(tokenizer or models[0])
    # Neighbours may be of one article, so that halves lie side by side and do not alternate.
    ends = np.cumsum([len(text) for text in chosen])
    middle = int(np.searchsorted(ends, ends[-1] / 2))
    documents = [
        np.array(encode(text, add_special_tokens=False)["input_ids"], dtype=np.int64)
        for text in chosen
    ]
    counted, held_out = documents[:middle], documents[middle:]
    reference = HumanReference.from_token_ids(counted, vocab_size=len(encode), tokenizer=encode)
    panel = HeldOutPanel.from_token_ids(
        held_out,
        reference,
        window=window or best_window(held_out, None),
        short="drop",
        max_windows=windows,
    )
    monitor = partial(
        CollapseMonitor, panel, sampling=A_LITTLE if writes else None, rules_wait=False
    )
    first = monitor()
    looks: dict[str, Look] = {}
    for step, name in enumerate(models):
        tell(name)
        model = as_model("MODEL", name).eval()
        if not step:
            looks[name] = first.start(model)
            continue
        # One for each: a rule that was broken once says no more of later models.
        looks[name] = monitor(baseline=first.baseline).look(model, step)
    return Scores(looks, first.rules, panel.num_documents)


def as_dict(scores: Scores) -> dict[str, Any]:
    """Everything for JSON."""
    plain = {
        "models": {
            name: {
                "values": dict(look),
                "standard_errors": dict(look.standard_errors),
                "alerts": [asdict(alert) for alert in look.alerts],
            }
            for name, look in scores.looks.items()
        },
        "documents": scores.documents,
    }
    cleaned: dict[str, Any] = without_nan(plain)
    return cleaned


def plotted(scores: Scores) -> bytes:
    """A PNG file: a panel for each reading, the models from left to right.

    Raises:
        MissingExtraError: matplotlib is not installed.
    """
    from collapse_guard.integrations.plots import figure_png, plot_readings

    looks = list(scores.looks.values())
    shown = [name for name in COLUMNS if all(name in look for look in looks)]
    return figure_png(
        plot_readings({"": looks}, shown, titles=COLUMNS, rules=scores.rules, step="model")
    )
