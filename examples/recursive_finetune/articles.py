"""Articles of WikiText, out of its lines: of a file as published, or of a data set's rows.

Each line is a paragraph, or a heading between equals signs, or holds a single space; an article
begins with a heading of one level (Merity et al. 2016, arXiv 1609.07843):

     = Homarus gammarus =

     Homarus gammarus , known as the European lobster ...

     = = Description = =
"""

import re

from collapse_guard.examples.recursive_finetune.python_documentation import SHORTEST_PARAGRAPH

_HEADING = re.compile(r"=( .*)? =")
_TITLE = re.compile(r"= (?!= ).*(?<! =) =")


def wikitext_articles(text: str) -> list[str] | None:
    """The articles of a text in WikiText's form, without headings and short lines.

    Args:
        text: A whole file, or rows end to end, a line each.

    Returns:
        Each article's paragraphs of at least 40 characters, one a line, in the order of the file.
        None for a text in another form: no heading of one level, with blank lines before and after
        it, stands at its beginning.
    """
    lines = [line.strip() for line in text.split("\n")]
    first = next((number for number, line in enumerate(lines) if line), 0)
    titles = {number for number in range(first, len(lines)) if _is_title(lines, number)}
    if first not in titles:
        return None
    articles: list[list[str]] = []
    for number, line in enumerate(lines):
        if number in titles:
            articles.append([])
        elif len(line) >= SHORTEST_PARAGRAPH and not _HEADING.fullmatch(line):
            articles[-1].append(line)
    return ["\n".join(paragraphs) for paragraphs in articles if paragraphs]


def _is_title(lines: list[str], number: int) -> bool:
    # A formula in the text may stand between equals signs too, but not by itself.
    around = [*lines[max(number - 1, 0) : number], *lines[number + 1 : number + 2]]
    return bool(_TITLE.fullmatch(lines[number])) and not any(around)
