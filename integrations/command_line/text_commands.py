"""`audit` and `score`: the commands that read texts."""

from pathlib import Path
from typing import Annotated

from collapse_guard.extras import require
from collapse_guard.integrations.command_line.options import (
    FOUND,
    AsJson,
    Column,
    Split,
    SplitText,
    print_json,
)
from collapse_guard.integrations.command_line.texts import open_texts

require("typer", "cli")

import typer  # noqa: E402


def audit(
    human: Annotated[
        str, typer.Argument(metavar="HUMAN", help="Human texts: a file, a folder, or a hub name.")
    ],
    synthetic: Annotated[
        str, typer.Argument(metavar="SYNTHETIC", help="Synthetic texts of the same kind.")
    ],
    column: Column = None,
    human_column: Annotated[
        str | None, typer.Option(help="The same of HUMAN, if it is another one.")
    ] = None,
    split: Split = "train",
    split_at: SplitText = None,
    target: Annotated[
        float, typer.Option(help="How often rare words are to come, beside human text.")
    ] = 0.9,
    model: Annotated[
        str | None, typer.Option(help="Say at which temperature this model would write so.")
    ] = None,
    tokenizer: Annotated[
        str | None, typer.Option(help="Compare rare tokens too; the model's, if left out.")
    ] = None,
    megabytes: Annotated[
        int, typer.Option(help="Text to keep of each kind; of more, a fair sample.", min=1)
    ] = 16,
    seed: Annotated[int, typer.Option(help="Of how samples are halved.")] = 0,
    as_json: AsJson = False,
) -> None:
    """Is this synthetic text fit to train on?

    Compares it with human text of the same kind, and needs no model: what is left of rare words
    and phrases, which have vanished, which are overused, how much is copied, and which share of a
    mix would have to be human. Ends with 1 if something speaks against training on it alone.
    """
    from collapse_guard.integrations.command_line.audit import audited

    own = open_texts("HUMAN", human, column=human_column or column, split=split, split_at=split_at)
    other = open_texts("SYNTHETIC", synthetic, column=column, split=split, split_at=split_at)
    found, temperatures = audited(
        own,
        other,
        model=model,
        tokenizer=tokenizer,
        target=target,
        characters=megabytes << 20,
        seed=seed,
    )
    if as_json:
        print_json(
            {
                **found.to_dict(),
                "temperatures": {kind: each.to_dict() for kind, each in temperatures.items()},
            }
        )
    else:
        from rich.console import Console

        from collapse_guard.integrations.command_line.audit_view import print_audit

        print_audit(Console(), found, temperatures)
    raise typer.Exit(0 if found.is_fit else FOUND)


def score(
    models: Annotated[
        list[str],
        typer.Argument(
            metavar="MODEL...",
            help="Models, adapters, or a run's folder of checkpoints. The first, or the base model "
            "of a first adapter, is what others are compared with.",
        ),
    ],
    human: Annotated[
        str, typer.Option(metavar="TEXT", help="Human texts that no model was trained on.")
    ],
    column: Column = None,
    split: Split = "train",
    split_at: SplitText = None,
    tokenizer: Annotated[
        str | None, typer.Option(help="A name or path; the first model's, if left out.")
    ] = None,
    window: Annotated[
        int | None, typer.Option(help="Tokens of a window; as texts allow, if left out.", min=8)
    ] = None,
    windows: Annotated[int, typer.Option(help="How many to look at, at most.", min=2)] = 256,
    writing: Annotated[
        bool, typer.Option(help="Have the models write, for how varied that is.")
    ] = True,
    plot: Annotated[
        Path | None, typer.Option(help="Draw the readings into this PNG file.", dir_okay=False)
    ] = None,
    as_json: AsJson = False,
) -> None:
    """What have models kept of human text?

    Looks at checkpoints, at generations of a chain, or at adapters beside their base: what is left
    of the probability of rare words and of common ones, and how varied the models write. Half of
    the text tells which words are rare, and the other half is looked at. Ends with 1 if a rule is
    broken.
    """
    from collapse_guard.integrations.command_line.models import model_names
    from collapse_guard.integrations.command_line.score import as_dict, scored

    names = model_names(models)
    scores = scored(
        names,
        open_texts("--human", human, column=column, split=split, split_at=split_at),
        tokenizer=tokenizer,
        window=window,
        windows=windows,
        writes=writing,
        tell=lambda name: typer.echo(f"looking at {name}", err=True),
    )
    if plot is not None:
        from collapse_guard.atomic import write_atomically
        from collapse_guard.integrations.command_line.score import plotted

        write_atomically(plot, plotted(scores))
    if as_json:
        print_json(as_dict(scores))
    else:
        from rich.console import Console

        from collapse_guard.integrations.command_line.score_view import print_scores

        print_scores(Console(), scores)
    raise typer.Exit(FOUND if scores.is_broken else 0)
