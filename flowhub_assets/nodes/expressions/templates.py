"""Renders the templates in a node's config and inputs: Jinja, within bounds, on plain JSON.

A string that is one ``{{ expression }}`` becomes the expression's value, whatever its type; any other becomes text,
in which numbers, lists and objects stand as JSON and null as ``null``. A name that is not known is an error when the
template is read, a value that is not there when it is rendered; ``| default(...)`` and ``is defined`` ask for it.
Keys of objects are left as they are.
"""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from flowhub_assets.nodes.expressions.code import has_code, template_code
from flowhub_assets.nodes.expressions.limits import Budget
from flowhub_assets.nodes.expressions.lookup import is_missing, located
from flowhub_assets.nodes.expressions.names import Name
from flowhub_assets.nodes.expressions.problem import TemplateProblem, ValueAbsent
from flowhub_assets.nodes.expressions.simple_template import SimpleTemplate, simple_template

if TYPE_CHECKING:
    from jinja2 import Template, nodes

__all__ = ["Name", "TemplateProblem", "render", "template_names"]

#: How many templates are kept compiled.
_MOST_KEPT = 2_000


def template_names(text: str, known: Collection[str]) -> list[Name]:
    """The paths that the template names, in the order of their places.

    ``known`` are the names that a path can begin with. Raises TemplateProblem for wrong syntax, for a statement
    that templates may not use, and for a name that is not known.
    """
    if not has_code(text):
        return []
    return sorted(_compiled(text, known).names, key=lambda name: name.offset)


def render(value: Any, scope: Mapping[str, Any], known: Collection[str]) -> Any:
    """``value`` with every template in it, at any depth, rendered; values without any are given back as they are.

    ``scope`` holds what the known names stand for. Raises TemplateProblem, with the offset in the string that it is
    about.
    """
    return _render(value, scope, known, Budget()) if _holds_code(value) else value


def _holds_code(value: Any) -> bool:
    if isinstance(value, str):
        return has_code(value)
    if isinstance(value, Mapping):
        return any(map(_holds_code, value.values()))
    return isinstance(value, (list, tuple)) and any(map(_holds_code, value))


def _render(value: Any, scope: Mapping[str, Any], known: Collection[str], budget: Budget) -> Any:
    if isinstance(value, str):
        if not has_code(value):
            return value
        with budget.clock_stopped():
            compiled = _compiled(value, known)
        return _rendered(compiled, scope, budget)
    if isinstance(value, Mapping):
        return {key: _render(item, scope, known, budget) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_render(item, scope, known, budget) for item in value]
    return value


@dataclass(frozen=True)
class JinjaTemplate:
    """A template that was read; ``result`` is the variable that holds its value if it is one expression."""

    tree: nodes.Template
    names: tuple[Name, ...]
    stands_for: Mapping[str, str]
    asked: Mapping[str, bool]
    result: str | None

    @property
    def template(self) -> Template:
        """The template compiled, which costs more than to read it: who only checks it need not pay."""
        # Not a cached_property: before Python 3.12 that has a lock, which a child forked meanwhile would wait for.
        made = vars(self).get("_template")
        if made is None:
            made = vars(self)["_template"] = self._compile()
        return cast("Template", made)

    def _compile(self) -> Template:
        from jinja2 import Template

        from flowhub_assets.nodes.expressions.sandbox import sandbox

        try:
            return Template.from_code(sandbox(), sandbox().compile(self.tree, "template", "template"), {})
        except SyntaxError:
            raise TemplateProblem("the template is nested too deeply") from None

    def render(self, scope: Mapping[str, Any], budget: Budget) -> Any:
        """The value of its only expression, or a text."""
        from jinja2.runtime import Context

        from flowhub_assets.nodes.expressions.lookup import Missing
        from flowhub_assets.nodes.expressions.sandbox import BUDGET, CALLEES, sandbox

        values: dict[str, Any] = {**CALLEES, BUDGET: budget}
        for identifier, name in self.stands_for.items():
            values[identifier] = scope[name] if name in scope else Missing(f"{name!r} has no value here", key=name)
        context = Context(sandbox(), values, None, {})
        with budget.clock_stopped():
            template = self.template
        texts = []
        for text in template.root_render_func(context):
            budget.output(len(text))
            texts.append(text)
        if self.result is None:
            return "".join(texts)
        value = context.vars[self.result]
        if is_missing(value):
            value.fail()
        budget.measure(value)
        return value


