"""Credentials in the files that travel: a literal is read from the pod's environment there, others are refused.

The user's own files stay as they are. In the copy that travels, ``'SECRET_KEY': 'abc'`` becomes
``'SECRET_KEY': (__import__("os").environ.get("SECRET_KEY", ""))``: the same line, and in a pod the same value, for the
variable comes from the Kubernetes Secret. Comments and docstrings lose what they give away.
"""

from __future__ import annotations

import ast
import io
import tokenize
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from flowhub_assets.errors import DefinitionError, FlowhubError
from flowhub_assets.ir.pipeline import Source
from flowhub_assets.pods.composed_texts import composed_texts
from flowhub_assets.pods.cutting import Range, cut, docstrings, lines_of, range_of, segment
from flowhub_assets.pods.secret_looks import look_of, without_looks
from flowhub_assets.pods.secret_words import holds, is_ordinary, masked
from flowhub_assets.runtime.secret_values import is_secret_name

_EFFECT = "it would be readable in the ConfigMap, so nothing was exported"
_REMEDY = (
    "read it from the environment where it is needed, os.environ['TOKEN'], and give the profile {'TOKEN': {'env':"
    " 'TOKEN'}}, so that pods have it"
)

_INSIDE = "a credential of a profile, or of a task's env, inside of something longer"

_SHORTEST_SECRET = 8

#: Every credential's name (runtime.secret_values) has one of them: a file without names none.
_PARTS_OF_NAMES = ("accesskey", "apikey", "privatekey", "secret", "token", "pass", "credential", "authorization")

#: What holds no literal.
_LEAVES = (ast.Name, ast.expr_context, ast.operator, ast.cmpop)

Literals = Mapping[str, tuple[str, ...]]


@dataclass(frozen=True)
class CleanCode:
    """``files`` without credentials; with ``refusals`` nothing may be exported."""

    files: Mapping[str, bytes]
    warnings: tuple[str, ...] = ()
    refusals: tuple[FlowhubError, ...] = field(default=(), repr=False)


def clean_code(files: Mapping[str, bytes], paths: Mapping[str, str], literals: Literals) -> CleanCode:
    """``files`` (name → content; ``paths`` tells where they lie) without the credentials ``literals``.

    In Python code a string that is one becomes a look into the environment, at its variable. Refused are a string
    that only contains one, and whatever is a credential by its looks, in any file. A literal that is an ordinary word
    (``minio``) is taken for one where it stands under a credential's name, and elsewhere only if it does so nowhere.
    """
    ordinary = {one for one in literals if is_ordinary(one)}
    python = [code for name, code in files.items() if name.endswith(".py")] if ordinary else []
    named = {one for code in python for one in _named_in(code)}
    everywhere = {one for one in literals if one not in ordinary or one not in named}
    clean, warnings, refusals = {}, [], []
    for name, content in files.items():
        copy = _Copy(paths.get(name, name), literals, everywhere)
        clean[name] = copy.of(content, name.endswith(".py"))
        refusals += copy.refusals
        warnings += copy.warnings
    return CleanCode(clean, tuple(warnings), tuple(refusals))


def _named_in(code: bytes) -> set[str]:
    try:
        return {str(constant.value) for constant, name, _ in _named_constants(ast.parse(code)) if name}
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return set()


