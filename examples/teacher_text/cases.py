"""Whose text the student reads, how it was drawn, and what the student is looked at on."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from collapse_guard import Decoding
from collapse_guard.examples.recursive_finetune.corpus import Corpus
from collapse_guard.examples.recursive_finetune.human_text import (
    HumanText,
    Rows,
    prepare_human_text,
)
from collapse_guard.examples.recursive_finetune.processes import Processes
from collapse_guard.examples.recursive_finetune.settings import Settings
from collapse_guard.examples.teacher_text.people import Person, prepare, taught

OWN = {
    "own text, T 0.8": Decoding(0.8),
    "own text, T 0.6": Decoding(0.6),
    "own text, T 1": Decoding(),
    "own text, top-k 50": Decoding(top_k=50),
    "own text, top-p 0.9": Decoding(top_p=0.9),
    "own text, T 0.8, top-p 0.95": Decoding(0.8, top_p=0.95),
}
OTHER_SIZES = {
    "teacher of 2,048 types, student of 1,024, T 0.8": {"vocab_size": 1024, "hidden_size": 96},
    "teacher of 2,048 types, student of 4,096, T 0.8": {"vocab_size": 4096, "hidden_size": 160},
}
OTHER_DOMAIN = ("human text of another domain", "teacher of another domain, T 0.8")


@dataclass(frozen=True)
class Case:
    """Rows for a student.

    Attributes:
        student: Who reads them.
        rows: int64 of shape (rows, window), in the student's tokens.
        decoding: How they were drawn; None where they were not.
        human: Human text of the rows' domain in the student's tokens: the panel that the student
            is looked at on, and rows by which a decoding is found.
    """

    student: Person
    rows: Rows
    decoding: Decoding | None
    human: HumanText


class Cases:
    """Every case of one seed; models are made when they are first needed, and kept.

    Args:
        settings: Of the seed.
        corpus: The human text of all models.
        other: Human text of another domain; None to leave its cases out.
        folder: Where models are kept.
        processes: Of the run.
    """

    def __init__(
        self,
        settings: Settings,
        corpus: Corpus,
        other: Corpus | None,
        folder: Path,
        processes: Processes,
    ) -> None:
        self._settings = settings
        self._corpus = corpus
        self._other = other
        self._folder = folder / f"seed-{settings.seed}"
        self._processes = processes

    @property
    def names(self) -> list[str]:
        """What `case` takes."""
        return [*OWN, *OTHER_SIZES, *(OTHER_DOMAIN if self._other is not None else ())]

    def case(self, name: str) -> Case:
        """The rows of a case."""
        if name in OWN:
            return self._own(OWN[name])
        if name in OTHER_SIZES:
            return self._of_another_size(OTHER_SIZES[name])
        makers: Mapping[str, Callable[[], Case]] = dict(
            zip(OTHER_DOMAIN, (self._human_of_another_domain, self._of_another_domain), strict=True)
        )
        return makers[name]()

    def _own(self, decoding: Decoding) -> Case:
        return Case(self._teacher, self._written(self._teacher, decoding), decoding, self._human)

    def _of_another_size(self, sizes: Mapping[str, Any]) -> Case:
        student = self._person(**sizes)
        decoding = Decoding(0.8)
        # More than are needed, since a tokenizer of more types makes fewer rows of a text.
        settings = replace(self._teacher.settings, rows=2 * self._settings.rows)
        written = self._written(replace(self._teacher, settings=settings), decoding)
        texts = self._teacher.tokenizer.batch_decode(written[:, 1:])
        return Case(student, student.reread(texts), decoding, student.human)

    def _human_of_another_domain(self) -> Case:
        return Case(self._teacher, self._elsewhere.rows[1], None, self._elsewhere)

    def _of_another_domain(self) -> Case:
        lessons = self._elsewhere.rows[1:].reshape(-1, self._settings.window)
        model, _ = taught(self._teacher, lessons, None, self._processes)
        decoding = Decoding(0.8)
        rows = self._teacher.write(
            model, self._processes, seed=self._settings.seed + 5, temperature=0.8
        )
        return Case(self._teacher, rows, decoding, self._elsewhere)

    @cached_property
    def _teacher(self) -> Person:
        return self._person()

    @property
    def _human(self) -> HumanText:
        return self._teacher.human

    @cached_property
    def _elsewhere(self) -> HumanText:
        if self._other is None:
            raise RuntimeError("there is no text of another domain")
        # A model from elsewhere may be trained on all that is not held out.
        settings = replace(self._settings, model="elsewhere", generations=3)
        return prepare_human_text(settings, self._other, self._teacher.tokenizer)

    def _person(self, **sizes: Any) -> Person:
        name = "-".join(str(size) for size in sizes.values()) or "teacher"
        settings = replace(self._settings, **sizes)
        return prepare(settings, self._corpus, self._folder / name, self._processes)

    def _written(self, person: Person, decoding: Decoding) -> Rows:
        drawn = {name: getattr(decoding, name) for name in ("temperature", "top_k", "top_p")}
        model = person.model(self._processes)
        return person.write(model, self._processes, seed=self._settings.seed + 5, **drawn)
