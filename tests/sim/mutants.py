#!/usr/bin/env python3
"""Would the judges notice? Builds the simulator with one deliberate defect after
another and runs seeds until an invariant is broken. A defect that none finds fails.

    mutants.py --build DIR [--make "make"] [--seeds N] [--no-story] [name ...]

The defects are edits of a copy of the sources in DIR/mutants; the text to be replaced
must be there exactly once, so that a defect cannot quietly become none.
"""
import argparse
import os
import re
import shutil
import subprocess
import sys

# name, file, text, replacement, what it breaks
MUTANTS = [
    ("vote-twice", "sentinel/core/vote.c",
     "master->leader_epoch < epoch) {", "master->leader_epoch <= epoch) {",
     "votes for whoever asks last in an epoch"),
    ("answer-before-durable", "sentinel/core/durable.c",
     "    if (master->dirty_version <= core->disk_version &&\n"
     "        core->epoch_version <= core->disk_version) {",
     "    if (core != NULL) {",
     "a vote leaves before it is on disk"),
    ("ask-before-durable", "sentinel/core/failover.c",
     "    durable_hold_election(core, master);", "    ask_votes(core, master, NULL);",
     "asks for votes before its own is on disk"),
    ("count-any-epoch", "sentinel/core/vote.c",
     "n += v->leader_epoch == epoch && strcmp(v->leader, candidate) == 0 ? 1 : 0;",
     "n += v->leader_epoch <= epoch && strcmp(v->leader, candidate) == 0 ? 1 : 0;",
     "counts votes of earlier elections"),
    ("skip-quorum", "sentinel/core/detect.c",
     "bool down = n > 0 && n >= master->quorum;", "bool down = n > 0;",
     "one sentinel alone holds a master objectively down"),
    ("live-majority", "sentinel/core/vote.c",
     "count->n_voters = master_possible_voters(core, master);",
     "count->n_voters = master_usable_voters(master);",
     "a minority counts only itself"),
    ("stale-config", "sentinel/core/hello.c",
     "    } else if (hello->config_epoch > master->config_epoch ||\n",
     "    } else if (hello->config_epoch != master->config_epoch ||\n",
     "takes over configurations that are older than its own"),
    ("run-in-circles", "sentinel/core/hello.c",
     "    if (is_theirs != is_ours)\n        return is_theirs;\n",
     "    if (is_theirs)\n        return true;\n",
     "runs after two masters that follow each other, and stock sentinels that stay"),
    ("ignore-round", "sentinel/core/vote.c",
     "    if (tag->round != voter->round)\n"
     "        return; /* about an address or an incident that is history */\n", "",
     "late answers about the old master count against the new one"),
    ("keep-opinions", "sentinel/core/master.c",
     "        voter_forget_opinion(v);\n", "        (void)v;\n",
     "opinions about the old master count against the new one"),
    ("keep-ping", "sentinel/core/node.c",
     "    if (link->ping_pending_at != CORE_NEVER)\n"
     "        link->ping_pending_at = core->now;\n", "",
     "a new master answers for its silence as a replica"),
    ("old-opinions", "sentinel/core/detect.c",
     "    return voter->says_down &&\n           core->now - voter->said_at <=\n"
     "               OPINION_PERIODS * core_number(core, CORE_OPT_ASK_PERIOD);",
     "    return voter->says_down && core != NULL && OPINION_PERIODS;",
     "opinions never expire"),
    ("priority-zero", "sentinel/core/select.c",
     "    if (node->priority == 0)\n", "    if (node->priority < 0)\n",
     "promotes replicas that must never be masters"),
    ("promote-sdown", "sentinel/core/select.c",
     "    if (node->s_down || core->now >= detect_next(core, node))\n"
     "        return \"it is sdown\";\n", "",
     "promotes replicas that are down"),
    ("promote-stale", "sentinel/core/select.c",
     "node->link_down_ms + node->info_at - node->info_from_at >",
     "node->link_down_ms + node->info_at - node->info_from_at - INT64_MAX / 2 >",
     "promotes replicas with old data"),
    ("act-in-tilt", "sentinel/core/failover.c",
     "    if (core->tilt)\n        return;\n    for (size_t i = 0; i < sizeof",
     "    for (size_t i = 0; i < sizeof",
     "goes on with a failover in TILT"),
    ("hello-before-durable", "sentinel/core/durable.c",
     "    return master->config_version <= master->core->disk_version;",
     "    return master != NULL;",
     "tells a configuration that is not on disk"),
    ("tell-epoch-early", "sentinel/core/durable.c",
     "    core->epoch_version = core->version;",
     "    core->epoch_version = core->version;\n"
     "    core->disk_epoch = core->current_epoch;",
     "tells an epoch that is not on disk"),
    ("save-no-vote", "sentinel/core/vote.c",
     "        durable_touch(core, master);\n        emit_plain(core, LOG_LVL_WARNING, "
     "\"+vote-for-leader\"",
     "        emit_plain(core, LOG_LVL_WARNING, \"+vote-for-leader\"",
     "a vote is not saved at all"),
    ("second-replica", "sentinel/core/failover.c",
     "    abort_promotion(core, master);\n    fo->retry_at = core->now + "
     "pace_retry_ms(core, master);",
     "    fo->promoted = NULL;\n    fo->state = FO_SELECT;\n"
     "    fo->state_at = core->now;\n"
     "    choose(core, master, NULL);",
     "one election tells two servers to be master"),
    ("no-config-epoch", "sentinel/core/failover.c",
     "    master->config_epoch = max_u64(master->config_epoch, fo->epoch);\n", "",
     "a promotion does not make a newer configuration"),
    ("never-convert", "sentinel/core/info.c",
     "    node_repair(core, node, \"+convert-to-slave\");", "    (void)wait;",
     "old masters are not led back"),
    ("long-grudge", "sentinel/core/failover.c",
     "    fo->retry_at =\n        core->now + pace_retry_ms(core, master) + "
     "(unsure ? RETRY_UNSURE_MS : 0);",
     "    fo->retry_at = core->now + 2 * master->failover_timeout_ms + unsure;",
     "after a split election nobody tries again for long"),
    ("unsigned-hello", "sentinel/core/sign.c",
     "    if (auth == GOSSIP_AUTH_OFF || (auth == GOSSIP_AUTH_PREFER && !is_signer))\n",
     "    if (auth == GOSSIP_AUTH_OFF || auth == GOSSIP_AUTH_REQUIRE || !is_signer)\n",
     "believes hellos without signature"),
    ("any-signature", "sentinel/core/sign.c",
     "    return difference == 0;", "    return difference != 0 || core != NULL;",
     "believes whatever signature"),
    ("unsigned-candidate", "sentinel/core/sign.c",
     "    return voter != NULL && voter->stands_epoch == epoch;",
     "    return voter != NULL && epoch != 0;",
     "votes for who has not signed that it asks"),
]

