"""A program that hands a message to apprise; reads what to do as JSON from standard input.

It stands by itself: whatever a service's plug-in does, such as drawing from the global random
state, hanging, or logging a URL with its token, it does in a process of its own.
"""

import json
import sys


def main() -> None:
    """Write, for each URL, whether it can be used, or whether the message was delivered."""
    told = json.load(sys.stdin)
    sys.path[:] = told["path"]
    import apprise

    asset = apprise.AppriseAsset(async_mode=False)
    done = []
    for url in told["urls"]:
        # One by one, so that it is known which of them failed.
        service = apprise.Apprise(asset=asset)
        is_known = bool(service.add(url)) and len(service) == 1
        if told["message"] is not None and is_known:
            done.append(bool(service.notify(**told["message"], body_format="text")))
        else:
            done.append(is_known)
    json.dump(done, sys.stdout)


if __name__ == "__main__":
    main()
