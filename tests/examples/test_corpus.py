"""Three parts that share no document, from wherever the text comes."""

from itertools import chain
from pathlib import Path

import pytest
from datasets import Dataset
from hypothesis import given, strategies as st

from collapse_guard.errors import ArgumentError
from collapse_guard.examples.recursive_finetune.articles import wikitext_articles
from collapse_guard.examples.recursive_finetune.corpus import (
    ENOUGH_FOR_AN_ALARM,
    SHARES,
    article_shares,
    load_corpus,
    split_by_group,
    split_in_order,
)
from collapse_guard.examples.recursive_finetune.python_documentation import SHORTEST_PARAGRAPH

PARTS = list(SHARES)


def document(number: int) -> str:
    return f"Document {number} is made of words and long enough to be kept."


@given(
    st.dictionaries(
        st.text("abcdef", min_size=1, max_size=3),
        st.lists(st.text("xyz", min_size=1, max_size=20), min_size=1, max_size=4),
        max_size=12,
    )
)
def test_groups_stay_whole(groups: dict[str, list[str]]) -> None:
    tagged = {
        name: [f"{name} {n} {text}" for n, text in enumerate(texts)]
        for name, texts in groups.items()
    }
    parts = split_by_group(tagged)
    assert sorted(chain(*parts.values())) == sorted(chain(*tagged.values()))
    for part in parts.values():
        owners = {text.split()[0] for text in part}
        assert set(part) == {text for owner in owners for text in tagged[owner]}
    assert split_by_group(dict(reversed(tagged.items()))) == parts


def test_groups_are_dealt_by_size() -> None:
    parts = split_by_group({f"group {n}": ["x" * (n % 7 + 1)] for n in range(500)})
    sizes = {part: sum(map(len, texts)) for part, texts in parts.items()}
    for part, share in SHARES.items():
        assert sizes[part] / sum(sizes.values()) == pytest.approx(share, abs=0.01)


@given(st.integers(0, 200))
def test_stretches_follow_each_other(count: int) -> None:
    documents = [str(number) for number in range(count)]
    parts = split_in_order(documents, SHARES)
    assert [text for part in PARTS for text in parts[part]] == documents
    for part, share in SHARES.items():
        assert len(parts[part]) == pytest.approx(count * share, abs=1)


def test_a_text_file_is_cut_at_blank_lines(tmp_path: Path) -> None:
    path = tmp_path / "human.txt"
    texts = [document(number) for number in range(50)]
    path.write_text("\n\n".join([*texts, "Short.", texts[0]]), encoding="utf-8")
    corpus = load_corpus(str(path))
    assert corpus.name == "human.txt"
    assert [*corpus.pretraining, *corpus.training, *corpus.held_out] == texts
    assert corpus.held_out == tuple(texts[45:])
    assert not corpus.whole_articles


@pytest.mark.parametrize("blank", [" ", "\t", "  \t ", "\n", " \n\n "])
def test_a_line_of_spaces_is_blank(tmp_path: Path, blank: str) -> None:
    path = tmp_path / "human.txt"
    texts = [f"{document(number)}\nIt goes on in a second line." for number in range(50)]
    path.write_text(f"\n{blank}\n".join(texts), encoding="utf-8")
    corpus = load_corpus(str(path))
    assert [*corpus.pretraining, *corpus.training, *corpus.held_out] == texts


@given(
    st.lists(
        st.text("ab =\n\u00a0\u2028", max_size=60).filter(
            # No line of spaces alone, and no title at the beginning: those were never right.
            lambda text: all(line.strip() or not line for line in text.split("\n"))
        ),
        min_size=1,
        max_size=8,
    )
)
def test_other_text_files_are_cut_as_ever(
    tmp_path_factory: pytest.TempPathFactory, pieces: list[str]
) -> None:
    path = tmp_path_factory.mktemp("corpus") / "human.txt"
    text = "\n\n".join([*(document(number) for number in range(9)), *pieces])
    path.write_text(text, encoding="utf-8", newline="\n")
    stripped = dict.fromkeys(part.strip() for part in text.split("\n\n"))
    kept = [part for part in stripped if len(part) >= SHORTEST_PARAGRAPH]
    corpus = load_corpus(str(path))
    assert {part: getattr(corpus, part) for part in PARTS} == split_in_order(kept, SHARES)