Compiled = SimpleTemplate | JinjaTemplate

#: A template's text → what it was compiled to, for each set of answers to which of its names are known.
_kept: OrderedDict[str, list[Compiled]] = OrderedDict()


def _compiled(text: str, known: Collection[str]) -> Compiled:
    for compiled in _kept.get(text, ()):
        if all((name in known) is answer for name, answer in compiled.asked.items()):
            return compiled
    compiled = simple_template(text, known) or _compile(text, known)
    # Two threads may both compile it, and then the same is kept twice.
    _kept[text] = [compiled, *_kept.get(text, [])[:3]]
    while len(_kept) > _MOST_KEPT:
        _kept.popitem(last=False)
    return compiled


def _compile(text: str, known: Collection[str]) -> JinjaTemplate:
    from jinja2 import TemplateSyntaxError, nodes

    from flowhub_assets.nodes.expressions.sandbox import sandbox
    from flowhub_assets.nodes.expressions.tree import TreeReader, offset_of_line

    environment = sandbox()
    ends_line = text.endswith("}}\n")  # as a block of YAML does
    code = template_code(text[:-1] if ends_line else text, known)
    reader = TreeReader(text, code, known)
    try:
        tree = environment.parse(code.text)
        expression = _only_expression(tree)
        if expression is None and ends_line:
            tree.body.append(nodes.Output([nodes.TemplateData("\n")], lineno=1))
        result = None
        if expression is not None:
            result = f"{code.prefix}result"
            tree.body = [nodes.Assign(nodes.Name(result, "store"), expression, lineno=1)]
        tree.set_environment(environment)
        reader.read(tree)
    except TemplateSyntaxError as error:
        offset = offset_of_line(text, error.lineno)
        what, remedy = _told(error.message or "", {made: name for made, (name, _) in code.names.items()})
        raise TemplateProblem(what, offset, remedy) from None
    except (RecursionError, MemoryError):
        raise TemplateProblem("the template is nested too deeply") from None
    return JinjaTemplate(tree, tuple(reader.names), reader.stands_for, code.asked, result)


def _only_expression(tree: Any) -> Any:
    """The expression, if the template is nothing but one."""
    from jinja2 import nodes

    if len(tree.body) == 1 and isinstance(tree.body[0], nodes.Output) and len(tree.body[0].nodes) == 1:
        only = tree.body[0].nodes[0]
        return None if isinstance(only, nodes.TemplateData) else only
    return None


def _rendered(compiled: Compiled, scope: Mapping[str, Any], budget: Budget) -> Any:
    try:
        return compiled.render(scope, budget)
    except ValueAbsent as problem:
        raise located(problem, compiled.names, scope) from None
    except TemplateProblem:
        raise
    except (RecursionError, MemoryError):
        raise TemplateProblem("a value in the template is nested too deeply, or too large") from None
    except Exception as error:  # noqa: BLE001 - whatever Jinja raises of a template that a user wrote
        raise TemplateProblem(str(error)) from None


def _told(message: str, names: Mapping[str, str]) -> tuple[str, str]:
    """Jinja's message about syntax in the words of the template, and what to do about it."""
    message = re.sub(r" at \d+$", "", message.rstrip("."))
    for made in sorted(names, key=len, reverse=True):
        message = message.replace(made, names[made])
    what = f"the template cannot be read: {message[:1].lower()}{message[1:]}"
    for sign, word in (("&", "and"), ("|", "or"), ("!", "not")):
        if message.endswith(f"'{sign}'"):
            return what, f"Write {word} for {'!' if sign == '!' else sign * 2}."
    return what, ""
