"""One call that sets up everything, with a default for all but held-out human text."""

import os
from collections.abc import Callable, Hashable, Iterable, Mapping
from contextlib import ExitStack
from inspect import signature
from typing import Any, Literal

import torch

from collapse_guard.alerts.sinks import AlertSink, log_alert
from collapse_guard.arguments import function, optional, real, whole
from collapse_guard.callbacks.actions import OnAlert, Save
from collapse_guard.callbacks.one_call.configuration import configuration_of
from collapse_guard.callbacks.one_call.fitting import Fitting, fit
from collapse_guard.callbacks.one_call.loop import of_loop
from collapse_guard.callbacks.one_call.matched import Synthetic, ToMatch, match_by_hand, to_match
from collapse_guard.callbacks.one_call.panels import Fitted
from collapse_guard.callbacks.one_call.reported import check_report, report_at_end
from collapse_guard.callbacks.one_call.sizes import MOST_SHARE, Length, looking, writing
from collapse_guard.callbacks.one_call.target import Target
from collapse_guard.callbacks.one_call.told import LeftOut, lines_before
from collapse_guard.callbacks.one_call.watched import Watched, WatchedLoop
from collapse_guard.callbacks.run_recorder import RunRecorder, record_run
from collapse_guard.callbacks.session import Log, WatchSession
from collapse_guard.errors import bad_argument
from collapse_guard.failures import OnError
from collapse_guard.human_text.panel import A_PANEL, A_REFERENCE, HeldOutPanel
from collapse_guard.human_text.reference import HumanReference
from collapse_guard.human_text.tokenizer import Tokenizer
from collapse_guard.model.decoding import Decoding
from collapse_guard.monitor.monitor import CollapseMonitor
from collapse_guard.monitor.pace import Budget
from collapse_guard.readings.sampling import A_LITTLE, Sampling

Tell = Callable[[str], object]