def wikitext(articles: int, *, paragraphs: int = 3) -> str:
    """A file as WikiText is published: a space before each line and after it."""
    lines = []
    for number in range(articles):
        lines += ["", f"= Article <unk> {number} ( with a title of more than forty letters ) =", ""]
        for section in range(paragraphs):
            lines += [f"{document(number)} Section {section} says = this much = ."]
            lines += ["", f"= = A section with a long name , that is number {section} = =", ""]
            lines += ["Short .", "= x = =", "= A line by its look alone ="]
    return "".join(f" {line} \n" if line else " \n" for line in lines)


def test_wikitext_is_read_article_by_article(tmp_path: Path) -> None:
    path = tmp_path / "wiki.valid.tokens"
    path.write_text(wikitext(20), encoding="utf-8")
    corpus = load_corpus(str(path))
    documents = [*corpus.pretraining, *corpus.training, *corpus.held_out]
    assert documents == [
        "\n".join(f"{document(number)} Section {n} says = this much = ." for n in range(3))
        for number in range(20)
    ]
    assert len(corpus.held_out) == 2
    assert corpus.whole_articles


@given(st.integers(0, 2_000))
def test_articles_are_held_out_for_an_alarm(count: int) -> None:
    parts = split_in_order([str(number) for number in range(count)], article_shares(count))
    sizes = {part: len(articles) for part, articles in parts.items()}
    assert sum(sizes.values()) == count
    if count >= ENOUGH_FOR_AN_ALARM + 2:
        assert min(sizes.values()) >= 1
        expected = max(ENOUGH_FOR_AN_ALARM, count * SHARES["held_out"])
        assert sizes["held_out"] >= ENOUGH_FOR_AN_ALARM
        assert sizes["held_out"] == pytest.approx(expected, abs=1)
        # What is left is dealt as ever.
        left = sizes["pretraining"] + sizes["training"]
        assert sizes["pretraining"] == pytest.approx(left * 0.58 / 0.9, abs=1)
    else:
        assert parts == split_in_order([str(number) for number in range(count)], SHARES)


def test_thirty_of_sixty_articles_are_held_out(tmp_path: Path) -> None:
    path = tmp_path / "wiki.valid.tokens"
    # An article that stands there twice counts once.
    path.write_text(wikitext(60) + wikitext(5), encoding="utf-8")
    corpus = load_corpus(str(path))
    assert [len(getattr(corpus, part)) for part in PARTS] == [19, 11, 30]
    assert not set(corpus.held_out) & {*corpus.pretraining, *corpus.training}


@pytest.mark.parametrize(
    "text",
    [
        document(0) + "\n\n" + wikitext(9),
        wikitext(9).replace("\n \n", "\n"),
        wikitext(9).replace("= Article", "= = Article"),
        wikitext(9).replace("= Article", "Article"),
    ],
    ids=["text first", "no blank lines", "two levels", "half a heading"],
)
def test_another_form_is_not_taken_for_wikitext(text: str) -> None:
    assert wikitext_articles(text) is None


def test_splits_of_a_data_set_are_kept(tmp_path: Path) -> None:
    shared = document(0)
    train = [document(number) for number in range(10)]
    (tmp_path / "train.txt").write_text("\n".join([*train, "= Heading ="]), encoding="utf-8")
    (tmp_path / "test.txt").write_text("\n".join([shared, document(99)]), encoding="utf-8")
    corpus = load_corpus(str(tmp_path))
    assert [*corpus.pretraining, *corpus.training] == train
    # What stands in the training split cannot be held out.
    assert corpus.held_out == (document(99),)
    with pytest.raises(ArgumentError, match="--text-column"):
        load_corpus(str(tmp_path), column="content")


