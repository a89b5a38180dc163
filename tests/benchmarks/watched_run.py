"""One model trained on in blocks with and without a monitor, which take turns, and what that costs.

Both meet the machine in the same moods. The model first learns the human text, and then text with
less of a tail, slowly or quickly, so that there is something to see.
"""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import mean, median
from time import monotonic, perf_counter, process_time

import numpy as np
import numpy.typing as npt
import torch

from collapse_guard import Budget, CollapseMonitor, Reading
from tests.scales import Scale, llama_of, panel_of, parameters_of, text_of

Times = npt.NDArray[np.float64]

WARM_UP = 40
LEARNING, COOLED = 3e-3, 0.8
"""The learning rate before the watched steps, and the temperature of the text in them."""

WATCHED_READING = "tail_retention"


@dataclass(frozen=True)
class Blocks:
    """How long a run is measured.

    Attributes:
        count: Blocks with the monitor, and as many without.
        steps: Of each.
        seconds: After so many no further pair of blocks is begun.
        overhead: The monitor's budget.
    """

    count: int = 8
    steps: int = 16
    seconds: float = float("inf")
    overhead: float = 0.01


@dataclass(frozen=True)
class WatchedRun:
    """What was measured. Seconds are of the clock, and of the processor.

    Attributes:
        parameters: Of the model.
        windows: Of the panel.
        documents: Of the panel.
        without: float64 of shape (blocks, steps, 2), seconds of each step without the monitor.
        watched: The same of each step with it.
        start: float64 of shape (2,), seconds of the look before all steps, and of what is timed
            there.
        end: The same of the look after them.
        looks_share: Seconds of the looks within the watched blocks over those of the training.
        spent: The monitor's `overhead_spent`, the start among it.
        small_looks: How many there were of a part of the panel.
        full_looks: How many of all of it, between start and end.
        last_windows: Of the last small look that was planned.
        peak_without: The most bytes in use within a block without the monitor, median of blocks.
        peak_watched: The same with it.
        small_error: Standard error of the tail retention at the latest small look, mean of blocks.
        panel_error: That of the whole panel at the same steps.
        small_documents: How many documents the small look is worth.
        off: How far the two values are from each other.
        read_from: What the whole panel read after the first block.
        read_to: What it read after the last.
    """

    parameters: int
    windows: int
    documents: int
    without: Times
    watched: Times
    start: Times
    end: Times
    looks_share: float
    spent: float
    small_looks: int
    full_looks: int
    last_windows: int
    peak_without: float
    peak_watched: float
    small_error: float
    panel_error: float
    small_documents: float
    off: float
    read_from: float
    read_to: float


class Training:
    """A model that has learned the human text.

    Args:
        scale: Of model and batch.
        learning_rate: From now on.
    """

    def __init__(self, scale: Scale, learning_rate: float) -> None:
        self.scale = scale
        self._random = np.random.default_rng(0)
        self.model = llama_of(scale)
        self._optimizer = torch.optim.AdamW(self.model.parameters(), lr=LEARNING)
        self._cooled = 1.0
        self.panel = panel_of(scale)
        for _ in range(WARM_UP):
            self.step(self.draw())
        self._optimizer.param_groups[0]["lr"] = learning_rate
        self._cooled = COOLED

    def draw(self) -> list[torch.Tensor]:
        """The passes of the next step, on the device."""
        texts = (
            text_of(self._random, self.scale, self.scale.rows, cooled=self._cooled)
            for _ in range(self.scale.accumulated)
        )
        return [torch.from_numpy(ids).to(self.scale.device) for ids in texts]

    def step(self, passes: list[torch.Tensor]) -> None:
        """One optimizer step, waited for."""
        for ids in passes:
            with self.scale.precision():
                loss = self.model(input_ids=ids, labels=ids).loss / len(passes)
            loss.backward()
        self._optimizer.step()
        self._optimizer.zero_grad()
        self.scale.wait()


