"""C++ source text without comments and literals, and the functions in it. Relies on the tree being clang-formatted."""
import functools
import re

RAW_STRING = re.compile(r'(?:u8|[uUL])?R"([^()\\\s]{0,16})\(')
TYPE_START = re.compile(r"(?:template\s*<.*>\s*)?(?:class|struct|union|enum)\b")
NAMESPACE_START = re.compile(r"(?:inline\s+)?namespace\b|extern\s*$")


def blank(text):
    """The same text with everything but newlines replaced by spaces."""
    return re.sub(r"[^\n]", " ", text)


@functools.lru_cache(maxsize=None)  # several rules look at each file
def strip_cpp(text):
    """Replaces comments and the contents of literals by spaces; lines and columns stay."""
    out = []
    at = 0
    while at < len(text):
        raw = RAW_STRING.match(text, at)
        if raw and not (at and (text[at - 1].isalnum() or text[at - 1] == "_")):
            end = text.find(")" + raw.group(1) + '"', raw.end())
            end = len(text) if end < 0 else end + len(raw.group(1)) + 2
            out.append(blank(text[at:end]))
        elif text.startswith("//", at):
            end = text.find("\n", at)
            end = len(text) if end < 0 else end
            out.append(blank(text[at:end]))
        elif text.startswith("/*", at):
            end = text.find("*/", at + 2)
            end = len(text) if end < 0 else end + 2
            out.append(blank(text[at:end]))
        elif text[at] == '"' or (text[at] == "'" and not (at and text[at - 1].isalnum())):
            end = at + 1
            while end < len(text) and text[end] not in (text[at], "\n"):
                end += 2 if text[end] == "\\" else 1
            end = min(end + 1, len(text))
            out.append(text[at] + blank(text[at + 1:end - 1]) + text[end - 1:end])
        else:
            end = at + 1
            out.append(text[at])
        at = end
    return "".join(out)


def strip_preprocessor(code):
    """Blanks directives with their continuation lines: the braces in macros need not match."""
    return re.sub(r"^[ \t]*#(?:[^\n]*\\\n)*[^\n]*", lambda match: blank(match.group()), code, flags=re.MULTILINE)


def functions(text):
    """Yields (first line, number of lines, what stands before the body) of every function outside other functions."""
    code = strip_preprocessor(strip_cpp(text))
    stack = []  # per open brace: "scope", "function" or "other"
    head_at = 0
    body = None
    for at, char in enumerate(code):
        inside = "function" in stack or "other" in stack
        if char == "{":
            head = code[head_at:at]
            words = re.sub(r"^(\s|(?:public|private|protected)\s*:)+", "", head)
            if inside:
                stack.append("other")
            elif not head[-1:].isspace() and head.strip():
                stack.append("other")  # member{value}: clang-format puts a space before every body
            elif NAMESPACE_START.match(words) or TYPE_START.match(words) or '"' in words and "extern" in words:
                stack.append("scope")
                head_at = at + 1
            elif "(" in words and not words.rstrip().endswith("="):
                stack.append("function")
                body = (head_at + len(head) - len(head.lstrip()), " ".join(words.split()))
            else:
                stack.append("other")
        elif char == "}" and stack:
            kind = stack.pop()
            if kind == "function":
                first = code.count("\n", 0, body[0]) + 1
                yield first, code.count("\n", body[0], at) + 1, body[1]
            if kind != "other":
                head_at = at + 1
        elif char == ";" and not inside:
            head_at = at + 1
