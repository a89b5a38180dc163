"""Processes that start at once: forked from servers that have imported what takes long to import.

A child that imports torch, transformers and Lightning on its own takes ten seconds before it does
anything. A server for each rank imports them once for all tests of a pytest process. A child has
nothing else from its server, and what launched processes differ by is kept apart: each rank hashes
text in its own way, so that an order that hangs on a set differs between ranks, and no two children
have the same states of unseeded random numbers.
"""

import gc
import os
import random
import runpy
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from multiprocessing import forkserver
from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from typing import Any, TextIO
from unittest import mock

import numpy as np
import torch.multiprocessing as mp

WORLD = 2

SLOW_TO_IMPORT = (
    "torch.distributed",
    "transformers.trainer",
    "transformers.models.gpt2.modeling_gpt2",
    "datasets",
    "peft",
    "lightning.pytorch",
    "matplotlib.pyplot",
)
"""No code of the package, and nothing that looks at the environment for its place among others."""


def start(work: Callable[..., None], *args: Any) -> mp.ProcessContext:
    """Start `work(rank, *args)` for each rank.

    Args:
        work: A function of a module.
        args: What can be pickled.
    """
    with _forked_by(*(_server(rank) for rank in range(WORLD))):
        return mp.start_processes(
            _as_launched,
            args=(work, dict(os.environ), args),
            nprocs=WORLD,
            join=False,
            start_method="forkserver",
        )


def finish(work: Callable[..., None], *args: Any) -> None:
    """The same, and wait for all of them.

    Raises:
        ProcessRaisedException: One failed, with what it raised; the other is ended.
        ProcessExitedException: One was ended from outside.
    """
    started = start(work, *args)
    while not started.join():
        pass


class Program:
    """`python -m MODULE ARGUMENTS...`, started at once.

    Args:
        module: To be run as a program.
        arguments: Its own.
        environment: All of its environment.
        errors: A file for what it writes to stderr.

    Attributes:
        process: What runs it.
        stdout: What it prints, line by line as it does.
    """

    def __init__(
        self, module: str, arguments: Sequence[str], environment: Mapping[str, str], errors: Path
    ) -> None:
        reader, writer = mp.Pipe(duplex=False)
        context = mp.get_context("forkserver")
        self.process: ForkServerProcess = context.Process(
            target=_as_program, args=(module, [*arguments], dict(environment), writer, str(errors))
        )
        with _forked_by(_server(0)):
            self.process.start()
        writer.close()
        self.stdout: TextIO = os.fdopen(os.dup(reader.fileno()), encoding="utf-8")
        reader.close()

    def read(self, seconds: float) -> str:
        """All that it prints until it ends; it is killed where that takes longer."""
        patience = threading.Timer(seconds, self.process.kill)
        patience.start()
        printed = self.stdout.read()
        patience.cancel()
        return printed

    def wait(self) -> int:
        """Its exit code, negative for a signal; only once all was read, or it was killed."""
        self.process.join()
        self.stdout.close()
        code = self.process.exitcode
        assert code is not None
        return code


def _as_launched(
    rank: int, work: Callable[..., None], environment: dict[str, str], args: tuple[Any, ...]
) -> None:
    _begin_anew(environment)
    work(rank, *args)


def _as_program(
    module: str, arguments: list[str], environment: dict[str, str], stdout: Connection, errors: str
) -> None:
    _begin_anew(environment)
    os.dup2(stdout.fileno(), 1)
    stdout.close()
    with open(errors, "wb") as file:
        os.dup2(file.fileno(), 2)
    sys.stdout = os.fdopen(1, "w", encoding="utf-8", closefd=False)
    sys.stderr = os.fdopen(2, "w", buffering=1, encoding="utf-8", closefd=False)
    sys.argv = [module, *arguments]
    runpy.run_module(module, run_name="__main__", alter_sys=True)


def _begin_anew(environment: dict[str, str]) -> None:
    # Searches for garbage then leave out what the server has imported.
    gc.freeze()
    os.environ.clear()
    os.environ.update(environment)
    random.seed()
    np.random.seed()


@contextmanager
def _forked_by(*servers: forkserver.ForkServer) -> Iterator[None]:
    """Let the first process that is started come from the first server, the next from the next."""
    left = iter(servers)

    def connect(fds: Sequence[int]) -> tuple[int, int]:
        server = next(left)
        # Text is hashed as this says from an interpreter's start on.
        with mock.patch.dict(os.environ, PYTHONHASHSEED=str(1 + servers.index(server))):
            return server.connect_to_new_process(fds)

    with mock.patch.object(forkserver, "connect_to_new_process", connect):
        yield


@cache
def _server(rank: int) -> forkserver.ForkServer:
    server = forkserver.ForkServer()
    server.set_forkserver_preload([*SLOW_TO_IMPORT])
    return server
