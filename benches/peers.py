#!/usr/bin/env python3
"""peers.py BIN DIR: measures ckpt-inspect against the tools that an analyst would use otherwise; benches/peers.sh calls it.

DIR holds small.tar, middle.tar, middle.tar.zst, middle.tar.gz, large.tar, few.tar and many.tar and small.tar.zst.
Every ratio is of two medians that were taken in turns (A B A B ...), in one run, with warm caches.
Python 3 standard library only."""
import os, re, shlex, shutil, statistics, subprocess, sys, tarfile, time

RUNS = int(os.environ.get('RUNS', '9'))
ONLY = re.compile(os.environ.get('ONLY', ''))


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


def in_turns(a, b, runs=RUNS, before=lambda: None):
    """Medians of two commands, run in turns after one warming run of each. What comes `before` each is not measured."""
    def wall(command):
        before()
        return Run(command).wall

    wall(a), wall(b)
    pairs = [(wall(a), wall(b)) for _ in range(runs)]
    return statistics.median(a for a, _ in pairs), statistics.median(b for _, b in pairs)


def shown(seconds):
    return f'{seconds * 1000:.1f} ms' if seconds < 1 else f'{seconds:.2f} s'


def verdict(value, goal):
    return '' if goal is None else f'   goal <= {goal:g}: ' + ('met' if value <= goal else 'MISSED')


def ratio(what, a, b, goal=None, runs=RUNS, before=lambda: None):
    if not ONLY.search(what):
        return
    x, y = in_turns(a, b, runs, before)
    print(f'{what:58} {shown(x):>9} / {shown(y):>9} = {x / y:6.2f}{verdict(x / y, goal)}', flush=True)


def memory(what, command, goal=64):
    if not ONLY.search(what):
        return
    peak = max(Run(command, watch=True).private for _ in range(5)) / 2**20
    print(f'{what:58} {peak:8.1f} MiB{verdict(peak, goal)}', flush=True)


def warm(*paths):
    for path in paths:
        with open(path, 'rb') as file:
            while file.read(1 << 22):
                pass


def shell(*commands):
    """Commands one after another, as one."""
    return ['sh', '-c', ' && '.join(shlex.join(command) for command in commands)]


def members(archive, pattern):
    """Name and place of the bytes of each member of a tar whose name matches."""
    with tarfile.open(archive) as tar:
        return [(member.name, member.offset_data, member.size) for member in tar if re.search(pattern, member.name)]


def unpacked(archive, to):
    """The pages files of an archive as files, for tools that know no archive."""
    os.makedirs(to, exist_ok=True)
    paths = []
    with open(archive, 'rb') as tar:
        for name, start, size in members(archive, r'/pages-[0-9]+\.img$'):
            path = os.path.join(to, os.path.basename(name))
            paths.append(path)
            if os.path.exists(path) and os.path.getsize(path) == size:
                continue
            with open(path, 'wb') as file:
                tar.seek(start)
                for at in range(0, size, 1 << 22):
                    file.write(tar.read(min(1 << 22, size - at)))
    return paths


def changed(archive, to):
    """A copy of an archive with one byte of its last pages file changed, in the last page: what a comparison reads to its end for."""
    if not os.path.exists(to):
        shutil.copyfile(archive, to)
        _, start, size = members(archive, r'/pages-[0-9]+\.img$')[-1]
        with open(to, 'r+b') as file:
            file.seek(start + size - 100)
            byte = file.read(1)
            file.seek(start + size - 100)
            file.write(bytes([byte[0] ^ 1]))
    return to


