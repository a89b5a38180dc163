"""Letting the model write at a look at the whole panel, where it may and can."""

import logging
from dataclasses import replace
from functools import cache
from typing import Any

import torch

from collapse_guard.distributed import all_or_none, is_first_process
from collapse_guard.errors import CalledOffError
from collapse_guard.model.forward import rows_at_once
from collapse_guard.monitor.probe import Probe
from collapse_guard.monitor.run import Run
from collapse_guard.readings.sampling import Samples, draw_samples

logger = logging.getLogger("collapse_guard")


def writing(probe: Probe, run: Run, model: torch.nn.Module) -> dict[str, Any]:
    """How evidence lets the model write, once a look.

    A model that cannot, where that is no error, has the readings of what it writes left out from
    now on.

    Args:
        probe: What the model is looked at with.
        run: The run, whose clock times the writing.
        model: The model.

    Returns:
        `write` of `Evidence`; empty where the model does not write.
    """
    sampling = probe.sampling
    if sampling is None:
        return {}
    if not sampling.required:
        # No more tokens at once than a batch of the panel has, which the user may have made small.
        tokens = probe.batch_size * probe.panel.input_ids.shape[1]
        length = sampling.prompt_length + sampling.length
        most = min(sampling.batch_size, max(tokens // length, 1))
        at_once = rows_at_once(model, tokens=length, vocab_size=probe.panel.vocab_size, most=most)
        sampling = replace(sampling, batch_size=at_once)

    @cache
    def write() -> Samples:
        with run.clock.writing():
            run.written = draw_samples(model, probe.panel, sampling)
        return run.written

    if sampling.required:
        return {"write": write}
    if not run.writes:
        return {}
    try:
        with all_or_none():
            write()
    except CalledOffError:
        raise
    # Models of the user's own making raise anything.
    except Exception as error:
        run.leave_out_written()
        if is_first_process():
            why = str(error).strip() or type(error).__name__
            logger.warning(
                "the model cannot write here, so that readings of what it writes, and rules on "
                "them, are left out (%s). Give the monitor sampling=None where that is as it "
                "should be.",
                why,
            )
        return {}
    return {"write": write}
