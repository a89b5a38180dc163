"""Texts as users give them: told apart from what is none, and compared by what they say."""

import os
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from collapse_guard.arguments import members
from collapse_guard.errors import ArgumentError, bad_argument


def check_documents(argument: str, given: Any) -> None:
    """Refuse one text, a path or a table in place of many documents.

    Args:
        argument: The argument's name.
        given: What was given for it.

    Raises:
        ArgumentError: It is no iterable of documents.
    """
    if isinstance(given, str | bytes | os.PathLike | Mapping | type) or not isinstance(
        given, Iterable
    ):
        raise _no_documents(argument, given)


def checked_texts(argument: str, given: Iterable[str]) -> Iterator[str]:
    """The texts one by one, the first of which tells whether they are texts at all.

    Raises:
        ArgumentError: One text, a path, paths, rows of a table, or anything else that is no text.
    """
    check_documents(argument, given)
    wanted = {"expected": "a list of texts", "hint": "write [text] for one document"}
    for number, text in enumerate(members(argument, given, **wanted)):
        if not isinstance(text, str) or (number == 0 and _is_path(text)):
            raise _no_documents(argument, text)
        yield text


def same_words(text: str) -> str:
    r"""The text in one Unicode form (NFKC), with single spaces: what two copies have in common.

    Example:
        >>> same_words("ﬁne\u00a0 cafe\u0301\n") == same_words("fine caf\u00e9")
        True
    """
    return " ".join(unicodedata.normalize("NFKC", text).split())


def _is_path(text: str) -> bool:
    # Nobody's document is the name of a file that lies there.
    return len(text) < 1024 and "\n" not in text and "\0" not in text and os.path.isfile(text)


def _no_documents(argument: str, given: Any) -> ArgumentError:
    return bad_argument(
        argument,
        expected="a list of documents, each of them a text (or its token ids, where those are "
        "asked for)",
        given=given,
        hint='write [text] for one document, Path(path).read_text().split("\\n\\n") for a file '
        'of paragraphs, or dataset["text"] for a column',
    )