BLOCKS = [50, 200, 1000, 4000, 20000]


def sources(root):
    out = subprocess.run(["git", "-C", root, "ls-files", "--cached", "--others",
                          "--exclude-standard", "common", "sentinel", "tests/sim",
                          "tests/lib", "tests/scenario", "Makefile", ".ci"], check=True,
                         capture_output=True, text=True).stdout.split("\n")
    return [name for name in out if name and os.path.isfile(os.path.join(root, name))]


def copy_tree(root, tree):
    """Copies what changed only, so that little is built again."""
    for name in sources(root):
        target = os.path.join(tree, name)
        os.makedirs(os.path.dirname(target) or ".", exist_ok=True)
        data = open(os.path.join(root, name), "rb").read()
        if not os.path.exists(target) or open(target, "rb").read() != data:
            with open(target, "wb") as out:
                out.write(data)
            shutil.copymode(os.path.join(root, name), target)


def build(make, tree):
    done = subprocess.run(make.split() + ["-C", tree, "-s", "-j2", "BUILD=build",
                                          "DEV=", "build/sim", "build/scenario"],
                          capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(done.stdout + done.stderr)


def run_seeds(tree, limit, jobs):
    """The first seed that fails and why, or None."""
    first = 1
    for last in BLOCKS:
        last = min(last, limit)
        if first > last:
            break
        done = subprocess.run([os.path.join(tree, "build/sim"), "--seeds",
                               f"{first}-{last}", "--jobs", str(jobs)],
                              capture_output=True, text=True)
        found = re.findall(r"^FAILED seed (\d+): (.*)$", done.stdout, re.M)
        if found:
            seed, why = min(found, key=lambda item: int(item[0]))
            return int(seed), why
        first = last + 1
    return None


def check_story(tree, seed):
    """The failing seed must shrink to a story that fails, too. Returns why not."""
    story = os.path.join(tree, "build/shrunk.txt")
    done = subprocess.run([os.path.join(tree, "build/sim"), "--seed", str(seed),
                           "--story", story], capture_output=True, text=True)
    print("           " + done.stdout.strip().split("\n")[-2].strip(), flush=True)
    if subprocess.run([os.path.join(tree, "build/scenario"), story],
                      capture_output=True).returncode == 0:
        return "the story of the shrunk seed does not fail"
    return None


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--build", required=True)
    parser.add_argument("--make", default="make")
    parser.add_argument("--seeds", type=int, default=4000)
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--no-story", action="store_true",
                        help="do not shrink the first defect's seed to a story")
    parser.add_argument("--texts", action="store_true",
                        help="only see whether each text is still there, once")
    parser.add_argument("names", nargs="*")
    args = parser.parse_args()
    root = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    tree = os.path.abspath(os.path.join(args.build, "mutants"))
    wanted = [m for m in MUTANTS if not args.names or m[0] in args.names]
    unknown = set(args.names) - {m[0] for m in MUTANTS}
    if unknown:
        sys.exit("no such mutant: " + " ".join(sorted(unknown)))
    for name, path, text, _, _ in MUTANTS:  # all: none may rot unseen
        source = open(os.path.join(root, path), encoding="utf-8").read()
        if source.count(text) != 1:
            sys.exit(f"{name}: the text is in {path} {source.count(text)} times")
    if args.texts:
        print(f"  OK    mutants: {len(MUTANTS)} texts are where they were")
        return 0
    survivors = []
    copy_tree(root, tree)
    build(args.make, tree)
    if run_seeds(tree, 50, args.jobs) is not None:
        sys.exit("the simulator fails without any defect")
    for name, path, text, replacement, what in wanted:
        copy_tree(root, tree)
        target = os.path.join(tree, path)
        source = open(target, encoding="utf-8").read()
        with open(target, "w", encoding="utf-8") as out:
            out.write(source.replace(text, replacement))
        build(args.make, tree)
        found = run_seeds(tree, args.seeds, args.jobs)
        if found is None:
            survivors.append(name)
            print(f"  SURVIVES {name}: {what}", flush=True)
        else:
            print(f"  CAUGHT   {name:22} by seed {found[0]:5}: {found[1][:90]}",
                  flush=True)
            # Once is enough, and takes as long as a few hundred seeds.
            why = (check_story(tree, found[0])
                   if name == wanted[0][0] and not args.no_story else None)
            if why is not None:
                sys.exit(f"{name}: {why}")
    print(f"{len(wanted)} defects, {len(survivors)} not caught")
    return 1 if survivors else 0


if __name__ == "__main__":
    sys.exit(main())
