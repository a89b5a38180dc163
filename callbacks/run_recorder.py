"""Writes down what a session sees of a run, look by look, into one file."""

import os
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np

from collapse_guard import __version__
from collapse_guard.atomic import create_atomically
from collapse_guard.callbacks.session import WatchSession
from collapse_guard.callbacks.summary import same_readings, summary_of
from collapse_guard.distributed import is_first_process
from collapse_guard.errors import ArgumentError
from collapse_guard.finder.source_decoding import SourceDecoding
from collapse_guard.human_text.panel import HeldOutPanel
from collapse_guard.human_text.tokenizer import Tokenizer
from collapse_guard.human_text.words import Decode, decoder
from collapse_guard.monitor.look import Look
from collapse_guard.monitor.monitor import CollapseMonitor
from collapse_guard.readings.at_positions import Floats
from collapse_guard.readings.baseline import Baseline
from collapse_guard.readings.lost_words import LostWords, lost_words
from collapse_guard.readings.reading import Reading
from collapse_guard.run_records.lines import line_of, look_values, run_values
from collapse_guard.run_records.read import ENDING, read_record
from collapse_guard.run_records.record import Configuration, PanelFigures, RunRecord
from collapse_guard.run_records.words import ROUNDING

_TEXTS = 2
"""Texts that are written down of those without a prompt, and of those with a human one."""

Folder = str | os.PathLike[str] | Callable[[], str | None]


@dataclass
class RunRecorder:
    """The file of a run that is watched, made by `record_run`.

    Attributes:
        folder: Where it is to lie, or a function that says so once the run goes on.
        decode: From token ids to their text; None to write down no text.
        path: The file; None before the first look.
        decodings: Of what the loss is matched to, by source.
        configuration: Says how the run was set up, when its file is begun.
        match: What the loss is matched to, in a line for the summary; empty where it is not.
    """

    folder: Folder
    decode: Decode | None = None
    path: Path | None = None
    decodings: tuple[SourceDecoding, ...] = ()
    configuration: Callable[[], Configuration] = field(default=dict, repr=False)
    match: str = ""
    _last: Look | None = field(default=None, repr=False)
    _start: Baseline | None = field(default=None, repr=False)

    def look(self, session: WatchSession, look: Look) -> None:
        """Write down a look; the first one of a run begins its file, or goes on with it."""
        if not is_first_process():
            return
        is_first = look.is_full and len(session.monitor.history) == 1
        if self.path is None or is_first:
            self.path = self._begin(session, look)
        self._last = look
        self._append(session, look, position_logprobs=self._of_start(session.monitor, look))

    def end(self, session: WatchSession) -> None:
        """Write down that the run has come to its end, and which words were lost until then."""
        if not is_first_process() or self.path is None or self._last is None:
            return
        lost = None
        with session.contained("looking for words that were lost"):
            lost = self._lost_words(session.monitor)
        self._append(session, replace(self._last, alerts=()), has_ended=True, lost_words=lost)

    def _append(self, session: WatchSession, look: Look, **seldom: Any) -> None:
        if self.path is None:
            return
        texts: tuple[str, ...] = ()
        if look.is_full and not seldom.get("has_ended"):
            # A tokenizer that knows fewer ids than the model costs the texts alone.
            with session.contained("telling what the model wrote"):
                texts = self._texts(session.monitor)
        told = look_values(
            look,
            summary=summary_of(
                session.monitor, is_watched=session.values.is_watched, match=self.match
            ),
            overhead=session.monitor.overhead_spent,
            texts=texts,
            **seldom,
        )
        with self.path.open("a", encoding="utf-8") as file:
            file.write(line_of(told))

    def _of_start(self, monitor: CollapseMonitor, look: Look) -> Floats | None:
        """What each position was given, where the look is a start that no line tells of yet."""
        start, before = monitor.baseline, self._start
        self._start = start
        if start is None or start is before or not look.is_full or self.decode is None:
            return None
        is_start = isinstance(monitor.panel, HeldOutPanel) and same_readings(look, start.readings)
        return monitor.position_logprobs if is_start else None

    def _lost_words(self, monitor: CollapseMonitor) -> LostWords | None:
        """The words that were lost since the start; None where the file does not have that."""
        panel, logprobs, start = monitor.panel, monitor.position_logprobs, monitor.baseline
        if self.path is None or self.decode is None or logprobs is None or start is None:
            return None
        before = read_record(self.path).position_logprobs
        if before is None or not isinstance(panel, HeldOutPanel):
            return None
        return (
            lost_words(panel, self.decode, before, logprobs)
            if _fits(before, panel, start)
            else None
        )

    def _texts(self, monitor: CollapseMonitor) -> tuple[str, ...]:
        written = monitor.written
        if self.decode is None or written is None:
            return ()
        shown = [*written.free[:_TEXTS], *written.prompted[:_TEXTS, 0]]
        return tuple(self.decode(ids.tolist()) for ids in shown)

    def _begin(self, session: WatchSession, look: Look) -> Path | None:
        """The file to go on with, where the run is one that was resumed; else a new one."""
        folder = self.folder() if callable(self.folder) else self.folder
        if folder is None:
            return None
        about = _described(session)
        with session.contained("telling how a run is set up"):
            about = replace(about, configuration=self.configuration())
        began = line_of(run_values(replace(about, decodings=self.decodings)))
        start = session.monitor.baseline
        for number in count(1):
            name = session.name + (ENDING if number == 1 else f"-{number}{ENDING}")
            path = Path(folder) / name
            if create_atomically(path, began):
                break
            if start is not None and _is_of(path, start.readings, look.step):
                break
        return path


