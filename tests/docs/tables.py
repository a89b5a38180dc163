"""The tables in docs/ that are written from the code: `python -m tests.docs.tables` writes them."""

import re
from collections.abc import Iterable, Sequence

from collapse_guard import (
    CollapseMonitor,
    HeldOutPanel,
    HumanReference,
    ReadingKind,
    Threshold,
    default_rules,
    flattening_rules,
)
from collapse_guard.callbacks.records import record_keys
from collapse_guard.examples.web_crawl.tables import TRAININGS, costs, floors, losses, tails
from collapse_guard.human_text.continuations import continuation_pairs
from collapse_guard.readings.contextual_tail import contextual_reading
from collapse_guard.readings.frequency_bands import band_readings, frequency_bands
from collapse_guard.readings.hidden_state_spectrum import hidden_state_reading
from collapse_guard.readings.kind import Needs
from collapse_guard.readings.log_odds import log_odds_reading
from collapse_guard.readings.rare_ngrams import rare_ngram_reading
from collapse_guard.readings.rare_words import rare_word_reading
from collapse_guard.readings.registry import READINGS, reading_names
from collapse_guard.readings.strata import strata_readings
from tests.docs.pages import DOCS, text_of
from tests.docs.user import make_tokenizer, texts
from tests.tiny import tiny_panel, tiny_reference, zipf_documents

_TAKEN = {
    "each look": "at each look",
    "whole panel": "at the whole panel",
    "writes text": "at the whole panel, writing",
}


def table(heads: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join(f"| {' | '.join(map(str, cells))} |" for cells in lines)


def kinds_table(kinds: Iterable[ReadingKind]) -> str:
    return table(
        ("reading", "what it is", "unit", "worse", "taken"),
        (
            (f"`{kind.name}`", kind.meaning, kind.unit or "ratio", kind.bad, _TAKEN[kind.cost])
            for kind in kinds
        ),
    )


def readings_table(needs: Needs | None) -> str:
    return kinds_table(READINGS[name] for name in reading_names(needs=needs))


def keys_table() -> str:
    """What a monitor logs beside its readings, with the readings as a pattern."""
    keys = record_keys(CollapseMonitor(tiny_panel(), sampling=None))
    errors = [key.removesuffix("_se") for key in keys if key.endswith("_se")]
    named = {*reading_names(), *(key for key in keys if key.endswith("_se"))}
    meanings = {
        "alerts": "alerts so far",
        "overhead": "share of the training time that all looks so far have taken",
        "watched": "1 at each look at the whole panel; 0 where the run cannot be looked at",
    }
    return table(
        ("key", "what it is"),
        [
            ("`collapse/<reading>`", "each reading that was taken; small looks have a part"),
            ("`collapse/<reading>_se`", f"standard error of {', '.join(errors)}"),
            *((f"`collapse/{key}`", meanings[key]) for key in keys if key not in named),
        ],
    )


def by_hand_table() -> str:
    panel = tiny_panel()
    kinds = {
        "band_readings": band_readings(frequency_bands(tiny_reference(), 2)),
        "contextual_reading": (contextual_reading(below=0.01),),
        "rare_ngram_reading": (
            rare_ngram_reading(panel, zipf_documents(4, seed=1), n=3, max_count=1),
        ),
        "hidden_state_reading": (hidden_state_reading(),),
        "rare_word_reading": (_rare_word_reading(),),
        "strata_readings": strata_readings(panel, ["en", "de"] * 6),
        "log_odds_reading": (log_odds_reading("owl", continuation_pairs([[1]], [2], [3])),),
    }
    return table(
        ("made by", "readings", "unit", "worse"),
        (
            (
                f"`{maker}`",
                ", ".join(f"`{kind.name}`" for kind in made),
                # In the order that they come in, each once.
                ", ".join(dict.fromkeys(kind.unit or "ratio" for kind in made)),
                ", ".join(dict.fromkeys(kind.bad for kind in made)),
            )
            for maker, made in kinds.items()
        ),
    )


def _rare_word_reading() -> ReadingKind:
    tokenizer, human = make_tokenizer(), texts(8, seed=1)
    ids = [tokenizer.encode(text) for text in human]
    reference = HumanReference.from_token_ids(ids, vocab_size=len(tokenizer), tokenizer=tokenizer)
    panel = HeldOutPanel.from_texts(texts(4, seed=2), tokenizer, reference)
    return rare_word_reading(panel, human, tokenizer)


def rules_table(rules: Iterable[Threshold]) -> str:
    return table(
        ("rule", "severity", "what the reading is"),
        ((f"`{rule}`", rule.severity, READINGS[rule.reading].meaning) for rule in rules),
    )


def costs_table() -> str:
    return table(
        ("pass", "MB/s on one core", "hours a TB, one node", "hours, 16 nodes", "GB that travel"),
        costs(),
    )


def tails_table(memory: int | None) -> str:
    heads = ("model text among new text", *TRAININGS, "of the web")
    return table(heads, tails(memory))


TABLES = {
    "on human text": lambda: readings_table(None),
    "against_base": lambda: readings_table("against_base"),
    "control": lambda: readings_table("control"),
    "prequential": lambda: readings_table("prequential"),
    "sampling": lambda: readings_table("sampling"),
    "logged keys": keys_table,
    "by hand": by_hand_table,
    "default rules": lambda: rules_table(default_rules(sampling=True)),
    "flattening rules": lambda: rules_table(flattening_rules()),
    "scale costs": costs_table,
    "tails of the whole web": lambda: tails_table(None),
    "tails of the newest crawl": lambda: tails_table(1),
    "first losses": lambda: table(("model text among new text", *TRAININGS), losses()),
    "least floors": lambda: table(
        ("sampler", "leaves", "plain", "half matched", "0.9 matched", "all matched"), floors()
    ),
}
"""What makes each table, by the name that a page calls it by."""

_MARKED = re.compile(r"(<!-- table: (?P<name>[\w ]+) -->\n).*?(<!-- end -->)", flags=re.DOTALL)


def filled_in(text: str) -> str:
    """A page with its tables as the code has them."""
    return _MARKED.sub(lambda found: f"{found[1]}{TABLES[found['name']]()}\n{found[3]}", text)


def named(text: str) -> list[str]:
    """Names of the tables of a page."""
    return [found["name"] for found in _MARKED.finditer(text)]


def main() -> None:
    """Write the tables."""
    for page in DOCS:
        page.write_text(filled_in(text_of(page)), encoding="utf-8")


if __name__ == "__main__":
    main()
