"""How many directions a model's last hidden states use: an optional reading.

A model that collapses may contract the space that it represents text in. The spectral line of work
follows the Gram matrix of representations over generations of recursive training (Gu et al. 2026,
SIGMA, arXiv 2601.03385, who bound its spectrum where it is too large to be decomposed); here it is
small enough to be decomposed, and summed up by its effective rank.
"""

import numpy as np
import numpy.typing as npt
import torch

from collapse_guard.arguments import checked, flag, whole
from collapse_guard.errors import ScoringError, bad_argument
from collapse_guard.model.forward import in_batches, output_layer
from collapse_guard.model.inputs import A_MODEL
from collapse_guard.model.logprobs import next_token_logits
from collapse_guard.readings.evidence import Evidence
from collapse_guard.readings.kind import ReadingKind
from collapse_guard.readings.panel import Panel, check_panel
from collapse_guard.readings.panel_logprobs import place_in_panel
from collapse_guard.statistics.estimates import Estimate, exponential, ratio

_ROWS_AT_A_TIME = 1024


_CENTRED = flag(hint="leave it out")


def _a_panel(_: str, given: Panel) -> Panel:
    return check_panel(given)


@checked(
    model=A_MODEL,
    panel=_a_panel,
    centred=_CENTRED,
    batch_size=whole(least=1, hint="16 is the default"),
)
def hidden_state_rank(
    model: torch.nn.Module, panel: Panel, *, centred: bool = False, batch_size: int = 16
) -> Estimate:
    """Effective rank of the last hidden states on the panel's human contexts.

    It costs a pass over the panel, and of the order of positions x width^2 + 10 width^3 operations.

    Args:
        model: A causal language model that names its output layer, as transformers models do.
        panel: The held-out text.
        centred: As in `effective_rank`.
        batch_size: Windows per forward pass, at least 1.

    Returns:
        As `effective_rank`.

    Raises:
        ArgumentError: A batch size out of range.
        ScoringError: The model names no output layer, or its hidden states are not finite.
    """
    states = last_hidden_states(model, panel, batch_size=batch_size)
    documents = panel.document_ids.repeat_interleave(panel.positions.sum(1)).numpy()
    return effective_rank(states, documents, centred=centred)


@checked(centred=_CENTRED)
def hidden_state_reading(*, centred: bool = False) -> ReadingKind:
    """What a monitor takes to read `hidden_state_rank`: one more pass over the panel a full look.

    Args:
        centred: As in `effective_rank`.

    Example:
        >>> hidden_state_reading().name
        'hidden_state_rank'
    """

    def take(evidence: Evidence) -> Estimate:
        return hidden_state_rank(
            evidence.model, evidence.panel, centred=centred, batch_size=evidence.batch_size
        )

    return ReadingKind(
        "hidden_state_rank",
        "effective rank of the last hidden states on human contexts, in directions",
        take,
        unit="directions",
        on_log_scale=True,
        start="above 0",
    )


