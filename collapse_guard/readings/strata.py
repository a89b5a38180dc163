"""Strata of the held-out text that a user names: a language, a domain, a source."""

from collections.abc import Hashable, Iterable
from dataclasses import replace
from functools import partial

import numpy as np
import numpy.typing as npt
import torch

from collapse_guard.arguments import checked
from collapse_guard.errors import PanelError, bad_argument
from collapse_guard.human_text.groups import listed_labels
from collapse_guard.human_text.panel import A_PANEL, HeldOutPanel
from collapse_guard.readings.at_positions import Floats, retention_reading
from collapse_guard.readings.evidence import Evidence
from collapse_guard.readings.kind import ReadingKind
from collapse_guard.readings.panel import Panel, check_same_panel
from collapse_guard.readings.panel_sums import BandDocuments
from collapse_guard.readings.registry import READINGS
from collapse_guard.readings.teacher_forced import OfBands
from collapse_guard.statistics.estimates import Estimate, document_means
from collapse_guard.statistics.supremum_boundary import FEWEST_DOCUMENTS

_WHOLE = READINGS["tail_retention"]


@checked(panel=A_PANEL)
def strata_readings(panel: HeldOutPanel, labels: Iterable[Hashable]) -> tuple[ReadingKind, ...]:
    """What a monitor of this panel takes to read `tail_retention` in each stratum.

    A mean over all held-out text hides what one language or domain loses. Each reading is
    `tail_retention` of the documents of one label, with its standard error over these. It is taken
    at each look, as that is; but only where the whole panel is looked at in a stratum that shares a
    group, or a near copy, with another. Hold rules against them all with
    `collapse_guard.alerts.strata_rules.strata_rules`.

    Args:
        panel: The monitor's.
        labels: Of each document that the panel was made of, in their order: also of those that it
            has left out, as too short or copies. A tuple names a stratum by several things, such
            as language and domain.

    Returns:
        One for each label, in the order in which they come, named `tail_retention_<label>`. What
        cannot stand in a name, such as a space, becomes an underscore.

    Raises:
        ArgumentError: Too few labels, one that is missing, or two that make the same name.
        PanelError: A stratum has tail tokens in fewer than 5 independent documents. Rules promise
            their false alarms from 30 on.

    Example:
        >>> from collapse_guard import HumanReference
        >>> reference = HumanReference.from_token_ids([[0] * 6 + [1] * 3 + [2]], vocab_size=3)
        >>> texts = [[0, 2, place % 3, place // 3] for place in range(9)] + [[1, 0, 2, 2]]
        >>> panel = HeldOutPanel.from_token_ids(texts, reference, window=4)
        >>> [kind.name for kind in strata_readings(panel, ["en", "pt-BR"] * 5)]
        ['tail_retention_en', 'tail_retention_pt_BR']
    """
    sources = (panel.document_ids if panel.source_ids is None else panel.source_ids).numpy()
    listed = listed_labels(
        "labels", labels, unlabelled="put documents of no stratum into one of their own: 'other'"
    )
    if len(listed) <= sources.max():
        raise bad_argument(
            "labels",
            expected="one label for each document that the panel was made of, in their order",
            given=f"{len(listed)} labels for a panel with document {sources.max()}",
            hint="give those of the texts that HeldOutPanel was given, left-out ones among them",
        )
    names = _names(listed)
    numbers = {label: number for number, label in enumerate(names)}
    strata = np.array([numbers[label] for label in listed])[sources]
    shared = _shared_documents(panel, strata)
    return tuple(
        _reading(panel, name, str(label), strata == numbers[label], shared)
        for label, name in names.items()
    )


def _names(labels: Iterable[Hashable]) -> dict[Hashable, str]:
    """The name of the reading of each label, in the order in which they come."""
    names: dict[Hashable, str] = {}
    labels_of: dict[str, Hashable] = dict.fromkeys(READINGS, "a reading of the package")
    for label in dict.fromkeys(labels):
        text = "_".join(map(str, label)) if isinstance(label, tuple) else str(label)
        safe = "".join(each if f"_{each}".isidentifier() else "_" for each in text)
        name = f"{_WHOLE.name}_{safe}"
        if not safe or name in labels_of:
            raise bad_argument(
                "labels",
                expected="labels whose letters and digits tell them apart",
                given=f"{label!r}, named {name} like {labels_of.get(name, _WHOLE.name)!r}",
                hint="write one of them in another way",
            )
        names[label], labels_of[name] = name, label
    return names


def _shared_documents(panel: HeldOutPanel, strata: npt.NDArray[np.int64]) -> set[int]:
    """Documents, as errors count them, with windows in more than one stratum."""
    pairs = np.unique(np.stack([panel.document_ids.numpy(), strata]), axis=1)
    documents, times = np.unique(pairs[0], return_counts=True)
    return set(documents[times > 1].tolist())


def _reading(
    panel: HeldOutPanel, name: str, label: str, within: npt.NDArray[np.bool_], shared: set[int]
) -> ReadingKind:
    tail = panel.tail_positions & torch.from_numpy(within)[:, None]
    documents = panel.document_ids[tail.any(1)].unique().tolist()
    if len(documents) < FEWEST_DOCUMENTS:
        raise PanelError(
            f"stratum {label!r} has tail tokens in {len(documents)} independent documents of the "
            f"panel, and a reading of its own needs {FEWEST_DOCUMENTS}: give the panel at least "
            f"{FEWEST_DOCUMENTS - len(documents)} more of that label with rare tokens in their "
            f"windows, or give it a label together with another stratum."
        )
    meaning, fingerprint = f"{_WHOLE.meaning}, in stratum {label}", panel.fingerprint
    if not shared.isdisjoint(documents):
        at = partial(_positions, tail=tail, fingerprint=fingerprint)
        return replace(retention_reading(name, meaning, at), logs_error=True)
    inside = np.zeros(panel.num_documents)
    inside[documents] = 1.0
    gain = OfBands(partial(_gain, inside=inside), against="start", is_logarithm=True)
    take = partial(_take, gain=gain, fingerprint=fingerprint)
    return replace(_WHOLE, name=name, meaning=meaning, take=take)


def _positions(panel: Panel, *, tail: torch.Tensor, fingerprint: str) -> torch.Tensor:
    check_same_panel(panel, fingerprint)
    return tail


def _take(evidence: Evidence, *, gain: OfBands, fingerprint: str) -> Estimate:
    check_same_panel(evidence.panel, fingerprint)
    return gain(evidence)


def _gain(documents: BandDocuments, *, inside: Floats) -> Estimate:
    """As `tail_gain`, of the documents inside."""
    return document_means(documents.tail_logprob, documents.tail * inside, documents.weights)
