"""How well `find_decoding` finds samplers that are known, on the recursive example's small model.

    OMP_NUM_THREADS=1 python -m tests.finder_study results.jsonl [--seeds 0 1] [--human 96]

writes a line of JSON for each case, goes on where it was stopped, and prints a table. A case takes
about two minutes on one processor. The model and what it needs are kept beside the results.
"""

import argparse
import json
import time
import warnings
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
import transformers
from peft import LoraConfig, get_peft_model

from collapse_guard.examples.recursive_finetune.base_model import prepare_base_model
from collapse_guard.examples.recursive_finetune.chain import Laboratory
from collapse_guard.examples.recursive_finetune.checkpoints import Checkpoints
from collapse_guard.examples.recursive_finetune.corpus import Corpus, load_corpus
from collapse_guard.examples.recursive_finetune.human_text import HumanText, prepare_human_text
from collapse_guard.examples.recursive_finetune.processes import Processes
from collapse_guard.examples.recursive_finetune.settings import Settings
from collapse_guard.examples.recursive_finetune.tokenization import separator
from collapse_guard.finder.find import find_decoding
from collapse_guard.finder.search import DecodingSearch
from collapse_guard.model.decoding import Decoding
from collapse_guard.model.sample import sample

TEXTS = {
    "T .8": Decoding(temperature=0.8),
    "T .6": Decoding(temperature=0.6),
    "T 1": Decoding(),
    "top-k 50": Decoding(top_k=50),
    "top-p .9": Decoding(top_p=0.9),
    "T .8, top-p .95": Decoding(temperature=0.8, top_p=0.95),
    "human": None,
}
"""How the rows of each case are drawn; None for human text that is taken for synthetic."""


class Bench:
    """The example's generation 0, and its human text.

    Args:
        seed: Of the example.
        folder: Where the model is kept.
        corpus: Human text; Python's documentation where left out.
        settings: Of the example, other than its defaults.
    """

    def __init__(
        self, seed: int, folder: Path, *, corpus: Corpus | None = None, **settings: Any
    ) -> None:
        # PEFT 0.21 still reads a property of models that transformers 5.23 has renamed.
        warnings.filterwarnings("ignore", "`is_gradient_checkpointing`", FutureWarning)
        transformers.utils.logging.disable_progress_bar()
        self.settings = Settings(cpu=True, seed=seed, **settings)
        corpus = load_corpus(None) if corpus is None else corpus
        self.processes = Processes(cpu=True)
        self.base = prepare_base_model(self.settings, corpus, self.processes)
        self.human: HumanText = prepare_human_text(self.settings, corpus, self.base.tokenizer)
        self._checkpoints = Checkpoints(folder)
        Laboratory(self.settings, self.processes, self.base, self.human, self._checkpoints)
        self.tokenizer, self.start = self.base.tokenizer, separator(self.base.tokenizer)

    def model(self) -> torch.nn.Module:
        """Generation 0, without adapters."""
        state = self._checkpoints.load(
            "start", torch.device("cpu"), until=self.settings.generations
        )
        assert state is not None
        return state.model

    def adapted(self) -> torch.nn.Module:
        """Generation 0 under fresh adapters, as the example trains it."""
        torch.manual_seed(self.settings.seed)
        rank = self.settings.lora_rank
        return get_peft_model(
            self.model(),
            LoraConfig(r=rank, lora_alpha=rank, target_modules="all-linear", task_type="CAUSAL_LM"),
        )

    @cache  # noqa: B019 - a study has one bench for each seed
    def rows(self, text: str) -> list[dict[str, Any]]:
        """192 rows of 128 tokens."""
        decoding = TEXTS[text]
        if decoding is None:
            return [{"input_ids": row} for row in self.human.rows[2]]
        drawn = sample(
            self.model(),
            num_sequences=self.settings.rows,
            length=self.settings.window - 1,
            prompt_ids=torch.tensor([self.start]),
            decoding=decoding,
            seed=1000 + self.settings.seed,
        ).numpy()
        rows = np.pad(drawn, ((0, 0), (1, 0)), constant_values=self.start)
        return [{"input_ids": row} for row in rows]

    def optimizer(self, parameters: list[torch.nn.Parameter]) -> torch.optim.Optimizer:
        """The example's own."""
        return torch.optim.AdamW(parameters, lr=self.settings.learning_rate, weight_decay=0.0)


def search(bench: Bench, text: str, *, num_human: int, **settings: Any) -> DecodingSearch:
    """Find the sampler of a text, with human rows that neither train nor judge the example."""
    return find_decoding(
        bench.adapted(),
        bench.rows(text),
        bench.human.rows[1][:num_human],
        optimizer=bench.optimizer,
        batch_size=bench.settings.batch_size,
        max_grad_norm=1.0,
        judge=bench.human.panel,
        seed=bench.settings.seed,
        progress=lambda line: print("   ", line, flush=True),
        **settings,
    )


def table(cases: Sequence[dict[str, Any]]) -> str:
    """Markdown."""
    titles = (
        "seed", "text", "found", "NLL: best", "second", "plain", "plain above the best (95%)",
        "plain told apart", "steps", "seconds",
    )  # fmt: skip
    lines = [f"| {' | '.join(titles)} |", f"|{' --- |' * len(titles)}"]
    for case in cases:
        found = DecodingSearch.from_dict(case["search"])
        second = next(each for each in found.trials if each.decoding != found.decoding)
        low, high = found.plain.interval
        cells = (
            case["seed"],
            case["text"],
            f"**{found.decoding}**",
            f"{found.best.human_nll:.4f}",
            f"{second.human_nll:.4f} ({second.decoding})",
            f"{found.plain.human_nll:.4f}",
            f"{found.plain.difference:.4f} ({low:.4f} to {high:.4f})",
            "yes" if found.told_apart_from_plain else "no",
            found.steps,
            f"{found.seconds:.0f}",
        )
        lines.append(f"| {' | '.join(map(str, cells))} |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("results", type=Path)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--human", type=int, default=96)
    parser.add_argument("--steps", type=int, default=24)
    given = parser.parse_args()
    for case in _missing(given):
        with given.results.open("a", encoding="utf-8") as file:
            file.write(json.dumps(case) + "\n")
    print(table(_done(given.results)))


def _missing(given: argparse.Namespace) -> Iterator[dict[str, Any]]:
    for seed in given.seeds:
        keys = [
            {"seed": seed, "text": text, "human": given.human, "steps": given.steps}
            for text in TEXTS
        ]
        done = [{name: case[name] for name in keys[0]} for case in _done(given.results)]
        left = [key for key in keys if key not in done]
        bench = Bench(seed, given.results.with_suffix(".state") / str(seed)) if left else None
        for key in left:
            print(key, flush=True)
            began = time.process_time()
            found = search(bench, key["text"], num_human=given.human, steps=given.steps)
            yield {
                **key,
                "processor_seconds": round(time.process_time() - began, 1),
                "search": found.to_dict(),
            }


def _done(results: Path) -> list[dict[str, Any]]:
    if not results.exists():
        return []
    return [json.loads(line) for line in results.read_text(encoding="utf-8").splitlines()]


if __name__ == "__main__":
    main()
