"""`python -m collapse_guard.examples.web_crawl`: simulate a web, and draw it."""

import argparse
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path


def main(arguments: Sequence[str] | None = None) -> None:
    """Read the arguments, tell the generations and draw them; what cannot be is told in a line."""
    from collapse_guard.atomic import write_atomically
    from collapse_guard.errors import CollapseGuardError
    from collapse_guard.examples.web_crawl.crawl import Assumptions, simulate
    from collapse_guard.examples.web_crawl.figures import draw
    from collapse_guard.integrations.plots import figure_png

    given = _parser().parse_args(arguments)
    try:
        asked = Assumptions(
            human=given.human,
            share=given.share,
            narrowing=given.narrowing,
            memory=given.memory,
            floor=given.floor,
            matched=given.matched,
        )
        print("generation  human share  web   new   model")
        for number, one in enumerate(simulate(asked, given.generations), 1):
            print(
                f"{number:10d}  {one.human_share:11.2f}  {one.web:.2f}  {one.new:.2f}  "
                f"{one.model:.2f}"
            )
        runs = {
            "as asked": asked,
            "without floor and matching": replace(asked, floor=0.0, matched=0.0),
            "floor 0.3": replace(asked, floor=0.3, matched=0.0),
            "0.9 matched": replace(asked, floor=0.0, matched=0.9),
        }
        figure = draw(runs, given.generations)
    except CollapseGuardError as error:
        raise SystemExit(f"error: {error}") from error
    path = Path(given.output)
    write_atomically(path, figure_png(figure))
    print(f"drawn into {path}")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m collapse_guard.examples.web_crawl")
    shares = {
        "human": (0.05, "new human text of a generation, beside all human text at first"),
        "share": (0.7, "of model text among new text"),
        "narrowing": (0.68, "what a model writes of the tail that it has learned"),
        "floor": (0.0, "least human share of what models are trained on"),
        "matched": (0.0, "share of model text whose sampler the loss undoes"),
    }
    for name, (default, meaning) in shares.items():
        parser.add_argument(f"--{name}", type=float, default=default, help=f"{meaning} ({default})")
    parser.add_argument("--memory", type=int, help="generations that models are trained on (all)")
    parser.add_argument("--generations", type=int, default=20)
    parser.add_argument("--output", default="runs/web.png", help="a PNG file")
    return parser


if __name__ == "__main__":
    main()
