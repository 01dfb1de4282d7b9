"""The rules of style that a program can check. Each takes a Tree and yields Findings."""
import dataclasses
import io
import os
import pathlib
import re
import subprocess
import tokenize

import source

FILE_LINES = 400
FUNCTION_LINES = 70

# Files and functions that may be longer, for now: path, or path:first words of the function → lines. It only shrinks: an
# entry that is larger than it need be is a finding too.
EXCEPTIONS = {}

CPP = (".cpp", ".hpp", ".h")
SCRIPTS = (".py", ".sh", ".bash")
SKIPPED_FOLDERS = re.compile(r"^(\.git|\.cache|__pycache__|build(-.*)?|work)$")


@dataclasses.dataclass(frozen=True)
class Finding:
    path: str
    line: int
    rule: str
    message: str

    def __str__(self):
        return f"{self.path}:{self.line}: {self.rule}: {self.message}"


class Tree:
    """The files of a checkout, by their paths relative to its root."""

    def __init__(self, root):
        self.root = pathlib.Path(root)
        self.paths = []
        for folder, folders, names in os.walk(self.root):
            folders[:] = sorted(name for name in folders if not SKIPPED_FOLDERS.match(name))
            relative = pathlib.Path(folder).relative_to(self.root)
            self.paths += [(relative / name).as_posix() for name in sorted(names)]

    def read(self, path):
        return (self.root / path).read_text(encoding="utf-8", errors="replace")

    def select(self, pattern, suffixes):
        """Yields (path, text) of the files whose path matches the pattern and ends with one of the suffixes."""
        for path in self.paths:
            if re.match(pattern, path) and path.endswith(suffixes):
                yield path, self.read(path)


def matches(path, code, pattern, rule, message):
    for match in re.finditer(pattern, code):
        yield Finding(path, code.count("\n", 0, match.start()) + 1, rule, message.format(match.group().strip()))


def strip_python(text):
    """Python source with comments and strings blanked out."""
    lines = text.splitlines(keepends=True)
    starts = [0]
    for line in lines:
        starts.append(starts[-1] + len(line))
    out = list(text)
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type in (tokenize.STRING, tokenize.COMMENT):
            begin, end = (starts[row - 1] + column for row, column in (token.start, token.end))
            out[begin:end] = source.blank(text[begin:end])
    return "".join(out)


def length_finding(key, path, line, length, limit, what):
    allowed = EXCEPTIONS.get(key, limit)
    if length > allowed:
        yield Finding(path, line, "length", f"{what} has {length} lines; the limit is {allowed}: split it")
    elif key in EXCEPTIONS and length <= limit:
        yield Finding(path, line, "length", f"{what} needs no exception any more: remove it from EXCEPTIONS")
    elif key in EXCEPTIONS and length < allowed:
        yield Finding(path, line, "length", f"{what} has become shorter: lower its exception to {length}")


def lengths(tree):
    """No file over 400 lines, no function over 70."""
    for path, text in tree.select(r"(apps|lib|tests|packaging|examples)/", CPP + SCRIPTS):
        yield from length_finding(path, path, 1, text.count("\n"), FILE_LINES, "the file")
        if path.endswith(CPP):
            for line, length, head in source.functions(text):
                key = f"{path}:{head[:40]}"
                yield from length_finding(key, path, line, length, FUNCTION_LINES, f"`{head[:60]}`")


IMPURE_HEADERS = (
    r"<(thread|mutex|shared_mutex|condition_variable|future|atomic|random|fstream|iostream|filesystem|cstdio|ctime|csignal|"
    r"[a-z0-9_]+\.h|sys/[^>]*|boost/[^>]*|spdlog/[^>]*|yaml-cpp/[^>]*|baton/(store|wire|worker|executor|api|service)/[^>]*)>")
IMPURE_CALLS = (
    r"_clock::now\b|\bclock_gettime\b|\bgettimeofday\b|\bstd::time\b|(?<![\w.>])time\(|\bstd::clock\b|\brandom_device\b|"
    r"\bs?rand\(|\bthis_thread\b|\bsleep(_for|_until)?\(|\bgetenv\b|\bstd::hash<\w+\s*\*>")


def pure_engine(tree):
    """lib/engine decides; it has no clock, randomness, I/O or thread: time and ids come in with events."""
    for path, text in tree.select(r"lib/engine/", CPP):
        code = source.strip_cpp(text)
        yield from matches(path, code, r"#include\s*" + IMPURE_HEADERS, "pure-engine", "{} does not belong in the engine")
        yield from matches(path, code, IMPURE_CALLS, "pure-engine", "`{}`: time, chance and the system are arguments here")


def light_headers(tree):
    """Asio, Beast, yaml-cpp and SQLite stay out of public headers, so that a clean build stays fast."""
    heavy = r"#include\s*[<\"](boost/(asio|beast|graph)[^>\"]*|yaml-cpp/[^>\"]*|sqlite3\.h)[>\"]"
    for path, text in tree.select(r"lib/[^/]+/include/", CPP):
        yield from matches(path, text, heavy, "light-headers", "`{}` in a public header: hide it in a .cpp file")


