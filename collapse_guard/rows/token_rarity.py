"""How rare the contents of a row are, under the human reference."""

import numpy as np
import numpy.typing as npt

from collapse_guard.human_text.reference import HumanReference
from collapse_guard.human_text.token_rows import TokenRows
from collapse_guard.rows.column import Column, Encode, as_tokens


def token_rarity(
    column: Column,
    reference: HumanReference,
    *,
    encode: Encode | None = None,
    rarest_share: float = 0.1,
) -> npt.NDArray[np.float32]:
    """The mean self-information of each row's rarest tokens.

    Rare contents are a few words in a sea of common ones: a mean over all tokens would hide them,
    and a maximum would rank rows by one accident. Tokens that an `attention_mask` masks out do not
    count: padding never occurs in human text, and would look like the rarest token of all.

    Args:
        column: Token ids, or texts.
        reference: Says what is rare.
        encode: What texts become token ids by; None only where the column holds token ids.
        rarest_share: Share of a row's tokens that are its rarest, in (0, 1]; rounded down, and at
            least one token.

    Returns:
        float32 of shape (rows,), in bits. 0 for a row without tokens.

    Raises:
        ArgumentError: A row does not hold token ids.
        TokenizerMismatchError: A token id is not in the reference's vocabulary.
    """
    rarity = np.zeros(len(column), dtype=np.float32)
    start = 0
    for contents in column.batches():
        rows = as_tokens(contents, encode)
        reference.check_ids(rows.ids)
        stop = start + len(rows.lengths)
        rarity[start:stop] = _rarest_means(rows, reference.self_information, rarest_share)
        start = stop
    return rarity


def _rarest_means(
    rows: TokenRows,
    self_information: npt.NDArray[np.float64],
    rarest_share: float,
) -> npt.NDArray[np.float64]:
    lengths = rows.lengths
    width = max(int(lengths.max()), 1)
    information = np.zeros((len(lengths), width))
    # Self-information is above 0, so that the zeros beyond a row's end sort behind its tokens.
    information[np.arange(width) < lengths[:, None]] = self_information[rows.ids]
    rarest_first = -np.sort(-information, axis=1)
    num_rarest = np.maximum((lengths * rarest_share).astype(np.int64), 1)
    sums = np.cumsum(rarest_first, axis=1)[np.arange(len(lengths)), num_rarest - 1]
    means: npt.NDArray[np.float64] = sums / num_rarest
    return means
