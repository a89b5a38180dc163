"""What a run was trained on, as Croissant metadata: JSON-LD that machines read."""

import json
import os
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Any

from collapse_guard.arguments import text
from collapse_guard.atomic import write_atomically
from collapse_guard.errors import bad_argument
from collapse_guard.mixing.reports.shown_sources import ShownMix, ShownSource, Told, shown_mix

_CONFORMS_TO = ("http://mlcommons.org/croissant/1.1", "http://mlcommons.org/croissant/RAI/1.0")

# Terms of Croissant 1.1 that can be written without their prefix; those of schema.org need none.
_CROISSANT_TERMS = (
    "arrayShape citeAs column containedIn equivalentProperty extract field fileObject "
    "fileProperty fileSet format includes isArray isLiveDataset jsonPath key md5 parentField path "
    "recordSet references regex repeated replace samplingRate separator source subField transform"
)

_CONTEXT: dict[str, Any] = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "sc": "https://schema.org/",
    "cr": "http://mlcommons.org/croissant/",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "dct": "http://purl.org/dc/terms/",
    "prov": "http://www.w3.org/ns/prov#",
    "conformsTo": "dct:conformsTo",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "examples": {"@id": "cr:examples", "@type": "@json"},
    "description": {"@container": "@language"},
    "name": {"@container": "@language"},
    **{term: f"cr:{term}" for term in _CROISSANT_TERMS.split()},
}

_FIELDS = (
    ("name", "sc:Text", "Name of the source."),
    ("kind", "sc:Text", "Who wrote its rows: human or synthetic."),
    ("generation", "sc:Integer", "Models between human text and its rows."),
    ("licence", "sc:Text", "Licence of its rows."),
    ("rows", "sc:Integer", "Rows in the source."),
    ("shown", "sc:Integer", "Times that one of its rows was shown."),
    ("share", "sc:Float", "Share of all showings, from 0 to 1."),
    ("unique", "sc:Integer", "Different rows that were shown."),
    ("repeated", "sc:Integer", "Rows that were shown more than once."),
    ("decoding", "sc:Text", "How a model drew its tokens."),
)


def croissant(
    told: Told,
    *,
    name: str,
    url: str,
    creator: str,
    published: str,
    description: str | None = None,
) -> dict[str, Any]:
    """What was shown, as Croissant 1.1 metadata, with its provenance in the terms of PROV.

    The sources are one record each of the record set `sources`, and what the mix was derived from
    (`prov:wasDerivedFrom`), each with its licence. `rai:hasSyntheticData` says whether any row that
    was shown was a model's.

    Args:
        told: What `report` of a mix gives, a ledger, or the path of one or of its folder.
        name: Of the mix.
        url: Of the page of the mix.
        creator: Who mixed it: an organization, or a person.
        published: The day, as YYYY-MM-DD.
        description: Of the mix; None for a sentence on what was shown.

    Returns:
        Plain nested dicts, ready for JSON.

    Raises:
        ArgumentError: There is no such report or ledger, or it does not add up; or another argument
            is no text, or no day.
        OSError: There is no such file.
    """
    for argument, value in (("name", name), ("url", url), ("creator", creator)):
        text(hint="give what the metadata shall say")(argument, value)
    mix = shown_mix(told)
    licences = list(dict.fromkeys(source.licence or "unknown" for source in mix.sources))
    activity = {
        "@type": "prov:Activity",
        "name": "Mixing under a floor of human rows",
        "prov:wasAssociatedWith": {"@type": "prov:SoftwareAgent", "name": "collapse_guard"},
        "prov:used": [{"@id": _id(number)} for number in range(len(mix.sources))],
    }
    return {
        "@context": _CONTEXT,
        "@type": "sc:Dataset",
        "conformsTo": list(_CONFORMS_TO),
        "name": name,
        "description": mix.summary if description is None else _described(description),
        "url": url,
        "license": licences or ["unknown"],
        "creator": {"@type": "sc:Organization", "name": creator},
        "datePublished": _day(published),
        "distribution": [],
        "recordSet": [_record_set(mix)],
        "rai:hasSyntheticData": any(s.shown for s in mix.sources if not s.is_human),
        "rai:dataCollection": mix.summary,
        "prov:wasDerivedFrom": [_entity(*each) for each in enumerate(mix.sources)],
        "prov:wasGeneratedBy": activity,
    }


def write_croissant(
    path: str | os.PathLike[str],
    told: Told,
    *,
    name: str,
    url: str,
    creator: str,
    published: str,
    description: str | None = None,
) -> Path:
    """Write `croissant` metadata, so that a kill at any moment leaves the old file or the new one.

    Args:
        path: Of the file, such as `croissant.json`.
        told: As of `croissant`, as are the others.
        name: As of `croissant`.
        url: As of `croissant`.
        creator: As of `croissant`.
        published: As of `croissant`.
        description: As of `croissant`.

    Returns:
        The path.

    Raises:
        ArgumentError: As of `croissant`.
    """
    metadata = croissant(
        told, name=name, url=url, creator=creator, published=published, description=description
    )
    write_atomically(path, json.dumps(metadata, indent=1, allow_nan=False) + "\n")
    return Path(path)


def _record_set(mix: ShownMix) -> dict[str, Any]:
    return {
        "@type": "cr:RecordSet",
        "@id": "sources",
        "name": "sources",
        "description": "What was shown of each source.",
        "key": {"@id": "sources/name"},
        "field": [
            {
                "@type": "cr:Field",
                "@id": f"sources/{name}",
                "name": name,
                "description": description,
                "dataType": kind,
            }
            for name, kind, description in _FIELDS
        ],
        "data": [_record(mix, source) for source in mix.sources],
    }


def _record(mix: ShownMix, source: ShownSource) -> dict[str, Any]:
    values: Sequence[Any] = (
        source.name,
        "human" if source.is_human else "synthetic",
        source.generation,
        source.licence or "unknown",
        source.rows,
        source.shown,
        mix.share(source),
        source.unique,
        source.repeated,
        source.decoding_text,
    )
    names = (name for name, _, _ in _FIELDS)
    return {f"sources/{name}": value for name, value in zip(names, values, strict=True)}


def _entity(number: int, source: ShownSource) -> dict[str, Any]:
    entity: dict[str, Any] = {
        "@type": "prov:Entity",
        "@id": _id(number),
        "name": source.name,
        "license": source.licence or "unknown",
    }
    if not source.is_human:
        entity["prov:wasGeneratedBy"] = {
            "@type": "prov:Activity",
            "name": f"Written by a model of generation {source.generation}, decoding: "
            f"{source.decoding_text or 'unknown'}",
        }
    return entity


def _id(number: int) -> str:
    return f"source-{number}"


def _described(description: str) -> str:
    text(hint="leave it out for a sentence on what was shown")("description", description)
    return description


def _day(published: Any) -> str:
    wanted = {"expected": "a day as YYYY-MM-DD", "hint": 'give e.g. "2026-01-31"'}
    try:
        return date.fromisoformat(published).isoformat()
    except (TypeError, ValueError):
        raise bad_argument("published", given=published, **wanted) from None
