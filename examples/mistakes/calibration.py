"""How well a model's confidence says whether it is right, and what many answers agree on."""

import numpy as np
import numpy.typing as npt

from collapse_guard.examples.mistakes.arithmetic import Ids

Floats = npt.NDArray[np.float64]


def expected_calibration_error(confidence: Floats, right: npt.NDArray[np.bool_]) -> float:
    """Mean distance of accuracy from confidence over ten bins of equal width.

    Of Guo et al., On Calibration of Modern Neural Networks, 2017 (arXiv 1706.04599), equation 3:
    each bin weighs as many answers as it holds, and empty ones weigh nothing.

    Args:
        confidence: Probability of each answer, in [0, 1], of shape (answers,).
        right: Whether each is right, of shape (answers,).

    Returns:
        In [0, 1]; 0 is calibrated.

    Example:
        >>> expected_calibration_error(np.array([0.9, 0.9]), np.array([True, False]))
        0.4
    """
    bins = np.minimum((confidence * 10).astype(np.int64), 9)
    apart = np.bincount(bins, confidence - right, minlength=10)
    return float(np.abs(apart).sum() / len(confidence))


def majority(answers: Ids) -> tuple[Ids, Floats]:
    """The commonest of several answers to each question, the first drawn of those that tie.

    Args:
        answers: int64 of shape (questions, samples, characters).

    Returns:
        Those answers, int64 of shape (questions, characters), and what share of the samples agrees
        with each, of shape (questions,).

    Example:
        >>> majority(np.array([[[1, 2], [3, 4], [3, 4], [5, 6]]]))
        (array([[3, 4]]), array([0.5]))
    """
    agree = (answers[:, :, None] == answers[:, None]).all(3).mean(2)
    commonest = agree.argmax(1)
    each = np.arange(len(answers))
    return answers[each, commonest], np.asarray(agree[each, commonest])
