"""What a monitor reads while a model is led astray in one known way, and what the alerts say of it.

    OMP_NUM_THREADS=1 python -m tests.cause_study looks.json [--plot causes.png]

trains the recursive example's small model in each way, starting from its generation 0 each time,
looks at it every few steps, writes the looks down, prints a table and draws the figure of the
documentation. Five minutes on one processor, where the example's model is there already.
"""

import argparse
import inspect
import json
import sys
import sysconfig
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch

from collapse_guard import CollapseMonitor, Look, Sampling, default_rules, flattening_rules
from collapse_guard.alerts.causes import likely_cause
from collapse_guard.model.decoding import Decoding
from collapse_guard.model.matched_loss import sampler_matched_loss
from collapse_guard.model.sample import sample
from tests.finder_study import Bench

READ = (
    "perplexity",
    "tail_retention",
    "head_retention",
    "tail_gap",
    "predictive_entropy",
    "effective_vocabulary",
    "free_distinct_2",
)
EVERY = 12
BATCH = 16

Rows = torch.Tensor


class Way:
    """How a model is trained, and what it is known to come to.

    Args:
        name: What happens.
        rows: The rows that it is trained on, again and again.
        steps: How many.
        rate: Learning rate.
        told: How the rows are said to be drawn, for a loss that goes by it.
    """

    def __init__(
        self,
        name: str,
        rows: Callable[[Bench, torch.nn.Module], Rows],
        *,
        steps: int,
        rate: float,
        told: Decoding | None = None,
    ) -> None:
        self.name, self.rows, self.steps, self.rate, self.told = name, rows, steps, rate, told


def drawn(decoding: Decoding, count: int = 384) -> Callable[[Bench, torch.nn.Module], Rows]:
    """Rows that the model itself writes."""

    def rows(bench: Bench, model: torch.nn.Module) -> Rows:
        start = bench.start
        written = sample(
            model,
            num_sequences=count,
            length=bench.settings.window - 1,
            prompt_ids=torch.tensor([start]),
            decoding=decoding,
            seed=1,
        )
        return torch.nn.functional.pad(written, (1, 0), value=start)

    return rows


def human(first: int, last: int) -> Callable[[Bench, torch.nn.Module], Rows]:
    """Human rows of the panel's own kind."""

    def rows(bench: Bench, model: torch.nn.Module) -> Rows:
        known = bench.human.rows.reshape(-1, bench.human.rows.shape[-1])[: bench.human.num_rows]
        return torch.as_tensor(known[first:last])

    return rows


