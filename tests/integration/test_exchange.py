"""Does a stock sentinel still act as tests/sim/stock.exchange has it?"""

import concurrent.futures
import pathlib

import exchange
from procs import Settings

LATE = 4000  # a busy machine may delay what it cannot change
TRIES = 4    # a stall is TILT, and some things are seen once in many times only


def test_exchange_with_stock(t):
    program = (pathlib.Path(Settings.stock) / "redis-sentinel").resolve()
    found, _ = exchange.read()

    def differences(name, situation):
        wrong = []
        for n in range(TRIES):
            folder = t.dir / f"{name}{n}"
            folder.mkdir()
            ports = [t.ports.take() for _ in range(7)]
            rows = exchange.record(name, situation, program, folder, ports)
            wrong = [f"{name}: TILT"] if rows is None else exchange.compare(
                name, situation["saw"], rows, LATE)
            if not wrong:
                break
        return wrong

    with concurrent.futures.ThreadPoolExecutor(len(found)) as pool:
        wrong = sum(pool.map(lambda s: differences(*s), found), [])
    assert not wrong, "\n".join(wrong)
