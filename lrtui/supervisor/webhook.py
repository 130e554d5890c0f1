"""`python -m lrtui.supervisor.webhook`: posts one alert. Reads {"url", "letter"} on stdin, so that no argv shows the address."""

from __future__ import annotations

import json
import sys
import urllib.error
import urllib.request

TIMEOUT_SECONDS = 20.0


def main() -> int:
    """Post the letter as JSON; return 0, or 1 with the reason on stderr, which is the supervisor's log."""
    told = json.load(sys.stdin)
    url = told["url"]
    if not url.startswith(("https://", "http://")):
        print("alert: the webhook's address is not in the environment", file=sys.stderr)
        return 1
    request = urllib.request.Request(  # noqa: S310  # the scheme was looked at
        url,
        json.dumps(told["letter"]).encode(),
        {"Content-Type": "application/json", "User-Agent": "lrtui"},
    )
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS):  # noqa: S310
            return 0
    except (OSError, ValueError) as error:
        reason = getattr(error, "reason", None) or getattr(error, "strerror", None) or "no answer"
        print(f"alert: the webhook failed: {reason}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    raise SystemExit(main())