def saved_wikitext(folder: Path, **articles: list[int]) -> None:
    """A data set as the hub has WikiText: a row for each line, and blank lines as empty rows."""
    folder.mkdir(exist_ok=True)
    for split, numbers in articles.items():
        rows = []
        for number in numbers:
            rows += [
                "",
                f" = Article <unk> {number} ( with a title of more than forty letters ) = ",
            ]
            rows += ["", f" {document(number)} It has a first paragraph . "]
            rows += [f" {document(number)} It has a second one . ", "", " = = Section = = ", ""]
            rows += [" Short . ", f" {document(number)} It says = this much = . "]
        rows = [row and f"{row}\n" for row in rows]
        Dataset.from_dict({"text": rows}).to_parquet(folder / f"{split}.parquet")


def article(number: int) -> str:
    said = ("It has a first paragraph .", "It has a second one .", "It says = this much = .")
    return "\n".join(f"{document(number)} {sentence}" for sentence in said)


def test_rows_of_wikitext_are_joined_to_articles(tmp_path: Path) -> None:
    # An article of the training split cannot be held out.
    saved_wikitext(tmp_path / "three", train=[*range(20)], validation=[50, 3, 51], test=[90])
    corpus = load_corpus(str(tmp_path / "three"))
    assert corpus.whole_articles
    assert [*corpus.pretraining, *corpus.training] == [article(number) for number in range(20)]
    assert corpus.held_out == (article(50), article(51))
    # Without a split to hold out: enough articles for an alarm, as of a file.
    saved_wikitext(tmp_path / "one", train=[*range(60), 7])
    corpus = load_corpus(str(tmp_path / "one"))
    assert [len(getattr(corpus, part)) for part in PARTS] == [19, 11, 30]
    assert corpus.held_out == tuple(article(number) for number in range(30, 60))


def test_rows_are_documents_where_a_split_is_not_wikitext(tmp_path: Path) -> None:
    saved_wikitext(tmp_path, train=[*range(5)])
    held_out = [document(number) for number in range(90, 93)]
    Dataset.from_dict({"text": held_out}).to_parquet(tmp_path / "test.parquet")
    corpus = load_corpus(str(tmp_path))
    assert not corpus.whole_articles
    assert corpus.held_out == tuple(held_out)
    assert f"{document(0)} It has a first paragraph ." in corpus.pretraining


@pytest.mark.parametrize(
    ("text", "held"),
    [
        ("", 0),
        (" \n \n", 0),
        ("Short.\n\nShort, too.", 0),
        (" = Title = \n \n Short . \n", 0),
        # One document cannot be in three parts.
        (document(0), 1),
        ("\n".join(document(number) for number in range(50)), 1),
        ("\n\n".join(document(number) for number in range(4)), 4),
        (wikitext(3), 3),
    ],
    ids=["empty", "blank", "short", "short articles", "one", "no blank lines", "four", "articles"],
)
def test_a_file_without_enough_documents_is_an_error(tmp_path: Path, text: str, held: int) -> None:
    path = tmp_path / "human.txt"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(
        ArgumentError, match=rf"human\.txt, which holds {held}'.*blank lines between documents"
    ):
        load_corpus(str(path))


def test_a_data_set_without_enough_documents_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "train.txt").write_text(document(0), encoding="utf-8")
    (tmp_path / "test.txt").write_text(document(1), encoding="utf-8")
    with pytest.raises(ArgumentError, match=r"which holds 2'"):
        load_corpus(str(tmp_path))


def test_a_file_that_is_no_text_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "human.txt"
    path.write_bytes(b"\xff\xfe caf\xe9")
    with pytest.raises(ArgumentError, match=r"a text file in UTF-8, but got 'human\.txt'"):
        load_corpus(str(path))


def test_the_default_is_the_same_every_time() -> None:
    corpus = load_corpus(None)
    assert load_corpus(None) == corpus
    assert not set(corpus.held_out) & {*corpus.pretraining, *corpus.training}
    assert not set(corpus.pretraining) & set(corpus.training)
    characters = corpus.characters()
    for part, share in SHARES.items():
        assert characters[part] / sum(characters.values()) == pytest.approx(share, abs=0.01)