def _fits(logprobs: Floats, panel: HeldOutPanel, start: Baseline) -> bool:
    """Whether log-probabilities that a file tells are those of this start."""
    looked_at = panel.positions.numpy()
    if len(logprobs) != looked_at.sum():
        return False
    grid = np.zeros(looked_at.shape)
    grid[looked_at] = logprobs
    tail = np.where(panel.tail_positions.numpy(), grid, 0.0).sum(1)
    return np.allclose(tail, start.tail_logprob, rtol=ROUNDING, atol=ROUNDING)


def _is_of(path: Path, start: Reading, step: int) -> bool:
    """Whether a file is that of the run which has this start, and comes to this step now."""
    try:
        known = read_record(path)
    except (ArgumentError, OSError):
        return False
    return any(look.step < step and same_readings(look, start) for look in known.looks)


def record_run(
    session: WatchSession, folder: Folder, *, tokenizer: Tokenizer | None = None
) -> RunRecorder:
    """Have a session write down what it logs, for `collapse-guard report`, `compare` and `watch`.

    The file is `<name>_run.jsonl` in the folder: a line of the run, and one of each look, so that
    it can be read while the run goes on, and a kill costs at most the last of them. A run that is
    resumed goes on with its file, from the step that it is resumed at; another run in the same
    folder gets a file of its own. Of several processes the first one writes.

    With a tokenizer it tells at the end which rare words were lost (`lost_words`), with some text
    around each. To know that of a run that is resumed, too, the line of the start holds what each
    position of the panel was given, in 8 bytes for 3 positions: 339 for a window of 128 tokens.

    Args:
        session: Before its start.
        folder: Where to; made where it is missing. Or a function that says so, called at the first
            look; where it says None, nothing is written.
        tokenizer: Of the model, to write down some of what that writes too, in looks at which it
            does: four texts; and the words that it lost.

    Returns:
        What writes, with its `path`.
    """
    recorder = RunRecorder(folder, None if tokenizer is None else decoder(tokenizer))
    session.at_look.append(recorder.look)
    session.at_end.append(recorder.end)
    return recorder


def _described(session: WatchSession) -> RunRecord:
    monitor = session.monitor
    panel = monitor.panel
    figures = None
    if isinstance(panel, HeldOutPanel):
        windows, tokens = panel.input_ids.shape
        figures = PanelFigures(windows, tokens, panel.num_documents, panel.fingerprint)
    return RunRecord(
        name=session.name,
        began=datetime.now(UTC).isoformat(timespec="seconds"),
        version=__version__,
        panel=figures,
        rules=monitor.rules,
        meanings={kind.name: kind.meaning for kind in monitor.readings},
        looks=(),
    )
