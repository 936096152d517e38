"""What a file imports, as its text tells."""

from __future__ import annotations

import ast
import textwrap

from flowhub_assets.pods.imported_modules import imports_of


def imported(code: str, package: str = "") -> list[tuple[str, tuple[str, ...], int]]:
    tree = ast.parse(textwrap.dedent(code))
    return [(one.module, one.names, one.line) for one in imports_of(tree, package)]


def test_imports_are_found_at_the_top_and_inside_functions_in_the_order_of_their_lines() -> None:
    code = """\
        import json, os.path
        from tools import clean, load as read
        def body(args):
            import late
            class Inner:
                from deep import *
    """
    assert imported(code) == [
        ("json", (), 1),
        ("os.path", (), 1),
        ("tools", ("clean", "load"), 2),
        ("late", (), 4),
        ("deep", ("*",), 6),
    ]


def test_relative_imports_are_told_as_absolute_ones() -> None:
    code = "from . import one\nfrom .sub import two\nfrom ..near import three\nfrom ... import too_far\n"
    assert imported(code, "top.inner") == [
        ("top.inner", ("one",), 1),
        ("top.inner.sub", ("two",), 2),
        ("top.near", ("three",), 3),
        ("", ("too_far",), 4),
    ]
    assert imported("from . import one\n") == [("", ("one",), 1)]


def test_what_only_type_checkers_read_is_none() -> None:
    code = """\
        import typing
        if typing.TYPE_CHECKING:
            import heavy
        else:
            import light
        if TYPE_CHECKING:
            from heavy import more
    """
    assert [module for module, _, _ in imported(code)] == ["typing", "light"]


def test_an_import_that_is_tried_says_so() -> None:
    code = "try:\n    from . import helper\nexcept ImportError:\n    import helper\nimport sure\n"
    assert [one.tried for one in imports_of(ast.parse(code), "")] == [True, True, False]