def scans(binary, at):
    """Strings, searches, hexdumps, cores and comparisons of 1 GiB of memory, against what reads the bare pages."""
    middle, other = at('middle.tar'), changed(at('middle.tar'), at('middle-b.tar'))
    pages = unpacked(middle, at('pages'))
    pages_b = unpacked(other, at('pages-b'))
    warm(middle, other, *pages, *pages_b)
    ours = lambda *args: [binary, *args]
    gnu = shutil.which('strings')
    if gnu:
        ratio('strings / GNU strings -n 8 of the pages', ours('strings', middle), [gnu, '-n', '8', *pages], 0.1)
    rg = shutil.which('rg')
    for kind, pattern in ('literal', 'xyzzy-plugh-4711'), ('regex', 'AKIA[0-9A-Z]{16}'):
        if rg:
            command = ours('search', middle, '--' + kind, pattern, '--count')
            # rg ends with 1 where it finds nothing.
            ratio(f'search --{kind} / rg -a -c of the tar', command, ['sh', '-c', shlex.join([rg, '-a', '-c', pattern, middle]) + ' || true'], 1.2)
    yara = shutil.which('yara')
    if yara:
        rules = [f'fixtures/rules/{name}' for name in ('strings.yar', 'hex.yara', 'regex.yar')]
        named = [word for rule in rules for word in ('--rules', rule)]
        ratio('scan --rules / yara of the pages', ours('scan', middle, *named, '--memory', '--count'),
              shell(*([yara, '-w', '-s', *rules, page] for page in pages)), 1.0)
    ratio('scan --secrets / search --literal', ours('scan', middle, '--secrets', '--count'), ours('search', middle, '--literal', 'xyzzy-plugh-4711', '--count'))
    ratio('triage / cat of the tar', ours('triage', middle), ['cat', middle], 3)
    if shutil.which('xxd'):
        ratio('memdump --as hex, 256 MiB / xxd', ours('memdump', middle, '--pid', '1', '--as', 'hex'), ['xxd', pages[0]], 0.3)
    core, copy = at('cores'), at('copies')

    def emptied():
        shutil.rmtree(core, ignore_errors=True)
        shutil.rmtree(copy, ignore_errors=True)
        os.mkdir(copy)

    ratio('memdump --as core --to / cp of the pages', ours('memdump', middle, '--as', 'core', '--to', core),
          ['cp', *pages, copy], 1.3, before=emptied)
    emptied()
    cmp = ' ; '.join(shlex.join(['cmp', a, b]) for a, b in zip(pages, pages_b))
    ratio('diff A B --only memory / cmp of the pages', ours('diff', middle, other, '--only', 'memory'), ['sh', '-c', cmp + ' ; true'], 2)
    packed, plain = at('middle.tar.zst'), at('unpacked.tar')
    command = ours('search', packed, '--literal', 'xyzzy-plugh-4711', '--count')
    # What is searched at any address has to lie somewhere; it is deleted at the end, as the spool is.
    ratio('search --literal, .tar.zst / zstd -d to a file', command, shell(['zstd', '-dqfo', plain, packed], ['rm', plain]), 1.1)
    if rg:
        piped = shlex.join(['zstd', '-dcq', packed]) + ' | ' + shlex.join([rg, '-a', '-c', 'xyzzy-plugh-4711'])
        ratio('search --literal, .tar.zst / zstd -dc | rg -a -c', command, ['sh', '-c', piped + ' || true'], 1.2)
    ratio('search --literal, .tar.zst / zstd -dc', command, ['zstd', '-dcq', packed])
    memory('private memory: strings, large plain tar', ours('strings', at('large.tar')))
    memory('private memory: secrets, large plain tar', ours('scan', at('large.tar'), '--secrets', '--count'), 128)
    memory('private memory: triage, large plain tar', ours('triage', at('large.tar')), 128)
    memory('private memory: search of one letter, large plain tar', ours('search', at('large.tar'), '--literal', 'a', '--format', 'jsonl'))
    peer = shutil.which('checkpointctl')
    if peer:
        # It searches one process at a time.
        ratio('search --literal / checkpointctl memparse --search of each', ours('search', middle, '--literal', 'xyzzy-plugh-4711'),
              shell(*([peer, 'memparse', '--search', 'xyzzy-plugh-4711', '--pid', str(pid), middle] for pid in range(1, 5))), 0.05, runs=3)


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

    scans(binary, at)
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
