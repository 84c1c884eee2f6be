#!/usr/bin/env python3
"""peers.py BIN DIR: measures ckpt-inspect against the tools that an analyst would use otherwise; benches/peers.sh calls it.

DIR holds small.tar, middle.tar.zst, middle.tar.gz, large.tar, few.tar and many.tar (and middle.tar, small.tar.zst).
Every ratio is of two medians that were taken in turns (A B A B ...), in one run, with warm caches.
Python 3 standard library only."""
import os, shutil, statistics, subprocess, sys, time

RUNS = int(os.environ.get('RUNS', '9'))


class Run:
    """One finished command: wall seconds, processor seconds, peak of private memory in bytes."""

    def __init__(self, command, watch=False):
        with open(os.devnull, 'r+b') as null:
            began = time.perf_counter()
            child = subprocess.Popen(command, stdin=null, stdout=null, stderr=null, close_fds=True)
            self.private = private_peak(child.pid) if watch else 0
            _, status, usage = os.wait4(child.pid, 0)
            self.wall = time.perf_counter() - began
        child.returncode = os.waitstatus_to_exitcode(status)
        if child.returncode != 0:
            sys.exit(f"{' '.join(command)}: exit {child.returncode}")
        self.cpu = usage.ru_utime + usage.ru_stime


def private_peak(pid):
    """Highest RssAnon (pages of its own, not of mapped files), asked for until the process ends.

    A mapping of the archive or of the spool file is the page cache's, not the process's, and not counted."""
    peak = 0
    while True:
        try:
            with open(f'/proc/{pid}/status') as status:
                lines = status.read().splitlines()
        except (FileNotFoundError, ProcessLookupError):
            return peak
        found = [line for line in lines if line.startswith('RssAnon:')]
        if not found:  # a zombie has no memory any more
            return peak
        peak = max(peak, int(found[0].split()[1]) * 1024)


def in_turns(a, b, runs=RUNS):
    """Medians of two commands, run in turns after one warming run of each."""
    Run(a), Run(b)
    pairs = [(Run(a).wall, Run(b).wall) for _ in range(runs)]
    return statistics.median(a for a, _ in pairs), statistics.median(b for _, b in pairs)


def shown(seconds):
    return f'{seconds * 1000:.1f} ms' if seconds < 1 else f'{seconds:.2f} s'


def verdict(value, goal):
    return '' if goal is None else f'   goal <= {goal:g}: ' + ('met' if value <= goal else 'MISSED')


def ratio(what, a, b, goal=None, runs=RUNS):
    x, y = in_turns(a, b, runs)
    print(f'{what:58} {shown(x):>9} / {shown(y):>9} = {x / y:6.2f}{verdict(x / y, goal)}', flush=True)


def memory(what, command, goal=64):
    peak = max(Run(command, watch=True).private for _ in range(5)) / 2**20
    print(f'{what:58} {peak:8.1f} MiB{verdict(peak, goal)}', flush=True)


def warm(*paths):
    for path in paths:
        with open(path, 'rb') as file:
            while file.read(1 << 22):
                pass


def main():
    binary, inputs = sys.argv[1:]
    at = lambda name: os.path.join(inputs, name)
    ours = lambda command, name: [binary, command, at(name)]
    tree = lambda name: ours('tree', name)

    for name in sorted(os.listdir(inputs)):
        print(f'  {name:18} {os.path.getsize(at(name)) / 2**20:9.1f} MiB')
    floor = statistics.median(Run([binary, '--version']).wall for _ in range(RUNS))
    print(f'  starting a process and printing a version takes {shown(floor)}; {RUNS} runs each\n')

    warm(at('small.tar'), at('large.tar'))
    ratio('tree, plain tar: large / small', tree('large.tar'), tree('small.tar'), 1.2, 4 * RUNS)
    ratio('tree, plain tar: many processes / few', tree('many.tar'), tree('few.tar'), 10.5, 2 * RUNS)
    memory('private memory: tree, large plain tar', tree('large.tar'))
    memory('private memory: tree, many processes', tree('many.tar'))

    warm(at('middle.tar.zst'))
    ratio('tree, .tar.zst / zstd -dc', tree('middle.tar.zst'), ['zstd', '-dcq', at('middle.tar.zst')], 1.1)
    memory('private memory: tree, .tar.zst', tree('middle.tar.zst'))
    warm(at('middle.tar.gz'))
    ratio('tree, .tar.gz / gzip -dc', tree('middle.tar.gz'), ['gzip', '-dc', at('middle.tar.gz')], 0.8)
    memory('private memory: tree, .tar.gz', tree('middle.tar.gz'))

    peer = shutil.which('checkpointctl')
    if peer is None:
        print('checkpointctl is not on the PATH: left out')
        return
    for name in ['small.tar', 'small.tar.zst', 'middle.tar.zst', 'few.tar']:
        theirs = [peer, 'inspect', '--ps-tree', '--ps-tree-cmd', at(name)]
        ratio(f'tree / checkpointctl inspect --ps-tree-cmd, {name}', tree(name), theirs)
    ratio('info / checkpointctl show, small.tar.zst', ours('info', 'small.tar.zst'), [peer, 'show', at('small.tar.zst')])


if __name__ == '__main__':
    main()
