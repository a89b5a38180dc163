"""A training with a ledger that only a kill ends."""

import contextlib
import os
import sys
from pathlib import Path

from collapse_guard.callbacks import MixLedgerCallback
from tests.callbacks.huggingface.test_mix_ledger import make_guard, make_trainer

if __name__ == "__main__":
    guard = make_guard(epochs=100_000)
    trainer = make_trainer(
        Path(sys.argv[1]),
        guard,
        [MixLedgerCallback(guard, every_n_steps=1, on_error="raise")],
        save_strategy="steps",
        save_steps=5,
        save_total_limit=2,
    )
    # Nobody reads what it prints.
    with Path(os.devnull).open("w") as nowhere, contextlib.redirect_stdout(nowhere):
        trainer.train()
