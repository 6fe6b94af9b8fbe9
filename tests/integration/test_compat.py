"""The same corpus to ours and to stock: every difference is listed, with its reason.

The corpus is in compat/, the list in ../compat/differences.md.
"""

import pathlib
import subprocess

from compat import corpus, differences, sessions, starts
from group import Skip
from procs import Settings

LIST = pathlib.Path(__file__).resolve().parent.parent / "compat" / "differences.md"


def need_stock(version):
    """The list is about one version of stock."""
    program = str(pathlib.Path(Settings.stock, "redis-sentinel").resolve())
    text = subprocess.run(["redis-sentinel", "--version"], executable=program,
                          capture_output=True, text=True).stdout
    if f"v={version} " not in text:
        raise Skip(f"the distribution's sentinel is not {version}: {text.strip()}")


def compare_all(stock, ours):
    assert list(stock) == list(ours)
    return [difference for case in stock
            for difference in differences.compare(case, stock[case], ours[case])]


def expect_listed(found, concerns):
    wrong = differences.check(found, LIST, concerns)
    assert not wrong, f"{len(wrong)} lines:\n" + "\n".join(wrong)


def answers(t, kind):
    """What sentinels of |kind| say to all sessions."""
    chosen = corpus.load_sessions()
    done = sessions.run_sessions(sessions.group_target(t, kind),
                                 [s for s in chosen if not s.guarded])
    done.update(sessions.run_sessions(sessions.guarded_target(t, kind),
                                      [s for s in chosen if s.guarded]))
    return done


def test_compat_commands(t):
    need_stock("7.0.15")
    expect_listed(compare_all(answers(t, "stock"), answers(t, "ours")), "resp")


def test_compat_config(t):
    need_stock("7.0.15")
    configs = corpus.load_configs()
    stock, ours = (starts.run_configs(t, kind, configs) for kind in ("stock", "ours"))
    expect_listed(compare_all(stock, ours), "config")