def watch(
    run: Any,
    *,
    held_out: Any = None,
    human: Any = None,
    tokenizer: Any = None,
    model: Any = None,
    groups: str | Iterable[Hashable] | None = None,
    reference: HumanReference | None = None,
    panel: HeldOutPanel | None = None,
    synthetic: Synthetic | None = None,
    decoding: Decoding | Literal["find"] | None = None,
    search: Mapping[str, Any] | None = None,
    sampling: Sampling | Literal["as affordable"] | None = "as affordable",
    on_alert: OnAlert = "log",
    sink: AlertSink = log_alert,
    on_error: OnError = "report",
    name: str = "collapse",
    tell: Tell | None = print,
    record: bool | str | os.PathLike[str] = True,
    report: bool = False,
    steps: int | None = None,
    tokens_per_step: float | None = None,
    log: Log | None = None,
    save: Save | None = None,
    state: Mapping[str, Any] | None = None,
    **settings: Any,
) -> Watched:
    """Watch a training run for collapse: all that it takes is held-out human text.

    It counts which tokens of human text are rare, cuts the held-out text into a panel, makes a
    `CollapseMonitor` and joins the run, before its first step. It tells what is watched, what that
    can see, what it costs and what was left out; and at the end of the run, how it went.

    The first and the last look together are to take at most 2% of the run, where its length is
    known: the panel has as many windows as that pays for, but never so few that fewer than 30
    documents with rare tokens are left, and the model writes where that fits in too. What is
    between them takes 1% of the time (`pace=`).

    Training stays bit-identical, as with the callbacks of `collapse_guard.callbacks`, which do the
    work. With `synthetic=` it is changed in one way, the one that keeps a model's own text as
    varied as it was: rows that a model wrote are trained on with the sampler-matched loss
    (`collapse_guard.integrations.match_sampler`), until `.match.remove()`.

    Args:
        run: A Hugging Face `Trainer` or one of TRL's; a Lightning `Trainer`; or, for a loop of your
            own, the model.
        held_out: Human text that is never trained on: texts, or a data set with a column
            `input_ids`, `text`, `messages`, or `prompt` and `completion`, or one column of texts.
        human: Human text of the training, in the same forms, to count in which tokens are rare.
            Where left out: the human rows of a `MixGuard`, or the trainer's training set, which is
            then taken to be human; or else half of the held-out text, which is not looked at then.
        tokenizer: Of the model; a trainer's `processing_class`, or a module's `tokenizer`, where
            left out.
        model: For Lightning: the LightningModule.
        groups: A label for each held-out document, or the name of the column that has it: those of
            one article, author or file count as one document.
        reference: Counts of human tokens, in place of `human`.
        panel: In place of `held_out`, `human`, `groups` and `reference`.
        synthetic: Which training rows a model wrote: "sources", those of the sources of the
            `MixGuard` or `MixStream` that say their `decoding`; the mix itself, where `run` does
            not show what it trains on; or "all", where evaluation stays as it is, what is rare is
            never counted in training rows, and prompts are to have labels of -100. None matches
            nothing.
        decoding: How they were drawn, where all of them are a model's. "find", or nothing, has it
            found before the run, which takes the time of some hundred training steps, as for
            sources with `decoding="find"`: with the half of the held-out text that rare tokens are
            counted in, or with a part of it that is set aside.
        search: Arguments of `find_decoding` by name, where a decoding is to be found: its `steps`,
            `max_seconds`, `candidates` and others.
        sampling: How much the model writes in looks at the whole panel; a little, where the run
            can pay for it, when left out.
        on_alert: As of the callbacks: "log", "save", "stop", "save_and_stop", or a function.
        sink: Called with each alert, on the main process.
        on_error: "report" logs what fails inside, "raise" raises it.
        name: What logged keys begin with.
        tell: Takes what is told, a line at a time, on the main process; None for nothing.
        record: Whether what is seen is written down, into `<name>_run.jsonl` in the run's output
            folder, for `collapse-guard report`, `compare` and `watch`; or the folder to write to,
            without which nothing of a loop is written.
        report: Whether `report.html`, a page about the run, is written beside that at its end; it
            needs the extra `report`.
        steps: Optimizer steps of the run, where `run` does not say so itself.
        tokens_per_step: Tokens of each, over all devices, likewise.
        log: For loops: called with a record and its step.
        save: For loops: called with the step at which an alert asks for a checkpoint.
        state: For loops: what `state_dict()` gave, of a run that is resumed.
        settings: Of `CollapseMonitor`: `readings`, `rules`, `pace`, `baseline`, `control` and
            others.

    Returns:
        All that was set up: `.monitor`, `.panel`, `.reference`, `.session`, `.callback`, `.match`,
        `.recorder`; of a loop with the calls to make, `.step(step)` and `.end()`.

    Raises:
        ArgumentError: An argument that cannot work, or one that `run` would have no use for. Run,
            model and mix are as they were then, as after any error.
        PanelError: Held-out text that stands in the training set, too short, or too little of it.

    Example:
        ::

            watch(trainer, held_out=held_out_texts)
            trainer.train()

        Where a model wrote what is trained on::

            watch(trainer, held_out=held_out_texts, synthetic="all", decoding=Decoding(0.8))
            trainer.train()
    """
    _check_names(settings)
    steps = optional(whole(least=1, hint="leave it out"))("steps", steps)
    optional(real(above=0, hint="leave it out"))("tokens_per_step", tokens_per_step)
    optional(function(hint="give print, or None for nothing"))("tell", tell)
    optional(A_REFERENCE)("reference", reference)
    check_report(report)
    if not isinstance(record, bool | str | os.PathLike):
        hint = "leave it out, or give the folder to write to"
        raise bad_argument("record", expected="True, False or a folder", given=record, hint=hint)
    target = _target(run, model, steps, tokens_per_step, log=log, save=save, state=state)
    tokenizer = target.tokenizer if tokenizer is None else tokenizer
    matching = to_match(target, synthetic, decoding, search)
    if panel is None:
        fitted, length, to_find_with = fit(
            target,
            matching,
            held_out=held_out,
            human=human,
            tokenizer=tokenizer,
            groups=groups,
            reference=reference,
        )
    else:
        replaced = {"held_out": held_out, "human": human, "groups": groups, "reference": reference}
        _refuse(replaced, "None beside `panel`, which is made of it")
        fitted, length, to_find_with = _given(panel, target, matching)
    chosen, left_out = _affordable(sampling, fitted.panel, length)
    monitor = CollapseMonitor(fitted.panel, sampling=chosen, **settings)
    left = LeftOut(fitted.documents, fitted.panel.input_ids.shape[1], left_out)
    finds = matching is not None and matching.finds
    told = lines_before(monitor, fitted.panel, fitted.where, length, left, finds=finds)
    says = tell if tell is not None and target.is_main else None
    with ExitStack() as undo:
        undo.callback(target.callbacks.__setitem__, slice(None), list(target.callbacks))
        session, callback = target.join(
            monitor, on_alert=on_alert, sink=sink, on_error=on_error, name=name
        )
        _tell(says, told, session)
        match = match_by_hand(target.model)
        if matching is not None:
            # Last of what may fail: it may have to search for long.
            match = matching.match(to_find_with)
            undo.callback(match.remove)
        if match is not None:
            told = *told, f"{match}"
            _tell(says, told[-1:], session)
        recorder = _recorder(record, target, session, tokenizer)
        if recorder is not None:
            recorder.configuration = configuration_of(
                target.model,
                fitted.panel,
                fitted.where,
                sampling=monitor.sampling,
                pace=settings.get("pace", Budget(0.01)),
                on_alert=on_alert,
                training=target.settings,
            )
            if match is not None:
                recorder.decodings, recorder.match = match.sources, f"{match}"
        if report:
            report_at_end(session, recorder)
        watched = (
            WatchedLoop(session, None, told, match, recorder, run)
            if callback is None
            else Watched(session, callback, told, match, recorder)
        )
        if says is not None:
            session.at_end.append(lambda _: _tell(says, watched.summary(), session))
        if isinstance(watched, WatchedLoop):
            watched.begin(state)
        undo.pop_all()
    return watched


