"""Drawing a sample of texts on one machine, with Ray, and with datatrove, by the size of the files.

Texts as in `test_command_line_audit`, in 16 files of JSON lines. Each figure is of processes of its
own: seconds of the clock from the start of the program to its end, and the most memory that they
had together which they share with nobody (USS, looked at five times a second). All three come to
the same sample. `COLLAPSE_GUARD_ENGINE_MB` names other sizes; the smallest one tells what an engine
takes to start.
"""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from tests.benchmarks.test_command_line_audit import write_texts
from tests.packaging.layout import ROOT

pytestmark = pytest.mark.benchmark

MEGABYTES = [
    int(size) for size in os.environ.get("COLLAPSE_GUARD_ENGINE_MB", "2 64 256 1024").split()
]
FILES = 16

_ONE = """
import json, sys
from pathlib import Path
from collapse_guard.audit import ContentSample
sample = ContentSample(1 << 24)
for file in sorted(Path(sys.argv[1]).iterdir()):
    with file.open(encoding="utf-8") as lines:
        sample.extend((json.loads(line)["text"] for line in lines), part=file.name)
print(sample.rows, sample.limit)
"""

_RAY = """
import sys
import ray
ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False, object_store_memory=500 << 20)
from collapse_guard.integrations.ray.audit_ray import sample_ray
sample = sample_ray(ray.data.read_json(sys.argv[1], file_extensions=["jsonl"]))
ray.shutdown()
print(sample.rows, sample.limit)
"""

_DATATROVE = """
import sys
from datatrove.executor import LocalPipelineExecutor
from datatrove.pipeline.readers import JsonlReader
from collapse_guard.integrations import CollapseStats, read_collapse_stats
if __name__ == "__main__":
    steps = [JsonlReader(sys.argv[1]), CollapseStats(sys.argv[2] + "/stats")]
    LocalPipelineExecutor(steps, tasks=16, workers=2, logging_dir=sys.argv[2] + "/logs").run()
    sample = read_collapse_stats(sys.argv[2] + "/stats").sample
    print(sample.rows, sample.limit)
"""

PROGRAMS = {"one process": _ONE, "Ray, 2 processors": _RAY, "datatrove, 2 workers": _DATATROVE}


def measured(program: Path, *arguments: str) -> tuple[list[str], float, float]:
    """The last words of a program, its seconds, and the most megabytes of it and its children."""
    begin, most = time.perf_counter(), 0.0
    with (
        program.with_suffix(".log").open("w", encoding="utf-8") as log,
        subprocess.Popen(
            [sys.executable, str(program), *arguments],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        ) as running,
    ):
        while running.poll() is None:
            most = max(most, _own_memory(psutil.Process(running.pid)))
            time.sleep(0.2)
        seconds = time.perf_counter() - begin
        said = running.communicate()[0].split()
    assert running.returncode == 0, program.with_suffix(".log").read_text(encoding="utf-8")
    return said[-2:], seconds, most / 1e6


def _own_memory(process: psutil.Process) -> int:
    total = 0
    for each in [process, *process.children(recursive=True)]:
        try:
            total += each.memory_full_info().uss
        except psutil.Error:
            continue
    return total


@pytest.mark.parametrize("megabytes", MEGABYTES)
def test_a_sample_of_so_many_megabytes(tmp_path: Path, megabytes: int) -> None:
    folder = tmp_path / "texts"
    folder.mkdir()
    one = tmp_path / "one.jsonl"
    write_texts(one, megabytes, seed=0, temperature=1.0)
    lines = one.read_text(encoding="utf-8").splitlines(keepends=True)
    for number in range(FILES):
        part = lines[len(lines) * number // FILES : len(lines) * (number + 1) // FILES]
        (folder / f"{number:02d}.jsonl").write_text("".join(part), encoding="utf-8")
    size = sum(file.stat().st_size for file in folder.iterdir()) / 1e6
    count = len(lines)
    del lines
    samples = set()
    for name, program in PROGRAMS.items():
        script = tmp_path / f"{name}.py"
        script.write_text(program, encoding="utf-8")
        said, seconds, most = measured(script, str(folder), str(tmp_path / "out"))
        samples.add(tuple(said))
        print(
            f"\n| {name} | {size:,.0f} | {count:,} | {seconds:,.1f} | {count / seconds:,.0f} | "
            f"{size / seconds:,.1f} | {most:,.0f} |",
            end="",
        )
    assert len(samples) == 1
    assert json.loads(next(iter(samples))[0]) == count