class _Copy:
    """One file on its way: what is wrong with it, and its copy."""

    def __init__(self, path: str, literals: Literals, everywhere: set[str]) -> None:
        self.path = path
        self.literals = literals
        self.everywhere = everywhere
        self.refusals: list[FlowhubError] = []
        self.warnings: list[str] = []

    def of(self, content: bytes, python: bool) -> bytes:
        """The copy of ``content``."""
        try:
            text = content.decode("utf-8-sig" if python else "utf-8")
        except UnicodeDecodeError:
            text, python = content.decode("latin-1"), False
        copy, look = text, look_of(text)
        if python and (look or self.literals or _may_name_one(text)):
            try:
                copy = self._python(text, look)
            except (SyntaxError, ValueError, RecursionError, MemoryError):
                copy = text  # whoever imports it is told; here it is a text like others
        self._refuse_lines(copy, look if copy == text else look_of(copy))
        if b"\0" in content:  # UTF-16, say
            narrow = content.replace(b"\0", b"").decode("latin-1")
            self._refuse_lines(narrow, look_of(narrow))
        return content if copy == text else copy.encode()

    def _python(self, written: str, look: str) -> str:
        tree = ast.parse(written)
        text = written.replace("\r\n", "\n").replace("\r", "\n")
        instead: dict[Range, str] = {}
        if look or any(literal in text for literal in self.everywhere):
            self._mask_all(instead, tree, text)
        for constant, name, direct in _named_constants(tree):
            variable = self._variable(constant, name)
            if variable:
                start, end = range_of(constant)
                instead[start, end] = _expression(constant, variable, end[0] - start[0])
            elif direct and isinstance(constant.value, str) and _may_be_secret(constant.value):
                self.warnings.append(
                    f"{self.path}:{constant.lineno}: {name} is a literal that the profile does not have. It travels as"
                    " it stands; if it is a credential, read it from args['env'] and have it in the profile."
                )
        self._refuse_composed(tree, text, instead)
        return cut(text, instead, instead) if instead else written

    def _refuse_composed(self, tree: ast.Module, text: str, instead: Mapping[Range, str]) -> None:
        """Refuses the credentials that no line of ``text`` shows: spelled with escapes, or put together from parts."""
        lines = lines_of(text)
        for node, composed in composed_texts(tree, instead) if self.literals else ():
            held = [one for one in self.literals if holds(composed, one)]
            if held and not any(one in line for one in held for line in lines[node.lineno - 1 : node.end_lineno]):
                self._refuse(_INSIDE, node.lineno)

    def _mask_all(self, instead: dict[Range, str], tree: ast.Module, text: str) -> None:
        """What docstrings and comments give away."""
        lines = text.encode().split(b"\n")
        for statement, _ in docstrings(tree):
            self._mask(instead, range_of(statement), segment(lines, range_of(statement)))
        for token in tokenize.generate_tokens(io.StringIO(text).readline):
            if token.type == tokenize.COMMENT:
                start = token.start[0], len(token.line[: token.start[1]].encode())
                self._mask(instead, (start, (start[0], start[1] + len(token.string.encode()))), token.string)

    def _mask(self, instead: dict[Range, str], place: Range, text: str) -> None:
        shown = text
        for literal in sorted(self.everywhere, key=len, reverse=True):
            shown = masked(shown, literal)
        shown = without_looks(shown)
        if shown != text:
            instead[place] = shown

    def _variable(self, constant: ast.Constant, name: str) -> str:
        """The variable of a literal that is a credential; "" where it is none, or cannot be one here."""
        value = constant.value.decode("latin-1") if isinstance(constant.value, bytes) else str(constant.value)
        variables = self.literals.get(value)
        if variables is None or isinstance(constant.value, (bool, float)) or not (name or value in self.everywhere):
            return ""
        wanted = name.upper().replace("-", "_")
        return next((one for one in variables if one == wanted or one.endswith(f"_{wanted}")), variables[0])

    def _refuse_lines(self, text: str, look: str) -> None:
        """Refuses what is still there, ``look`` being what all of it looks like."""
        if not look and not any(holds(text, spelled) for one in self.literals for spelled in (one, repr(one)[1:-1])):
            return
        for number, line in enumerate(text.split("\n"), 1):
            what = look_of(line) if look else ""
            if not what and any(holds(line, spelled) for one in self.literals for spelled in (one, repr(one)[1:-1])):
                what = _INSIDE
            if what:
                self._refuse(what, number)
                look = ""
        if look:
            self._refuse(look, 1)

    def _refuse(self, what: str, line: int) -> None:
        where = Source(self.path, line)
        if not any(refusal.where == str(where) for refusal in self.refusals):
            self.refusals.append(
                DefinitionError(f"this line holds {what}", where=where, effect=_EFFECT, remedy=_REMEDY)
            )


