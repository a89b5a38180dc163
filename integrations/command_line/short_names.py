"""Paths, as short as still tells them apart."""


def short_names(names: list[str]) -> list[str]:
    """Paths without the folders that all of them have in common.

    Example:
        >>> short_names(["runs/a/model", "runs/b/model"])
        ['a', 'b']
    """
    parts = [name.split("/") for name in names]
    if len(names) < 2 or len(set(names)) < len(names):
        return names
    for place in (0, -1):
        while min(map(len, parts)) > 1 and len({each[place] for each in parts}) == 1:
            for each in parts:
                del each[place]
    return ["/".join(each) for each in parts]