def _recorder(
    record: bool | str | os.PathLike[str],
    target: Target,
    session: WatchSession,
    tokenizer: Tokenizer | None,
) -> RunRecorder | None:
    # One that cannot decode is no reason to write nothing down.
    tokenizer = tokenizer if callable(getattr(tokenizer, "decode", None)) else None
    if not isinstance(record, bool):
        return record_run(session, record, tokenizer=tokenizer)
    own = target.folder
    if not record or own is None:
        return None
    return record_run(session, own, tokenizer=tokenizer)


def _target(
    run: Any, model: Any, steps: int | None, tokens_per_step: float | None, **of_loops: Any
) -> Target:
    is_trainer = hasattr(run, "callback_handler") and hasattr(run, "args")
    is_lightning = hasattr(run, "fit_loop") and hasattr(run, "callbacks")
    if is_trainer or is_lightning:
        _refuse(of_loops, f"None for a {type(run).__name__}, which sees to that itself")
    if is_lightning:
        from collapse_guard.callbacks.one_call.lightning import of_lightning

        return of_lightning(run, model, steps=steps, tokens_per_step=tokens_per_step)
    _refuse({"model": model}, "None here, as `run` has it")
    if is_trainer:
        from collapse_guard.callbacks.one_call.huggingface import of_trainer

        return of_trainer(run)
    if isinstance(run, torch.nn.Module):
        del of_loops["state"]
        return of_loop(run, steps=steps, tokens_per_step=tokens_per_step, **of_loops)
    raise bad_argument(
        "run",
        expected="a Hugging Face Trainer, a Lightning Trainer, or a model",
        given=run,
        hint="watch(trainer, held_out=texts), before trainer.train()",
    )


def _given(panel: HeldOutPanel, target: Target, matching: ToMatch | None) -> Fitting:
    A_PANEL("panel", panel)
    if matching is not None and matching.finds:
        raise bad_argument(
            "panel",
            expected="`held_out` in place of it, as a decoding is to be found with human text "
            "that no panel holds",
            given=panel,
            hint="give held_out=, or name the Decoding in place of finding it",
        )
    where = "the text that the panel's reference was counted in"
    return Fitting(Fitted(panel, where, 0), target.length(0.0), ())


def _affordable(
    sampling: Sampling | str | None, panel: HeldOutPanel, length: Length | None
) -> tuple[Sampling | None, Sampling | None]:
    """What the model writes, and what it does not because the run is too short."""
    if not isinstance(sampling, str):
        return sampling, None
    if sampling != "as affordable":
        raise bad_argument(
            "sampling", expected="a Sampling or None", given=sampling, hint="leave it out"
        )
    cost = looking(*panel.input_ids.shape) + writing(A_LITTLE)
    if length is None or cost <= MOST_SHARE * length.cost:
        return A_LITTLE, None
    return None, A_LITTLE


def _check_names(settings: Mapping[str, Any]) -> None:
    known = signature(CollapseMonitor).parameters.keys() - {"panel", "sampling"}
    for name, value in settings.items():
        if name not in known:
            raise bad_argument(
                name,
                expected=f"no such argument: there are {', '.join(sorted(known))}",
                given=value,
                hint="leave it out",
            )


def _refuse(given: Mapping[str, Any], expected: str) -> None:
    for name, value in given.items():
        if value is not None:
            raise bad_argument(name, expected=expected, given=value, hint="leave it out")


def _tell(tell: Tell | None, lines: Iterable[str], session: WatchSession) -> None:
    if tell is None:
        return
    with session.contained("telling what is watched"):
        for line in lines:
            tell(line)
