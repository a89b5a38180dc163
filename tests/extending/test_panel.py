"""A panel of another world than text: the codes of an image tokenizer, say.

Inside of the package one adds a class with what `collapse_guard/readings/panel.py` lists.
"""

from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch

from collapse_guard import ArgumentError, CollapseMonitor, Sampling
from tests.paces import Scripted
from tests.tiny import BRIEF, VOCAB, perturb, tiny_gpt2


class Pictures:
    """Rows of codes, an image each, of which the rarer half of the palette is the tail."""

    def __init__(self, codes: torch.Tensor) -> None:
        self.input_ids = codes
        self.document_ids = torch.arange(len(codes))
        self.positions = torch.ones_like(codes, dtype=torch.bool)
        self.positions[:, 0] = False
        self.vocab_size = VOCAB
        self.tail_types: npt.NDArray[np.bool_] = np.arange(VOCAB) >= VOCAB // 2
        self.tail_positions = self.positions & (codes >= VOCAB // 2)
        self.head_positions = self.positions & (codes < VOCAB // 10)
        self.num_documents = len(codes)
        self.fingerprint = f"{int(codes.sum()):016x}"

    def __len__(self) -> int:
        return len(self.input_ids)

    @cached_property
    def position_counts(self) -> dict[str, Any]:
        bands = {"all": self.positions, "tail": self.tail_positions, "head": self.head_positions}
        return {name: at.sum(1).numpy().astype(np.float64) for name, at in bands.items()}


def pictures() -> Pictures:
    generator = torch.Generator().manual_seed(0)
    return Pictures(torch.randint(VOCAB, (20, 32), generator=generator))


def test_a_monitor_watches_it() -> None:
    sampling = Sampling(num_free=4, num_prompts=2, samples_per_prompt=2, length=8)
    monitor = CollapseMonitor(pictures(), pace=Scripted(5), sampling=sampling)
    model = tiny_gpt2()
    assert monitor.start(model)["tail_retention"] == 1.0
    perturb(model, 0.02)
    small, whole = monitor.observe(model, 1), monitor.look(model, 2)
    assert not small.is_full
    assert whole["tail_retention"] == pytest.approx(small["tail_retention"], rel=0.2)
    assert whole["free_tail_share"] > 0


def test_what_it_lacks_is_named() -> None:
    panel = pictures()
    del panel.tail_types, panel.fingerprint
    with pytest.raises(ArgumentError, match="without tail_types, fingerprint"):
        CollapseMonitor(panel, sampling=BRIEF)
    for given in (None, "text", Pictures):
        with pytest.raises(ArgumentError, match="`panel` expected a HeldOutPanel"):
            CollapseMonitor(given, sampling=BRIEF)
