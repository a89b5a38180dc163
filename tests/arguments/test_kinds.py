"""Each kind of argument lets pass what it names, and refuses the rest, however it fails."""

import numpy as np
import pytest
import torch

from collapse_guard import ArgumentError
from collapse_guard.arguments import (
    a,
    flag,
    function,
    many,
    module,
    one_of,
    optional,
    real,
    tensor,
    text,
    whole,
)


class Liar:
    @property
    def __class__(self):
        raise RuntimeError("asked")

    def __iter__(self):
        raise RuntimeError("iter")


IDS = tensor(of="whole numbers", expected="token ids", hint="h")

PASS = [
    (IDS, torch.tensor(True)),
    (tensor(of="numbers", expected="logits", hint="h"), torch.tensor(0.5)),
    (whole(least=1, hint="h"), torch.tensor(3)),
    (real(above=0, hint="h"), np.float32(0.5)),
    (a(str, bytes, expected="e", hint="h"), b"x"),
    (flag(hint="h"), False),
    (text(hint="h"), ""),
    (function(hint="h"), len),
    (one_of("a", "b", hint="h"), "b"),
    (optional(flag(hint="h")), None),
    (many(flag(hint="h"), expected="flags", hint="h"), (True,)),
]
REFUSE = [
    (IDS, torch.zeros(2)),
    (IDS, torch.zeros(2, dtype=torch.long, device="meta")),
    (IDS, torch.eye(2, dtype=torch.long).to_sparse()),
    (IDS, [1]),
    (module(hint="h"), torch.nn.Module),
    (whole(least=1, hint="h"), torch.tensor(0.3)),
    (whole(least=1, hint="h"), torch.zeros((), device="meta")),
    (real(above=0, hint="h"), 0),
    (real(most=1, hint="h"), 10**400),
    (real(hint="h"), 10**400),
    (real(hint="h"), float("nan")),
    (real(hint="h"), True),
    (real(hint="h"), complex(1)),
    (a(str, expected="e", hint="h"), Liar),
    (flag(hint="h"), 1),
    (text(hint="h"), "\ud800"),
    (text(hint="h"), b"x"),
    (function(hint="h"), 3),
    (one_of("a", "b", hint="h"), ["a"]),
    (optional(flag(hint="h")), 0),
    (many(flag(hint="h"), expected="flags", hint="h"), [True, 1]),
    (many(flag(hint="h"), expected="flags", hint="h"), "ab"),
    (many(flag(hint="h"), expected="flags", hint="h"), Liar),
]


@pytest.mark.parametrize(("check", "given"), PASS)
def test_what_fits_passes(check, given) -> None:
    assert check("n", given) == given


@pytest.mark.parametrize(("check", "given"), REFUSE)
def test_what_does_not_fit_is_refused(check, given) -> None:
    with pytest.raises(ArgumentError, match=r"(?s)argument `n` expected .*: h"):
        check("n", given() if given is Liar else given)


def test_a_range_is_told_as_it_is() -> None:
    with pytest.raises(
        ArgumentError, match="expected a number of at least 0 and below 1, but got 1:"
    ):
        real(least=0, below=1, hint="h")("n", 1)
