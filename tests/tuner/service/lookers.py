"""Live pages without a browser, for the bench: ``python lookers.py URL JOB COUNT``, until it is ended."""

import json
import sys
import threading
import time

import httpx


def look_on(url: str, job: str) -> None:
    """Follow the stream, and fetch the page when it changed, at most once a second, as the page's script does."""
    seen, last = "", 0.0
    with httpx.Client(base_url=url, timeout=60) as client, client.stream("GET", f"/changes?job={job}") as stream:
        for line in stream.iter_lines():
            if line.startswith("data: ") and (revision := json.loads(line[6:])) != seen:
                seen = revision
                if time.monotonic() - last >= 1 and revision:
                    client.get(f"/view/{job}", headers={"Accept": "text/html"})
                    last = time.monotonic()


if __name__ == "__main__":
    for _ in range(int(sys.argv[3])):
        threading.Thread(target=look_on, args=sys.argv[1:3]).start()
