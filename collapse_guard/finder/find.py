"""Finding the decoding of a text whose sampler nobody wrote down."""

from collections.abc import Callable, Sequence
from time import perf_counter

import torch

from collapse_guard.arguments import checked, function, optional, real, whole_number
from collapse_guard.errors import bad_argument
from collapse_guard.finder.candidates import checked_candidates
from collapse_guard.finder.halving import halve
from collapse_guard.finder.held_out import hold_out, refuse_panel, refuse_trained
from collapse_guard.finder.holding import held
from collapse_guard.finder.lesson import Batch, make_lesson
from collapse_guard.finder.rounds import Rounds
from collapse_guard.finder.search import DecodingSearch, trials_of
from collapse_guard.finder.temperature import refine
from collapse_guard.finder.trial import MEMORY, MakeOptimizer, Setting, Trials
from collapse_guard.human_text.documents import Document
from collapse_guard.human_text.panel import A_PANEL, HeldOutPanel
from collapse_guard.model.decoding import Decoding
from collapse_guard.model.forward import is_encoder_decoder
from collapse_guard.model.inputs import A_MODEL, check_ids
from collapse_guard.model.positions import check_fits
from collapse_guard.rows.row_source import Rows


@checked(
    model=A_MODEL,
    optimizer=function(
        expected="a function that makes an optimizer of parameters",
        hint="give lambda parameters: torch.optim.AdamW(parameters, lr=1e-3)",
    ),
    max_grad_norm=optional(real(above=0, hint="leave it out")),
    max_seconds=optional(real(above=0, hint="leave it out")),
    judge=optional(A_PANEL),
    progress=optional(function(hint="give print, or leave it out")),
)
def find_decoding(
    model: torch.nn.Module,
    rows: Rows,
    held_out: Sequence[Document] | HeldOutPanel,
    *,
    optimizer: MakeOptimizer,
    candidates: Sequence[Decoding] | None = None,
    steps: int = 24,
    batch_size: int = 16,
    micro_batch_size: int | None = None,
    max_grad_norm: float | None = None,
    max_windows: int | None = 256,
    seed: int = 0,
    max_seconds: float | None = None,
    judge: HeldOutPanel | None = None,
    progress: Callable[[str], None] | None = None,
) -> DecodingSearch:
    """Find how synthetic rows were drawn, by short trials, as a learning rate is found.

    Most synthetic text comes without its temperature. Training matched to the right sampler (see
    `sampler_matched_loss`) changes a model least for the worse, and training matched to a wrong one
    sharpens it or flattens it. Held-out human text of the same domain tells: its likelihood is a
    proper score, which is best for the model that is nearest to human text. So the model is trained
    a few steps under each of some candidates, from the same start, on the same batches and with the
    same random states, and the one is kept after which the human text is likeliest.

    The trials go by successive halving (`collapse_guard.finder.halving`) after a quarter, a half
    and all of `steps`, with plain text always among them. Where a temperature alone leads, or is
    not told apart from what leads, one more is tried at the minimum of a parabola in log T.

    The model is left as it was, bit for bit, also where this raises: weights, buffers, gradients,
    modes, random states. No loader of the run is read. On several processes all do the same.

    It does not tell human text from text that was drawn at temperature 1: both are best trained on
    with the plain loss. Intervals are over human documents and for one comparison each: that the
    best of many seems better than plain text by chance, and what chance there is in the rows, which
    are the same for all, they do not say. A sampler that cuts moves fewer weights than others:
    where a model learns its rows by heart (few rows, many passes, a high rate), human text suffers
    less from it, whatever the rows were drawn with. So let `steps` x `batch_size` be about the
    number of rows, and two times that at most.

    Args:
        model: A causal language model, on any device. With LoRA or the like only what requires
            gradients is trained, as in the run.
        rows: The synthetic rows: mappings with `input_ids`; where it is there with
            `attention_mask`, 0 on padding; and with `drawn_mask`, 1 for tokens that the sampler
            drew and 0 for prompts and for what was appended, which get the plain loss. A list, or
            a Hugging Face data set. At most `steps` x `batch_size` of them are read.
        held_out: Human documents of the rows' domain, as token ids; 100 or more tell most.
            Documents longer than the longest row are cut into windows of that length. Or a panel,
            which must be none that judges the run.
        optimizer: Makes an optimizer of a list of parameters, a fresh one for each trial:
            `lambda parameters: torch.optim.AdamW(parameters, lr=1e-3)`. Take the run's own at its
            peak learning rate.
        candidates: What to try, in order of importance; None for 20 that are usual
            (`collapse_guard.finder.candidates.USUAL`). Plain text is always tried.
        steps: Optimizer steps of the longest trials.
        batch_size: Rows of a step: take the run's own.
        micro_batch_size: Rows of a forward pass, the gradients of which are accumulated; None for
            the whole batch.
        max_grad_norm: Gradients are clipped to this norm; None leaves them as they are.
        max_windows: Most windows of human text that are scored, spread over the documents; None
            for all.
        seed: Of the rows' order and of dropout. The same seed gives the same numbers.
        max_seconds: The cost is kept to about this: the first trial tells how many candidates and
            steps fit. None for no limit.
        judge: The panel that the run will be judged by, so that human text which it holds is
            refused.
        progress: Is told of each trial in a sentence: `print`.

    Returns:
        What was found. Its `decoding` is the best of what was tried, also where it is not told
        apart from plain text, which `told_apart_from_plain` and `verdict` say.

    Raises:
        ArgumentError: An argument out of range, rows of another kind or longer than the model can
            read, a model that is no causal one or trains nothing, or too little time.
        PanelError: Fewer than 2 human documents, or human text that stands in `rows` or `judge`.
        TokenizerMismatchError: Token ids past the model's vocabulary.
        ScoringError: A model whose output cannot be read, or that does not stay finite even where
            it is trained on the rows as they are.

    Example:
        >>> from transformers import GPT2Config, GPT2LMHeadModel
        >>> from collapse_guard.model.sample import sample
        >>> config = GPT2Config(vocab_size=50, n_positions=16, n_embd=16, n_layer=1, n_head=2)
        >>> model = GPT2LMHeadModel(config)
        >>> start = torch.tensor([0])
        >>> written = sample(model, num_sequences=8, length=15, seed=0, prompt_ids=start)
        >>> chance = torch.Generator().manual_seed(0)
        >>> held_out = torch.randint(50, (4, 15), generator=chance).tolist()
        >>> search = find_decoding(
        ...     model,
        ...     [{"input_ids": row} for row in written.tolist()],
        ...     held_out,
        ...     optimizer=lambda parameters: torch.optim.AdamW(parameters, lr=1e-3),
        ...     candidates=[Decoding(0.8), Decoding(top_k=20)],
        ...     steps=2,
        ...     batch_size=4,
        ... )
        >>> sorted(str(trial.decoding) for trial in search.trials)
        ['T 0.8', 'T 1', 'top-k 20']
    """
    if is_encoder_decoder(model):
        raise bad_argument(
            "model",
            expected="a causal language model",
            given=type(model).__name__,
            hint="an encoder-decoder's decoding cannot be found so",
        )
    steps = whole_number("steps", steps, least=1, hint="24 is the default")
    batch_size = whole_number("batch_size", batch_size, least=1, hint="give that of the run")
    at_once = batch_size if micro_batch_size is None else micro_batch_size
    at_once = whole_number(
        "micro_batch_size", at_once, least=1, hint="leave it out for the whole batch"
    )
    if max_windows is not None:
        max_windows = whole_number("max_windows", max_windows, least=2, hint="leave it out")
    seed = whole_number("seed", seed, least=0, hint="0 is fine")
    tried = checked_candidates(candidates)
    lesson = make_lesson(rows, steps=steps, batch_size=batch_size, seed=seed)
    scored = hold_out(held_out, window=_check_rows(model, lesson), max_windows=max_windows)
    refuse_trained(scored, [ids for batch in lesson for ids in batch.texts()])
    if judge is not None:
        refuse_panel(scored, judge)
    setting = Setting(lesson, scored, optimizer, at_once, max_grad_norm, seed)
    with held(model) as start:
        trials = Trials(model, start, setting, candidates=len(tried))
        rounds = Rounds(
            trials,
            clock=perf_counter,
            goes_on=lambda: trials.goes_on,
            max_seconds=max_seconds,
            progress=progress,
        )
        before = scored.mean(scored.losses(model, batch_size=at_once))
        refine(rounds, halve(rounds, tried, steps=steps))
    if not trials.goes_on and len(rounds.budgets) > 1:
        rounds.notes.append(
            f"trials began anew in each round, as the states of all take more than {MEMORY:,} bytes"
        )
    best, *_ = rounds.ranking(rounds.budgets[-1])
    return DecodingSearch(
        decoding=best,
        trials=trials_of(rounds.losses, best),
        nll_before=before.value,
        documents=scored.num_documents,
        steps=trials.steps,
        seconds=rounds.seconds,
        notes=tuple(rounds.notes),
    )


def _check_rows(model: torch.nn.Module, lesson: Sequence[Batch]) -> int:
    """Refuse rows that the model cannot be trained on; gives the length of the longest."""
    for batch in lesson:
        check_ids("rows", model, batch.input_ids)
        check_fits("rows", model, batch.input_ids.shape[1])
    longest = max(len(ids) for batch in lesson for ids in batch.texts())
    if longest < 2:
        raise bad_argument(
            "rows",
            expected="rows of at least 2 tokens",
            given=f"rows of at most {longest}",
            hint="give text, of which something can be predicted",
        )
    return longest
