"""What a run was trained on, as a data-set card of the Hugging Face Hub."""

import os
import re
from collections.abc import Sequence
from pathlib import Path

from collapse_guard.arguments import text
from collapse_guard.atomic import write_atomically
from collapse_guard.mixing.reports.shown_sources import ShownMix, ShownSource, Told, shown_mix

# Licences that the Hub knows by these names; it takes any other as "other", with a name of its own.
_HUB_LICENCES = (
    "afl-3.0 agpl-3.0 apache-2.0 artistic-2.0 bigscience-bloom-rail-1.0 bigscience-openrail-m "
    "bsd-2-clause bsd-3-clause bsl-1.0 cc0-1.0 cc-by-2.0 cc-by-2.5 cc-by-3.0 cc-by-4.0 "
    "cc-by-nc-2.0 cc-by-nc-3.0 cc-by-nc-4.0 cc-by-nc-nd-3.0 cc-by-nc-nd-4.0 cc-by-nc-sa-2.0 "
    "cc-by-nc-sa-3.0 cc-by-nc-sa-4.0 cc-by-nd-4.0 cc-by-sa-3.0 cc-by-sa-4.0 cdla-permissive-1.0 "
    "cdla-permissive-2.0 cdla-sharing-1.0 creativeml-openrail-m epl-2.0 eupl-1.1 gfdl gpl-2.0 "
    "gpl-3.0 isc lgpl-2.1 lgpl-3.0 llama2 llama3 llama3.1 llama3.2 llama3.3 mit mpl-2.0 odbl "
    "odc-by openrail openrail++ osl-3.0 pddl unlicense wtfpl zlib"
)

_SIZES = (
    (10**3, "n<1K"),
    (10**4, "1K<n<10K"),
    (10**5, "10K<n<100K"),
    (10**6, "100K<n<1M"),
    (10**7, "1M<n<10M"),
    (10**8, "10M<n<100M"),
    (10**9, "100M<n<1B"),
)

_COLUMNS = (
    "source",
    "kind",
    "rows",
    "shown",
    "share",
    "different",
    "more than once",
    "generation",
    "licence",
    "decoding",
)


def data_card(told: Told, *, name: str) -> str:
    """What was shown, as the Markdown of a data-set card: YAML on top, a line for each source.

    The licence on top is that of the sources, where the Hub knows all of theirs, and otherwise
    "other", by the names that they have.

    Args:
        told: What `report` of a mix gives, a ledger, or the path of one or of its folder.
        name: Of the mix, as its title.

    Raises:
        ArgumentError: There is no such report or ledger, or it does not add up.
        OSError: There is no such file.

    Example:
        >>> source = {"name": "web", "kind": "human", "generation": 0, "licence": "CC-BY-4.0"}
        >>> told = {"sources": [{**source, "shown": 8, "rows": 5, "decoding": None}]}
        >>> print(data_card(told, name="My mix").splitlines()[2])
        license: cc-by-4.0
    """
    text(hint="give the title of the card")("name", name)
    mix = shown_mix(told)
    lines = [
        "---",
        f"pretty_name: {_yaml(name)}",
        *_licence_lines(mix.sources),
        *_size_lines(mix),
        "tags:",
        *(["- synthetic"] if _has_synthetic(mix) else []),
        "- collapse_guard",
        "---",
        "",
        f"# {_cell(name)}",
        "",
        mix.summary,
        "",
        f"| {' | '.join(_COLUMNS)} |",
        f"| {' | '.join('---' for _ in _COLUMNS)} |",
        *(f"| {' | '.join(_cells(mix, source))} |" for source in mix.sources),
        "",
        "*Shown* counts a row each time; *generation* is how many models stand between human text "
        "and a row; *decoding* is how a model drew its tokens. Counted by collapse_guard.",
    ]
    return "\n".join(lines) + "\n"


def write_data_card(path: str | os.PathLike[str], told: Told, *, name: str) -> Path:
    """Write a `data_card`, so that a kill at any moment leaves the old file or the new one.

    Args:
        path: Of the file, such as `README.md` in the folder of a data set.
        told: As of `data_card`.
        name: As of `data_card`.

    Returns:
        The path.

    Raises:
        ArgumentError: As of `data_card`.
    """
    card = data_card(told, name=name)
    write_atomically(path, card)
    return Path(path)


def _cells(mix: ShownMix, source: ShownSource) -> list[str]:
    return [
        _cell(source.name),
        "human" if source.is_human else "synthetic",
        _count(source.rows),
        _count(source.shown),
        f"{mix.share(source):.1%}",
        _count(source.unique),
        _count(source.repeated),
        str(source.generation),
        _cell(source.licence or "unknown"),
        _cell(source.decoding_text or "-"),
    ]


def _cell(words: str) -> str:
    """Words that stay within their cell, and are no markup."""
    plain = "".join(each for each in " ".join(words.split()) if each.isprintable())
    plain = plain.replace("&", "&amp;").replace("<", "&lt;")
    return re.sub(r"([\\|`*_\[\]#])", r"\\\1", plain)


def _count(count: int | None) -> str:
    return "unknown" if count is None else f"{count:,}"


def _yaml(words: str) -> str:
    """Words in quotes, as YAML and the files that hold it take any of them."""
    return f'"{"".join(map(_escaped, words))}"'


def _escaped(letter: str) -> str:
    if letter in '"\\':
        return f"\\{letter}"
    return letter if letter.isprintable() else f"\\U{ord(letter):08x}"


def _has_synthetic(mix: ShownMix) -> bool:
    return any(source.shown for source in mix.sources if not source.is_human)


def _licence_lines(sources: Sequence[ShownSource]) -> list[str]:
    named = list(dict.fromkeys(source.licence or "unknown" for source in sources))
    hub = _HUB_LICENCES.split()
    known = [licence.lower() for licence in named if licence.lower() in hub]
    if named in ([], ["unknown"]):
        return ["license: unknown"]
    if len(known) < len(named):
        return ["license: other", f"license_name: {_yaml('; '.join(named))}"]
    known = list(dict.fromkeys(known))
    return [f"license: {known[0]}"] if len(known) == 1 else ["license:", *(f"- {k}" for k in known)]


def _size_lines(mix: ShownMix) -> list[str]:
    if any(source.unique is None for source in mix.sources):
        return []
    rows = sum(source.unique or 0 for source in mix.sources)
    size = next((words for most, words in _SIZES if rows < most), "n>1B")
    return ["size_categories:", f"- {size}"]