def measure(scale: Scale, learning_rate: float, blocks: Blocks = Blocks()) -> WatchedRun:
    """Measure it.

    Raises:
        RuntimeError: No look fell into the watched blocks: let them be longer.
    """
    training = Training(scale, learning_rate)
    model, panel = training.model, training.panel
    monitor = CollapseMonitor(panel, pace=Budget(blocks.overhead))

    def look_with(look: Callable[..., Reading], step: int) -> Reading:
        with scale.precision():
            return look(model, step)

    start = seconds(lambda: look_with(monitor.start, 0))
    before = monitor.timing_state()["stopwatch"]
    # Looks at the whole panel, untimed and unseen by the monitor, to compare with.
    whole = CollapseMonitor(panel, rules=(), baseline=monitor.baseline)
    times: dict[bool, list[Times]] = {False: [], True: []}
    peaks: dict[bool, list[int]] = {False: [], True: []}
    looks: list[Reading] = []
    compared: list[tuple[Reading, Reading]] = []

    def step_and_observe(passes: list[torch.Tensor]) -> None:
        training.step(passes)
        if reading := look_with(monitor.observe, len(times[True]) + 1):
            looks.append(reading)

    began = monotonic()
    ways = [(False, training.step), (True, step_and_observe)]
    for _ in range(blocks.count):
        for watched, work in ways:
            monitor.pause()
            with peak_bytes(scale.device) as peak:
                for _ in range(blocks.steps):
                    passes = training.draw()
                    times[watched].append(seconds(lambda work=work, passes=passes: work(passes)))
            peaks[watched] += peak
        # Else whatever drifts within a pair would be told as the monitor's.
        ways.reverse()
        if looks:
            compared.append((looks[-1], look_with(whole.look, len(times[True]))))
        if monotonic() - began > blocks.seconds:
            break
    after = monitor.timing_state()["stopwatch"]
    spent = monitor.overhead_spent
    end = seconds(lambda: look_with(monitor.look, len(times[True])))
    if not looks:
        raise RuntimeError("no look fell into the watched blocks: let them be longer")
    small = sum(not look.is_full for look in looks)
    errors = [[each.standard_errors[WATCHED_READING] for each in pair] for pair in compared]
    values = [[each[WATCHED_READING] for each in pair] for pair in compared]
    return WatchedRun(
        parameters=parameters_of(model),
        windows=len(panel),
        documents=panel.num_documents,
        without=np.array(times[False]).reshape(-1, blocks.steps, 2),
        watched=np.array(times[True]).reshape(-1, blocks.steps, 2),
        start=start,
        end=end,
        looks_share=(after["looked"] - before["looked"]) / (after["trained"] - before["trained"]),
        spent=spent,
        small_looks=small,
        full_looks=len(looks) - small,
        last_windows=monitor.state_dict()["pace"]["plan"][1],
        peak_without=median(peaks[False]),
        peak_watched=median(peaks[True]),
        small_error=mean(pair[0] for pair in errors),
        panel_error=mean(pair[1] for pair in errors),
        small_documents=mean(look.units[WATCHED_READING] for look, _ in compared),
        off=mean(abs(pair[0] - pair[1]) for pair in values),
        read_from=values[0][1],
        read_to=values[-1][1],
    )


def seconds(work: Callable[[], object]) -> Times:
    """Of the clock, and of the processor."""
    clock, processor = perf_counter(), process_time()
    work()
    return np.array([perf_counter() - clock, process_time() - processor])


@contextmanager
def peak_bytes(device: str) -> Iterator[list[int]]:
    """The most memory in use within the block: on the GPU, or resident on the CPU."""
    peak: list[int] = []
    if device == "cuda":
        torch.cuda.reset_peak_memory_stats()
        yield peak
        peak.append(torch.cuda.max_memory_allocated())
        return
    # The kernel's own high-water mark, put back to the present level.
    Path("/proc/self/clear_refs").write_text("5")
    yield peak
    status = Path("/proc/self/status").read_text()
    peak.append(1024 * int(re.search(r"VmHWM:\s+(\d+) kB", status)[1]))
