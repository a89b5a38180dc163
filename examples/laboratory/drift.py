"""What becomes of a type whose share is only ever estimated from rows: the exact law."""

import numpy as np


def survival(share: float, rows: int, generations: int) -> float:
    """Probability that a type of a given share is left after each of so many generations.

    Exact: its count is a Markov chain, binomial with the last count over `rows`, and 0 is its
    end (Wright 1931 and Fisher 1930, who let genes drift so).
    """
    counts = np.arange(rows + 1)
    log_choose = np.concatenate([[0.0], np.cumsum(np.log((rows - counts[:-1]) / counts[1:]))])
    with np.errstate(divide="ignore", invalid="ignore"):
        shares = np.concatenate([[share], counts / rows])
        log_p = counts * np.log(shares)[:, None]
        log_q = (rows - counts) * np.log1p(-shares)[:, None]
        # 0 log 0 is nothing.
        steps = np.exp(log_choose + np.nan_to_num(log_p, nan=0.0) + np.nan_to_num(log_q, nan=0.0))
    law = steps[0]
    for _ in range(generations - 1):
        law = law @ steps[1:]
    return float(1 - law[0])
