"""The matched loss on the GPU against the CPU, and its cuts against the generator's own there."""

from collections.abc import Callable, Iterator

import torch
from torch.nn import functional as F

from collapse_guard import Decoding, sampler_matched_loss
from tests.gpu_check.checks import Findings, Place
from tests.model.warpers import ORDERS, by_warpers, logits, ours

DECODINGS = {
    "T .8": Decoding(temperature=0.8),
    "top-k 50": Decoding(top_k=50),
    "top-p .9": Decoding(top_p=0.9),
    "min-p .05": Decoding(min_p=0.05),
    "T .8, top-p .95": Decoding(temperature=0.8, top_p=0.95),
}

VOCABULARIES, SMALL_VOCABULARIES = (49_152, 50_257), (2_048, 1_999)
"""Of the gradients. The rows of an odd one begin anywhere in memory, and the GPU's kernel adds them
up in an order that depends on where."""

ROUNDING = 1e-6
"""Relative error of plain tokens among matched ones there."""

NEAR = 1e-4
"""Relative error of a float32 gradient, and of the loss. Rounding alone gives less than 1e-5; a
type more or less at the end of a row's cut, where its share meets the limit, a little more."""

AT_ITS_LIMIT = 0.01
"""Share of rows in which a type may fall on the other side, its share being at the limit."""

KINDS: dict[str, Callable[[torch.Tensor], torch.Tensor]] = {
    "float32": lambda drawn: drawn,
    "rounded to halves": lambda drawn: (2 * drawn).round() / 2,
    "bfloat16": lambda drawn: drawn.bfloat16().float(),
}
"""Of logits; all but the first tie a lot."""


def gradients(place: Place) -> Findings:
    """Loss and gradient of the same logits on both devices, and plain tokens to the bit."""
    rows, vocabularies = (64, SMALL_VOCABULARIES) if place.small else (768, VOCABULARIES)
    table, errors = [], []
    logits, labels = _batch(rows, vocabularies[0])
    for name, decoding in DECODINGS.items():
        loss, gradient = _matched(logits, labels, decoding)
        there = _matched(logits.to(place.device), labels.to(place.device), decoding)
        errors += [_off(there[1].cpu(), gradient), _off(there[0].cpu(), loss)]
        table.append({"decoding": name, "gradient": errors[-2], "loss": errors[-1]})
        place.note({"relative error": table})
    even, odd = (_from_plain(*_batch(rows, each), place.device) for each in vocabularies)
    return Findings(
        {
            "relative error": table,
            "plain tokens among matched ones, of an odd vocabulary": odd,
            "logits": f"{rows} rows of {vocabularies[0]:,} types, float32, flat to peaked, a third "
            "of them with ties",
        },
        {
            f"the relative error of loss and gradient is at most {NEAR:g}": max(errors) <= NEAR,
            "plain tokens among others are cross-entropy's bit for bit, of "
            f"{vocabularies[0]:,} types": even == 0,
            f"and up to {ROUNDING:g} of {vocabularies[1]:,} types": odd <= ROUNDING,
        },
    )


def cuts(place: Place) -> Findings:
    """Which types are kept, by our cuts and by the warpers of transformers."""
    rows, vocabularies = (8, (300, 2_048)) if place.small else (64, (300, 20_000, 49_152))
    table = []
    for vocabulary in vocabularies:
        for kind in KINDS:
            # Few types are sorted in another way, which need not be stable.
            stable = vocabulary < 1_000 or place.device == "cpu"
            found = [
                _differing(scaled, decoding, stable)
                for scaled in _scaled(rows, vocabulary, kind, place.device)
                for decoding in _decodings()
            ]
            table.append(
                {
                    "types": vocabulary,
                    "logits": kind,
                    "rows": rows * len(found),
                    "rows that differ": sum(rows for rows, _ in found),
                    "by types at most": max(types for _, types in found),
                    "their sort": "made stable" if stable else "as it is",
                }
            )
            place.note({"kept types": table})
    compared, differing = (sum(row[name] for row in table) for name in ("rows", "rows that differ"))
    return Findings(
        {"kept types": table, "rows compared": compared, "rows that differ": differing},
        {
            f"at most {AT_ITS_LIMIT:.0%} of rows keep other types": differing
            <= AT_ITS_LIMIT * compared,
            "and by one type each": max(row["by types at most"] for row in table) <= 1,
        },
    )


def _batch(rows: int, vocabulary: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Logits on the CPU, flat to peaked, some with ties, and labels that they predict."""
    generator = torch.Generator().manual_seed(0)
    drawn = logits(0, rows, vocabulary, grain=0, spread=1.0) * torch.linspace(1, 9, rows)[:, None]
    drawn[::3] = (8 * drawn[::3]).round() / 8
    return drawn, torch.multinomial(drawn.softmax(-1), 1, generator=generator).squeeze(1)


def _matched(
    logits: torch.Tensor, labels: torch.Tensor, decoding: Decoding
) -> tuple[torch.Tensor, torch.Tensor]:
    leaf = logits.clone().requires_grad_()
    loss = sampler_matched_loss(leaf, labels, [decoding], torch.ones_like(labels))
    loss.backward()
    return loss.detach(), leaf.grad


def _off(found: torch.Tensor, expected: torch.Tensor) -> float:
    found, expected = found.detach().double(), expected.detach().double()
    return float((found - expected).norm() / expected.norm())


def _from_plain(logits: torch.Tensor, labels: torch.Tensor, device: str) -> float:
    """How far plain tokens, among matched ones, are from what cross-entropy makes of them."""
    logits, labels = logits.to(device), labels.to(device)
    drawn_with = torch.arange(len(labels), device=device) % (len(DECODINGS) + 1)
    ours, theirs = (logits.clone().requires_grad_() for _ in range(2))
    terms = sampler_matched_loss(
        ours, labels, list(DECODINGS.values()), drawn_with, reduction="none"
    )
    expected = F.cross_entropy(theirs, labels, reduction="none")
    for found in (terms, expected):
        found.sum().backward()
    plain = drawn_with == 0
    return max(
        _off(one[plain], other[plain])
        for one, other in ((terms, expected), (ours.grad, theirs.grad))
    )


def _decodings() -> Iterator[Decoding]:
    for order in ORDERS:
        for share in ({"top_k": 50}, {"top_p": 0.9}, {"min_p": 0.05}):
            # Alone a cut has no order.
            if order == ORDERS[0]:
                yield Decoding(**share, order=order)
        yield Decoding(top_k=100, top_p=0.8, min_p=0.02, order=order)


def _scaled(rows: int, vocabulary: int, kind: str, device: str) -> Iterator[torch.Tensor]:
    for spread in (1.0, 4.0):
        drawn = logits(1, rows, vocabulary, grain=0, spread=spread)
        yield KINDS[kind](drawn).to(device) / 0.7


def _differing(scaled: torch.Tensor, decoding: Decoding, stable: bool) -> tuple[int, int]:
    """In how many rows other types are kept, and how many at most in one."""
    kept, theirs = ours(scaled, decoding), by_warpers(scaled, decoding, stable=stable)
    more_or_fewer = (kept.sum(1) - theirs.sum(1)).abs()
    # Where one more is kept, one differs; where as many others are, each of them counts twice.
    others = ((kept != theirs).sum(1) + more_or_fewer) // 2
    return int((others > 0).sum()), int(others.max())
