import ast
from pathlib import Path

import pytest

from tests.integrations.command_line.training_code.scripts import changed, found_in

LOOPS = {
    "plain": (
        """
        opt = torch.optim.Adam(net.parameters())
        for epoch in range(3):
            for batch in loader:
                loss = net(batch)
                loss.backward()
                opt.step()
        print("done")
        """,
        """
        opt = torch.optim.Adam(net.parameters())
        from collapse_guard import watch
        run = watch(net, tokenizer=tokenizer, held_out=held_out_texts)
        watched_steps = 0
        for epoch in range(3):
            for batch in loader:
                loss = net(batch)
                loss.backward()
                opt.step()
                watched_steps += 1
                run.step(watched_steps)
        run.end()
        print("done")
        """,
    ),
    "in a function, accumulated by hand": (
        """
        def train(model, tokenizer, optimizer, loader):
            model.train()
            for i, batch in enumerate(loader):
                scaler.scale(model(batch)).backward()
                if i % 4 == 0: scaler.step(optimizer); scaler.update()
                scheduler.step()
        """,
        """
        def train(model, tokenizer, optimizer, loader):
            model.train()
            from collapse_guard import watch
            run = watch(model, tokenizer=tokenizer, held_out=held_out_texts)
            watched_steps = 0
            for i, batch in enumerate(loader):
                scaler.scale(model(batch)).backward()
                if i % 4 == 0:
                    scaler.step(optimizer); scaler.update()
                    watched_steps += 1
                    run.step(watched_steps)
                scheduler.step()
            run.end()
        """,
    ),
    "accumulated by accelerate, for several models": (
        """
        for seed in range(3):
            model = build(seed)
            while True:
                with accelerator.accumulate(model):
                    accelerator.backward(model(x))
                    optimizer.step()
                if done: break
        """,
        """
        for seed in range(3):
            model = build(seed)
            from collapse_guard import watch
            run = watch(model, tokenizer=tokenizer, held_out=held_out_texts)
            watched_steps = 0
            while True:
                with accelerator.accumulate(model):
                    accelerator.backward(model(x))
                    optimizer.step()
                    if accelerator.sync_gradients:
                        watched_steps += 1
                        run.step(watched_steps)
                if done: break
            run.end()
        """,
    ),
}


@pytest.mark.parametrize(("text", "expected"), LOOPS.values(), ids=LOOPS)
def test_a_loop_is_begun_counted_and_ended(tmp_path: Path, text: str, expected: str) -> None:
    (found,) = found_in(tmp_path, text)
    result = changed(text, found.edits)
    ast.parse(result)
    assert result.split("\n") == changed(expected, ()).split("\n")


def test_it_is_told_which_loop(tmp_path: Path) -> None:
    (found,) = found_in(tmp_path, LOOPS["plain"][0])
    assert (found.place, found.what) == (
        "train.py:7",
        "a loop trains `net` here, from line 4 on",
    )
    assert [edit.where for edit in found.edits] == [
        "before line 3",
        "after line 7",
    ]


def test_a_model_that_is_made_anew_later_is_the_one_before(tmp_path: Path) -> None:
    loop = "for b in l:\n    model(b).backward()\n    opt.step()\n"
    found = found_in(tmp_path, f"model = a()\n{loop}model = b()\n{loop}")
    assert [each.edits[0].where for each in found] == ["before line 2", "before line 6"]


def test_tabs_stay_tabs(tmp_path: Path) -> None:
    text = "for b in l:\n\twith a.accumulate(model):\n\t\ta.backward(b)\n\t\topt.step()\n"
    (found,) = found_in(tmp_path, text)
    result = changed(text, found.edits)
    ast.parse(result)
    assert "\t\tif a.sync_gradients:\n\t\t\twatched_steps += 1\n" in result


@pytest.mark.parametrize(
    "text",
    [
        "for x in y:\n    optimizer.step()\n",
        "for x in y:\n    loss.backward()\n    scheduler.step()\n",
        "loss.backward()\noptimizer.step()\n",
        "for x in y:\n    def later():\n        loss.backward()\n        optimizer.step()\n",
        "for x in y:\n    loss.backward()\n    env.step(1)\n",
    ],
)
def test_what_trains_in_no_loop_is_left_alone(tmp_path: Path, text: str) -> None:
    assert found_in(tmp_path, text) == []


def test_where_no_line_can_be_put_in_it_is_said_in_words(tmp_path: Path) -> None:
    text = "for b in l: model(b).backward(); opt.step()\n"
    (found,) = found_in(tmp_path, text)
    assert found.edits == ()
    assert "run.step(number)" in found.notes[0]
