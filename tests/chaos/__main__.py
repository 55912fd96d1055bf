"""``make chaos``: storms by hand. ``--seeds 20 --orders 2000 --kills 2`` is what the docs report."""

import argparse
import sys

from tests.chaos.storm import storm


def main() -> int:
    parser = argparse.ArgumentParser(prog="chaos", description="Orders under faults at every seam, then the books.")
    parser.add_argument("--seeds", type=int, default=1, help="how many storms (default %(default)s)")
    parser.add_argument("--first", type=int, default=1, help="the first seed (default %(default)s)")
    parser.add_argument("--orders", type=int, default=2000, help="orders of each (default %(default)s)")
    parser.add_argument("--rate", type=float, default=0.15, help="share of invocations with a fault (default %(default)s)")
    parser.add_argument("--kills", type=int, default=2, help="how often the stack is killed (default %(default)s)")
    options = parser.parse_args()
    failed = 0
    for seed in range(options.first, options.first + options.seeds):
        report = storm(seed, options.orders, options.rate, options.kills)
        failed += bool(report.errors)
        sys.stdout.write(
            f"seed {seed}: {report.orders} orders, {sum(report.faults.values())} faults, {report.kills} kills, "
            f"{report.events} events ({report.told_again} told again), {report.seconds:.0f} s, {dict(report.statuses)}: "
            f"{'reconciled' if not report.errors else f'{len(report.errors)} ERRORS'}\n"
        )
        for error in report.errors[:30]:
            sys.stdout.write(f"  {error}\n")
        sys.stdout.flush()
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
