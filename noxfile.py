"""Both ends of what `pyproject.toml` promises; `make test` is what every change must pass.

    pip install nox
    nox                  # each Python that is installed, with the versions in constraints.txt
    nox -s lowest        # the lowest version of each package that is promised
    nox -s audit         # known weaknesses of the pinned versions

What was run last, and when, stands in docs/reliability.md.
"""

import tomllib
from pathlib import Path

import nox

nox.options.sessions = ["pinned"]
nox.options.error_on_missing_interpreters = False

QUICK = ("-m", "not slow and not benchmark")

# What is tested with TRL, and with adapters that transformers has by itself, which ask for newer
# packages.
WITH_OTHERS = (
    "tests/callbacks/huggingface/test_trl.py",
    "tests/callbacks/one_call/test_watch.py",
    "tests/docs/test_code.py",
    "tests/integrations/matching/test_fused_head.py",
    "tests/mixing/test_sft.py",
)
NAMED_AFTER_OTHERS = "not trl and not sft and not native and not both_come_to_the_same_model"

TOOLS = (
    *("bitsandbytes", "hypothesis", "mkdocstrings[python]", "nltk", "pytest", "pytorch-ignite"),
    *("sacrebleu", "schedulefree", "scikit-learn", "scipy", "tensorboard", "torchdata"),
)

# What the lowest versions of what is promised were made to go with, and do not say.
OF_THEIR_TIME = ("pyarrow<20", "pandas<3", "pyparsing<3.2")


@nox.session(python=["3.11", "3.12", "3.13"])
def pinned(session: nox.Session) -> None:
    """Every test, with the versions that it is developed with."""
    session.install("--constraint", "constraints.txt", "--editable", ".[all,dev]")
    session.run("python", "-m", "pytest", *session.posargs)


@nox.session(python="3.11")
def lowest(session: nox.Session) -> None:
    """The quick tests, with the lowest version of each package that a user may have."""
    project = tomllib.loads(Path("pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = ("huggingface", "lightning", "evaluate", "report", "alerts", "datatrove", "ray")
    promised = [*project["dependencies"]]
    for extra in extras:
        promised += project["optional-dependencies"][extra]
    lowest_ones = [each.replace(">=", "==") for each in promised]
    session.install(*lowest_ones, *OF_THEIR_TIME)
    session.install("--no-deps", "--editable", ".")
    session.install(*TOOLS, *lowest_ones, *OF_THEIR_TIME)
    left_out = [f"--ignore={path}" for path in WITH_OTHERS]
    # What old packages warn of is not ours to mend.
    chosen = (*QUICK, "-k", NAMED_AFTER_OTHERS, *left_out)
    session.run("python", "-m", "pytest", "-W", "default", *chosen, *session.posargs)


@nox.session
def audit(session: nox.Session) -> None:
    """Known weaknesses, where the list of them can be reached."""
    session.install("pip-audit")
    session.run("pip-audit", "-r", "constraints.txt", "--no-deps", "--disable-pip")