def _expression(constant: ast.Constant, variable: str, breaks: int) -> str:
    """What gives the variable's value, on as many lines as the literal took."""
    read = f'__import__("os").environ.get("{variable}", "")'
    if isinstance(constant.value, bytes):
        read += ".encode()"
    elif isinstance(constant.value, int):
        read = f"int({read} or 0)"
    return f"({read}{chr(10) * breaks})"


def _may_name_one(code: str) -> bool:
    lowered = code.lower().replace("_", "").replace("-", "")
    return any(part in lowered for part in _PARTS_OF_NAMES)


def _may_be_secret(text: str) -> bool:
    """Whether a literal under a credential's name is more than the name of something."""
    return len(text) >= _SHORTEST_SECRET and not is_ordinary(text) and text.isprintable() and not _is_plain(text)


def _is_plain(text: str) -> bool:
    return " " in text or is_secret_name(text) or "://" in text or text.startswith(("{", "$", "<", "/"))


def _named_constants(tree: ast.Module) -> Iterator[tuple[ast.Constant, str, bool]]:
    """Each literal that another expression could stand in place of, the credential's name that it stands under, or "".

    The third tells whether it is all that the name is given.
    """
    ahead: list[tuple[ast.AST, str, bool]] = [(tree, "", False)]
    passed = {id(statement) for statement, _ in docstrings(tree)}
    while ahead:
        node, name, direct = ahead.pop()
        if id(node) in passed or isinstance(node, (ast.JoinedStr, ast.MatchValue, ast.MatchMapping)):
            continue  # inside of an f-string, and as a pattern, only a literal can stand
        if isinstance(node, ast.Constant):
            yield node, name, direct and name != ""
        else:
            gives = isinstance(node, (ast.Dict, ast.keyword, ast.Assign, ast.AnnAssign, ast.arguments))
            ahead += [(part, under, gives) for part, under in _parts(node, name)]


def _parts(node: ast.AST, name: str) -> Iterator[tuple[ast.AST, str]]:
    """The parts of ``node``, each with the credential's name that it stands under."""
    if isinstance(node, ast.Dict):
        for key, value in zip(node.keys, node.values, strict=True):
            if key is not None:
                yield key, name
            yield value, _credential(key) or name
    elif isinstance(node, ast.keyword):
        yield node.value, _credential(node.arg) or name
    elif isinstance(node, (ast.Assign, ast.AnnAssign)):
        targets = node.targets if isinstance(node, ast.Assign) else [node.target]
        yield from ((target, name) for target in targets)
        if node.value is not None:
            yield node.value, next(filter(None, map(_credential, targets)), name)
    elif isinstance(node, ast.Call):
        # os.environ.get('TOKEN', '...'), parser.add_argument('--token', default='...')
        called = next(filter(None, map(_credential, node.args)), name)
        yield from ((part, called) for part in _inner(node))
    elif isinstance(node, ast.arguments):
        given = [*node.posonlyargs, *node.args]
        defaults = [*zip(given[len(given) - len(node.defaults) :], node.defaults, strict=True)]
        for parameter, default in [*defaults, *zip(node.kwonlyargs, node.kw_defaults, strict=True)]:
            if default is not None:
                yield default, _credential(parameter.arg) or name
    else:
        yield from ((part, name) for part in _inner(node))


def _inner(node: ast.AST) -> Iterator[ast.AST]:
    return (part for part in ast.iter_child_nodes(node) if not isinstance(part, _LEAVES))


def _credential(node: object) -> str:
    """The credential's name that ``node`` is: a text, a key, a variable, an attribute, an option; "" for any other."""
    if isinstance(node, ast.Subscript):
        return _credential(node.slice)
    name = node.value if isinstance(node, ast.Constant) else node
    name = name.id if isinstance(name, ast.Name) else name.attr if isinstance(name, ast.Attribute) else name
    name = name.lstrip("-").replace("-", "_") if isinstance(name, str) else ""
    return name if is_secret_name(name) else ""