def no_sleeps(tree):
    """A test waits for what it expects, never for time to pass."""
    message = "`{}`: wait for the event itself, or step a clock of your own"
    for path, text in tree.select(r"tests/", CPP):
        pattern = r"\bsleep_(for|until)\b|\b[un]?(nano)?sleep\s*\("
        yield from matches(path, source.strip_cpp(text), pattern, "no-sleeps", message)
    for path, text in tree.select(r"tests/", (".py",)):
        yield from matches(path, strip_python(text), r"\bsleep\s*\(", "no-sleeps", message)
    for path, text in tree.select(r"tests/", (".sh", ".bash")):
        yield from matches(path, text, r"(?m)^\s*sleep\s", "no-sleeps", message)


def nothing_left_open(tree):
    """What is still to do is an issue, not a comment."""
    words = "|".join(("TO" + "DO", "FIX" + "ME", "XX" + "X", "HA" + "CK"))
    for path, text in tree.select("", CPP + SCRIPTS + (".cmake", "CMakeLists.txt", ".yaml", ".yml", ".json")):
        yield from matches(path, text, rf"\b({words})\b", "nothing-left-open", "`{}` in the code: finish it or open an issue")


def says_what_it_is(tree):
    """Drawers without a label collect everything."""
    part = re.compile(r"(?:^|[_.\-/])(managers?|helpers?|utils?|utilities|misc|common)(?=[_.\-/]|$)")
    for path in tree.paths:
        words = re.sub(r"([a-z])([A-Z])", r"\1_\2", path).lower()
        match = part.search(words)
        if match:
            yield Finding(path, 1, "says-what-it-is", f"`{match.group(1)}` in a name: call it what it does")
    for path, text in tree.select(r"(apps|lib|tests)/", CPP):
        yield from matches(path, source.strip_cpp(text), r"\b(class|struct)\s+\w*(Manager|Helper|Utils?)\b",
                           "says-what-it-is", "`{}`: call it what it does")


def names(tree):
    """Types are CamelCase, constants are kCamelCase."""
    types = r"(?m)^[ \t]*(class|struct|union|enum(\s+class)?)\s+(?!class\b)[a-z]\w*(\s+final)?\s*(?=(:(?!:)[^{};()]*)?\{)"
    for path, text in tree.select(r"(apps|lib|tests)/", CPP):
        code = source.strip_cpp(text)
        yield from matches(path, code, types, "names", "`{}`: types are CamelCase")
        for match in re.finditer(r"\bconstexpr\s([^;={(]+)[={]", code):
            words = re.findall(r"\w+", re.sub(r"\[[^\]]*\]", "", match.group(1)))
            if "operator" not in words and not re.match(r"k[A-Z]", words[-1]):
                line = code.count("\n", 0, match.start()) + 1
                yield Finding(path, line, "names", f"`{words[-1]}`: constants are called kName")


def no_coroutines(tree):
    """g++ 12 miscompiles temporaries beside co_await (docs/architecture.md)."""
    for path, text in tree.select(r"(apps|lib|tests)/", CPP):
        yield from matches(path, source.strip_cpp(text), r"\bco_(await|return|yield)\b", "no-coroutines",
                           "`{}`: write a session class with completion handlers")


def says_without_throwing(tree):
    """fmt::print throws when it cannot write, which ended workers whose log's disk was full."""
    for path, text in tree.select(r"(apps|lib)/", CPP):
        yield from matches(path, source.strip_cpp(text), r"\b((fmt|std)::print(ln)?)\b", "says-without-throwing",
                           "`{}`: use tell() or write_output() of base/standard_streams.hpp")


def scripts_run(tree):
    """Scripts are executable and bash can read them."""
    for path in tree.paths:
        if not re.match(r"(packaging/[^/]+\.(sh|bash)|\.ci/run|examples/.*\.sh)$", path):
            continue
        if not path.endswith(".bash") and not os.access(tree.root / path, os.X_OK):
            yield Finding(path, 1, "scripts-run", "is not executable")
        result = subprocess.run(["bash", "-n", tree.root / path], capture_output=True, text=True, check=False)
        if result.returncode != 0:
            yield Finding(path, 1, "scripts-run", f"bash cannot read it: {result.stderr.strip().splitlines()[-1]}")


def links_lead_somewhere(tree):
    """Relative links in Markdown files name files that exist."""
    for path, text in tree.select("", (".md",)):
        text = re.sub(r"(?ms)^```.*?^```", lambda match: source.blank(match.group()), text)
        for match in re.finditer(r"\[[^\]\n]*\]\(([^)\s]+)\)", text):
            target = match.group(1).split("#")[0]
            if target and ":" not in target and not (tree.root / path).parent.joinpath(target).exists():
                yield Finding(path, text.count("\n", 0, match.start()) + 1, "links", f"{target} does not exist")


ALL = (lengths, pure_engine, light_headers, no_sleeps, nothing_left_open, says_what_it_is, names, no_coroutines,
       says_without_throwing, scripts_run, links_lead_somewhere)


def check(root):
    tree = Tree(root)
    return [finding for rule in ALL for finding in rule(tree)]
