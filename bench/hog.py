"""`python -m bench.hog CORES`: uses so many cores of processor time and does nothing else.

Each of its processes works for a part of every ten milliseconds, as a service at that load does.
"""

import multiprocessing
import sys
import time

PERIOD = 0.01


def work(share: float) -> None:
    began, used = time.monotonic(), time.process_time()
    while True:
        # Behind what it should have used by now, it goes on; else it rests.
        if time.process_time() - used < (time.monotonic() - began) * share:
            until = time.process_time() + PERIOD * share
            while time.process_time() < until:
                pass
        else:
            time.sleep(PERIOD * (1 - share))


if __name__ == "__main__":
    cores = float(sys.argv[1])
    number = max(1, round(cores + 0.49))
    spawn = multiprocessing.get_context("fork")
    children = [
        spawn.Process(target=work, args=(min(1.0, cores / number),), daemon=True)
        for _ in range(number)
    ]
    for child in children:
        child.start()
    for child in children:
        child.join()
