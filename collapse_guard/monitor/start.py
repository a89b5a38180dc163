"""Whether a start of another run, or of an earlier part of this one, can be gone on from."""

import logging
from collections.abc import Sequence

from collapse_guard.errors import CollapseGuardError, bad_argument
from collapse_guard.readings.baseline import Baseline
from collapse_guard.readings.kind import ReadingKind
from collapse_guard.readings.panel import Panel
from collapse_guard.readings.sampling import Sampling

logger = logging.getLogger("collapse_guard")


def is_same(before: Baseline | None, start: Baseline | None) -> bool:
    """Whether two starts are of one model, though one has been through a checkpoint."""
    return (
        before is not None
        and start is not None
        and before.tail_logprob == start.tail_logprob
        and before.head_logprob == start.head_logprob
    )


def comparable(
    name: str,
    start: Baseline,
    panel: Panel,
    kinds: Sequence[ReadingKind],
    sampling: Sampling | None,
) -> Sequence[ReadingKind]:
    """The readings that can be compared with a start.

    All of them, or all but those of what the model writes, where the start wrote something else and
    the sampling is not required.

    Args:
        name: What the caller calls the start.
        start: The start.
        panel: What is looked at.
        kinds: What is read.
        sampling: How much the model writes.

    Raises:
        ArgumentError: The start is of another panel, wrote something else, or lacks readings.
    """
    if start.panel != panel.fingerprint:
        raise bad_argument(
            name,
            expected=f"one of a monitor of this panel ({panel.fingerprint})",
            given=f"one of panel {start.panel}",
            hint="resume with the same held-out documents, reference and window",
        )
    if len(start.tail_logprob) != len(panel) or len(start.head_logprob) != len(panel):
        raise bad_argument(
            name,
            expected=f"sums of each of the panel's {len(panel)} windows",
            given=f"{len(start.tail_logprob)} and {len(start.head_logprob)}",
            hint="resume with a whole state that this release wrote",
        )
    if sampling is not None and start.sampling != sampling.compared:
        kinds = _without_other_text(name, start, kinds, sampling)
    missing = [
        kind.name
        for kind in kinds
        if (kind.start != "none" and kind.name not in start.readings)
        or (kind.keep_start is not None and kind.name not in start.kept)
    ]
    if missing:
        raise bad_argument(
            name,
            expected="the start of a monitor that takes the same readings",
            given=f"one without {', '.join(missing)}",
            hint="give both monitors the same readings= and sampling=",
        )
    _check_documents(name, start, panel, kinds)
    return kinds


def reads_written(kinds: Sequence[ReadingKind]) -> bool:
    """Whether any of them is of what the model writes."""
    return any(kind.needs == "sampling" for kind in kinds)


def without_written(kinds: Sequence[ReadingKind]) -> Sequence[ReadingKind]:
    """All readings but those of what the model writes.

    Raises:
        CollapseGuardError: There are no others.
    """
    left = [kind for kind in kinds if kind.needs != "sampling"]
    if not left:
        raise CollapseGuardError(
            "all readings are of what the model writes, and it does not write: ask for others with "
            "readings=."
        )
    return left


def _check_documents(
    name: str, start: Baseline, panel: Panel, kinds: Sequence[ReadingKind]
) -> None:
    """Refuse readings of human text that are over other documents than the panel's."""
    for kind in kinds:
        if not kind.agrees or kind.needs is not None or kind.name not in start.readings:
            continue
        documents = len(start.readings.estimate(kind.name).influences)
        if documents not in (0, panel.num_documents):
            raise bad_argument(
                name,
                expected=f"what each of {panel.num_documents} documents contributes to {kind.name}",
                given=f"that of {documents}",
                hint="resume with a whole state that this release wrote",
            )


def _without_other_text(
    name: str, start: Baseline, kinds: Sequence[ReadingKind], sampling: Sampling
) -> Sequence[ReadingKind]:
    if not reads_written(kinds):
        return kinds
    if not sampling.required:
        logger.info("the start has no such readings of what the model writes: they are left out.")
        return without_written(kinds)
    # The last release's do not say what they wrote.
    if start.sampling is not None:
        raise bad_argument(
            name,
            expected=f"the start of a monitor with {sampling.compared}",
            given=f"one with {start.sampling}",
            hint="give both monitors the same sampling=, or else sampling=None",
        )
    return kinds
