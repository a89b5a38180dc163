import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from datatrove.data import Document

from collapse_guard import ArgumentError, HumanReference
from collapse_guard.audit import ContentSample, audit_samples, audit_texts
from collapse_guard.integrations import CollapseStats, read_collapse_stats
from tests.audit.comparison.languages import zipf_texts
from tests.hostile.targets.made import Words
from tests.integrations.datatrove.corpus import read, run, saved

HUMAN = zipf_texts(1_200, seed=0)
COLD = [*zipf_texts(900, seed=1, temperature=0.7), *HUMAN[:40], *HUMAN[:20]]
ROOM = 100_000


def alone(folder: Path) -> ContentSample:
    sample = ContentSample(ROOM)
    sample.extend(read(folder))
    return sample


@pytest.mark.parametrize("tasks", [1, 3, 8])
def test_tasks_say_bit_by_bit_what_one_machine_says(tmp_path: Path, tasks: int) -> None:
    folders = {}
    for kind, texts in (("human", HUMAN), ("synthetic", COLD)):
        folder = saved(tmp_path / kind, texts, files=11)
        stats = CollapseStats(str(tmp_path / f"{kind}-stats"), characters=ROOM, tokenizer=Words())
        run(folder, [stats], tmp_path / f"{kind}-logs", tasks=tasks)
        folders[kind] = tmp_path / f"{kind}-stats"
    human, synthetic = (read_collapse_stats(str(folder)) for folder in folders.values())
    whole = audit_texts(HUMAN, COLD, characters=ROOM)
    assert whole.is_sampled
    assert audit_samples(human.sample, synthetic.sample).to_dict() == whole.to_dict()
    tokenizer = Words()
    assert human.type_counts is not None
    reference = HumanReference.from_type_counts(human.type_counts, tokenizer=tokenizer)
    ids = [tokenizer.encode(text) for text in HUMAN]
    counted = HumanReference.from_token_ids(
        ids, vocab_size=len(tokenizer.get_vocab()), tokenizer=tokenizer
    )
    assert reference.counts.tolist() == counted.counts.tolist()
    assert reference.fingerprint == counted.fingerprint


def test_documents_go_on_as_they_came(tmp_path: Path) -> None:
    documents = [
        Document(text=text, id=str(n), metadata={"file_path": str(n // 3)})
        for n, text in enumerate([*HUMAN[:8], ""])
    ]
    assert list(CollapseStats(tmp_path)(iter(documents))) == documents
    assert read_collapse_stats(tmp_path).sample.rows_of == {"0": 3, "1": 3, "2": 3}


@pytest.mark.slow
def test_a_run_that_is_killed_and_started_again_counts_each_text_once(tmp_path: Path) -> None:
    folder = saved(tmp_path / "human", HUMAN, files=8)
    command = [sys.executable, "-m", "tests.integrations.datatrove.killed", str(tmp_path)]
    dying = subprocess.Popen(command, env={**os.environ, "KILL_AT": "5"}, start_new_session=True)
    assert dying.wait() == -signal.SIGKILL
    # What it had started does not know.
    os.killpg(dying.pid, signal.SIGKILL)
    with pytest.raises(ArgumentError, match="world_size"):
        read_collapse_stats(str(tmp_path / "stats"))
    subprocess.run(command, check=True)
    found = read_collapse_stats(str(tmp_path / "stats")).sample
    assert list(found.contents()) == list(alone(folder).contents())
    assert found.rows == len(HUMAN)


@pytest.mark.slow
def test_eight_tasks_in_two_processes(tmp_path: Path) -> None:
    folder = saved(tmp_path / "human", HUMAN, files=8)
    stats = CollapseStats(str(tmp_path / "stats"), characters=ROOM)
    run(folder, [stats], tmp_path / "logs", tasks=8, workers=2)
    found = read_collapse_stats(str(tmp_path / "stats")).sample
    assert list(found.contents()) == list(alone(folder).contents())


def test_a_task_without_documents_counts_nothing(tmp_path: Path) -> None:
    folder = saved(tmp_path / "human", HUMAN[:50], files=2)
    run(folder, [CollapseStats(str(tmp_path / "stats"))], tmp_path / "logs", tasks=4)
    assert read_collapse_stats(str(tmp_path / "stats")).sample.rows == 50


def test_tasks_with_and_without_a_tokenizer_do_not_merge(tmp_path: Path) -> None:
    for rank, tokenizer in enumerate((None, Words())):
        block = CollapseStats(str(tmp_path), tokenizer=tokenizer)
        list(block.run([Document(text="a", id="a", metadata={"file_path": str(rank)})], rank, 2))
    with pytest.raises(ArgumentError, match="of all tasks, or of none"):
        read_collapse_stats(str(tmp_path))


def test_a_file_that_two_tasks_have_read_is_told(tmp_path: Path) -> None:
    for rank in range(2):
        document = Document(text="a", id="a", metadata={"file_path": "same.jsonl"})
        list(CollapseStats(str(tmp_path)).run([document], rank, 2))
    with pytest.raises(ArgumentError, match=r"counts twice, but got .*same\.jsonl"):
        read_collapse_stats(str(tmp_path))


@pytest.mark.parametrize(
    ("argument", "given"), [("tokenizer", "gpt2"), ("characters", 10), ("characters", None)]
)
def test_what_cannot_be_is_refused_at_once(tmp_path: Path, argument: str, given: Any) -> None:
    with pytest.raises(ArgumentError, match=f"`{argument}`"):
        CollapseStats(str(tmp_path), **{argument: given})