def program_text(bench: Bench, model: torch.nn.Module) -> Rows:
    """Another kind of human text: source code of the standard library."""
    folder = Path(sysconfig.get_paths()["stdlib"])
    ids: list[int] = []
    for path in sorted(folder.glob("*.py")):
        ids += bench.tokenizer.encode(path.read_text(encoding="utf-8", errors="replace")[:6000])
    window = bench.settings.window
    return torch.tensor(ids[: len(ids) // window * window]).view(-1, window)[:384]


WAYS = (
    Way("fresh human text", human(192, 1344), steps=72, rate=5e-4),
    Way("its own text, drawn at T .8", drawn(Decoding(temperature=0.8)), steps=48, rate=5e-4),
    Way("its own text, drawn with top-k 20", drawn(Decoding(top_k=20)), steps=48, rate=5e-4),
    Way("the same 24 human rows", human(192, 216), steps=192, rate=1e-3),
    Way("another kind of human text", program_text, steps=96, rate=1e-3),
    Way(
        "its own text of T .8, told to be of T .6",
        drawn(Decoding(temperature=0.8)),
        steps=96,
        rate=1e-3,
        told=Decoding(temperature=0.6),
    ),
    Way("its own text, drawn at T 1, few rows", drawn(Decoding(), 32), steps=144, rate=1e-3),
)


def watch(way: Way, bench: Bench) -> Iterator[Look]:
    """Train in one way, and look every few steps."""
    torch.manual_seed(0)
    model = bench.model()
    rows = way.rows(bench, model)
    monitor = CollapseMonitor(
        bench.human.panel,
        rules=[*default_rules(sampling=True), *flattening_rules()],
        sampling=Sampling(num_free=32, num_prompts=2, samples_per_prompt=2, length=96),
    )
    yield monitor.start(model)
    optimizer = torch.optim.AdamW(model.parameters(), lr=way.rate, weight_decay=0.0)
    order = torch.Generator().manual_seed(0)
    left: list[int] = []
    for step in range(1, way.steps + 1):
        if len(left) < BATCH:
            left += torch.randperm(len(rows), generator=order).tolist()
        batch, left = rows[left[:BATCH]], left[BATCH:]
        model.train()
        logits, labels = model(input_ids=batch).logits[:, :-1], batch[:, 1:]
        drawn_with = torch.full_like(labels, 0 if way.told is None else 1)
        loss = sampler_matched_loss(
            logits, labels, [] if way.told is None else [way.told], drawn_with
        )
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        if step % EVERY == 0:
            yield monitor.look(model, step)


def recorded(look: Look) -> dict[str, Any]:
    """A look in plain JSON types."""
    return {
        "step": look.step,
        "values": [float(f"{look[name]:.5g}") for name in READ],
        "errors": [float(f"{look.standard_errors[name]:.3g}") for name in READ],
        "alerts": [alert.rule for alert in look.alerts],
    }


def table(study: dict[str, list[dict[str, Any]]]) -> str:
    """The last look of each way, in Markdown."""
    lines = [f"| trained on | step | {' | '.join(READ)} | first alert |"]
    lines.append("| --- " * (len(READ) + 3) + "|")
    for name, looks in study.items():
        last = looks[-1]
        fired = [alert for look in looks for alert in look["alerts"]]
        step = next((look["step"] for look in looks if look["alerts"]), None)
        told = f"{fired[0]}, step {step}" if fired else "none"
        cells = " | ".join(f"{value:.3g}" for value in last["values"])
        lines.append(f"| {name} | {last['step']} | {cells} | {told} |")
    return "\n".join(lines)


def plot(study: dict[str, list[dict[str, Any]]], path: Path) -> None:
    """Curves of each way, with its first alert and what the last look tells."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(2, 4, figsize=(13, 5.6), sharey=True, layout="constrained")
    curves = {"tail_retention": "tail retention", "head_retention": "head retention"}
    shares = {"effective_vocabulary": "effective vocabulary", "perplexity": "perplexity"}
    for axis, (name, looks) in zip(axes.flat, study.items(), strict=False):
        steps = [look["step"] for look in looks]
        columns = dict(
            zip(READ, zip(*(look["values"] for look in looks), strict=True), strict=True)
        )
        for reading, label in curves.items():
            axis.plot(steps, columns[reading], label=label)
        for reading, label in shares.items():
            start = columns[reading][0]
            axis.plot(
                steps, [v / start for v in columns[reading]], "--", label=f"{label}, of its start"
            )
        alert = next((look["step"] for look in looks if look["alerts"]), None)
        if alert is not None:
            axis.axvline(alert, color="tab:red", lw=0.8)
        values = [dict(zip(READ, look["values"], strict=True)) for look in (looks[-1], looks[0])]
        axis.set_title(f"{name}\n{likely_cause(*values).name}", fontsize=9)
        axis.set_yscale("log")
        axis.set_yticks([0.25, 0.5, 1, 2, 4], labels=["0.25", "0.5", "1", "2", "4"])
        axis.minorticks_off()
    handles, labels = axes.flat[0].get_legend_handles_labels()
    axes.flat[-1].axis("off")
    axes.flat[-1].legend(handles, labels, loc="center", frameon=False)
    figure.supxlabel("training step; red: the first alert")
    figure.savefig(path, dpi=80)


def main() -> None:
    parser = argparse.ArgumentParser(description=inspect.getdoc(sys.modules[__name__]))
    parser.add_argument("looks", type=Path)
    parser.add_argument("--plot", type=Path)
    parser.add_argument("--only-plot", action="store_true", help="of looks that are there already")
    given = parser.parse_args()
    if not given.only_plot:
        _run(given.looks)
    study = json.loads(given.looks.read_text(encoding="utf-8"))["looks"]
    print(table(study))
    if given.plot is not None:
        plot(study, given.plot)


def _run(looks: Path) -> None:
    with TemporaryDirectory() as folder:
        bench = Bench(0, Path(folder))
        study = {}
        for way in WAYS:
            study[way.name] = [recorded(look) for look in watch(way, bench)]
            print(way.name, study[way.name][-1]["values"], flush=True)
    looks.write_text(json.dumps({"names": READ, "looks": study}, indent=1) + "\n")


if __name__ == "__main__":
    main()