def effective_rank(
    states: npt.NDArray[np.floating], documents: npt.NDArray[np.int64], *, centred: bool = False
) -> Estimate:
    """exp of the entropy of the normalised eigenvalues of the states' Gram matrix.

    With eigenvalues l of G = H^T H and shares p = l / sum(l) it is exp(-sum p log p): 1 where all
    states lie on one line, the width where they use all directions alike. It is the form of Roy and
    Vetterli (The effective rank, EUSIPCO 2007) taken on eigenvalues, which are the *squares* of the
    singular values that they take, so it reads lower than theirs.

    It cannot exceed the number of positions, and grows with it: compare on one panel only.

    The error is linearised at G: the entropy's derivative in the direction of one document's Gram
    matrix is a cross-entropy, and the whole a ratio of sums over documents.

    Args:
        states: Of shape (positions, width).
        documents: int64 of shape (positions,), at least 0: the document of each position.
        centred: Take the mean state off first. Without it one direction that all states share,
            common in language models, may hold most of the trace.

    Returns:
        The effective rank, from 1 to the width, with its standard error over documents.

    Raises:
        ArgumentError: Shapes that do not fit together, or states that are all zero.

    Example:
        >>> effective_rank(np.eye(4), np.arange(4)).value
        4.0
    """
    if states.ndim != 2 or documents.shape != (len(states),) or len(states) == 0:
        raise bad_argument(
            "states",
            expected=f"shape (positions, width) for {documents.shape} documents",
            given=states.shape,
            hint="give one row, and the number of its document, for each position",
        )
    mean = states.mean(0, dtype=np.float64) if centred else np.zeros(states.shape[1])
    blocks = [slice(i, i + _ROWS_AT_A_TIME) for i in range(0, len(states), _ROWS_AT_A_TIME)]
    gram = np.zeros((states.shape[1],) * 2)
    for rows in blocks:
        block = states[rows] - mean
        gram += block.T @ block
    eigenvalues, directions = np.linalg.eigh(gram)
    # What is left of equal states is the rounding of their mean.
    rounding = len(states) * len(gram) * float(mean @ mean) * np.finfo(np.float64).eps ** 2
    if not eigenvalues[-1] > 4 * rounding:
        raise bad_argument(
            "states",
            expected="states that differ",
            given="all alike" if centred else "only zeros",
            hint="look for a broken weight",
        )
    # Below the rounding of the largest they are zeros, whose share of the entropy is none.
    real = eigenvalues > eigenvalues[-1] * len(gram) * np.finfo(np.float64).eps
    surprisal = np.zeros_like(eigenvalues)
    surprisal[real] = -np.log(eigenvalues[real] / eigenvalues[real].sum())
    crossed, traces = np.zeros((2, int(documents.max()) + 1))
    for rows in blocks:
        energies = ((states[rows] - mean) @ directions) ** 2 * real
        crossed += np.bincount(documents[rows], energies @ surprisal, len(crossed))
        traces += np.bincount(documents[rows], energies.sum(1), len(traces))
    return exponential(ratio(crossed, traces))


def last_hidden_states(
    model: torch.nn.Module, panel: Panel, *, batch_size: int = 16
) -> npt.NDArray[np.float32]:
    """What a model's output layer reads at each context of the panel.

    Args:
        model: As in `hidden_state_rank`.
        panel: The held-out text.
        batch_size: Windows per forward pass, at least 1.

    Returns:
        float32 of shape (positions, width): the state that predicts each of the panel's positions,
        in row-major order.

    Raises:
        ArgumentError: A batch size out of range.
        ScoringError: The model names no output layer, or does not call it once, or its hidden
            states are not finite.
    """
    if batch_size < 1:
        raise bad_argument(
            "batch_size", expected="at least 1 window", given=batch_size, hint="16 is the default"
        )
    layer = output_layer(model)
    if layer is None:
        raise ScoringError(
            "the model does not say which its output layer is: give one whose "
            "`get_output_embeddings()` returns it, as that of transformers models does."
        )
    seen: list[torch.Tensor] = []

    def keep(_layer: torch.nn.Module, arguments: tuple[torch.Tensor, ...]) -> None:
        seen.append(arguments[0].detach())

    states = []
    hook = layer.register_forward_pre_hook(keep)
    try:
        sizes = {"tokens": panel.input_ids.shape[1], "vocab_size": panel.vocab_size}
        for windows in in_batches(model, torch.arange(len(panel)), **sizes, most=batch_size):
            positions = panel.positions[windows]
            _, _, where = next_token_logits(model, panel.input_ids[windows], positions)
            if len(seen) != 1:
                raise ScoringError(
                    f"the model called its output layer {len(seen)} times in one forward pass: "
                    f"hidden states can be read where it is called once; give the model without "
                    f"torch.compile."
                )
            state = seen.pop().float()
            if state.shape[:-1] == positions.shape:
                state = state[where[:, 0], where[:, 1] - 1]
            broken = ~state.isfinite().all(1)
            if broken.any():
                row, column = where[int(broken.nonzero()[0])].tolist()
                raise ScoringError(
                    f"the model's last hidden state is not finite at "
                    f"{place_in_panel(panel, windows, row)}, position {column}: its weights or "
                    f"activations hold NaN or infinite numbers."
                )
            states.append(state.cpu().numpy())
    finally:
        hook.remove()
    return np.concatenate(states)
