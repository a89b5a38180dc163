from collapse_guard.integrations.command_line.short_names import short_names


def test_names_are_shortened_by_what_all_share() -> None:
    assert short_names(["a/b/c", "a/d/c"]) == ["b", "d"]
    assert short_names(["a/b", "a/b"]) == ["a/b", "a/b"]
    assert short_names(["a/b/c"]) == ["a/b/c"]
    assert short_names(["gpt2", "runs/x"]) == ["gpt2", "runs/x"]
    assert short_names(["runs/1", "runs/1/2"]) == ["1", "1/2"]
