"""Graphs whose point is what their writer set: env, params, retries, names, values."""

from __future__ import annotations

from flowhub_assets_tests.conformance.shapes import INPUT, JOIN_TWO, LEFT, A, B, C, Shape
from flowhub_assets_tests.conformance.workflow_text import main, step, workflow

SETTINGS = [
    Shape(
        "task env",
        workflow(
            step("a", words="env={'LEVEL': 'task', 'LIST': [1, {'x': None}]}"),
            B,
            main("return b(a(args))", words="env={'default': {'LEVEL': 'profile', 'DEBUG': True, 'RATIO': 0.5}}"),
        ),
        {"a": ["input"], "b": ["a"]},
        ("b",),
    ),
    Shape(
        "params",
        workflow(
            A,
            main(
                "return a(args)",
                words="params={'shared': 'param', 'n': 1, 'ratio': 1.0, 'on': True, 'none': None, 'deep': {'a': 1},"
                " 'list': [1, 'x'], 'kept': {'k': [1.5]}}",
            ),
        ),
        {"a": ["given"]},
        ("a",),
        given={"shared": "given", "n": 7, "ratio": 2.5, "none": "no more", "deep": {"b": [2]}, "list": [[], {}]},
    ),
    Shape("nothing given", workflow(A, B, main("return b(a(args))")), {"a": [None], "b": ["a"]}, ("b",), given={}),
    Shape(
        "retries that succeed",
        workflow(
            step("a", words="retries=3", first="assert attempt(args) == 3"),
            step("b", words="retries=1, retry_delay=0.05", first="assert attempt(args) == 2"),
            main("return b(a(args))", words="on_failure=note"),
        ),
        {"a": ["input"], "b": ["a"]},
        ("b",),
        attempts={"a": 3, "b": 2},
    ),
    Shape(
        "Korean",
        workflow(
            step("불러오기"),
            step("합치기", "하나, 둘"),
            step("b", words="name='보고-최종', env={'이름': '값'}"),
            main(
                "하나 = 불러오기(args)",
                "return b(합치기(하나, args))",
                name="보고서",
                words="env={'default': {'도시': '서울'}}",
            ),
        ),
        {"불러오기": ["입력"], "합치기": ["불러오기", "입력"], "보고-최종": ["합치기"]},
        ("보고-최종",),
        given={"shared": "입력", "인사": "안녕하세요", "목록": ["가", {"나": "다"}]},
    ),
    Shape(
        "names that only Dagster and files would mistake",
        workflow(
            step("a", words="name='input'"),
            step("b", words="name='step.one-two_3'"),
            main("return b(a(args))", name="with-dashes.and.dots"),
        ),
        {"input": ["input"], "step.one-two_3": ["input"]},
        ("step.one-two_3",),
    ),
    Shape(
        "values of every kind",
        workflow(A, step("b", first="return {**args, 'pair': (1, 2), 'b': 1e300, 'c': -0.0}"), C)
        + main("return c(b(a(args)), args)"),
        {"a": ["input"], "c": ["input"]},
        ("c",),
        given={
            **INPUT,
            "large": 2**80 + 1,
            "negative": -(2**63) - 1,
            "float": 0.1,
            "whole float": 1.0,
            "tiny": 5e-324,
            "null": None,
            "bools": [True, False],
            "": "empty key",
            "text": '\u0000\u001f"\\/ \u2028 é 한글 🧪',
            "deep": {"a": [[], {}, [{"b": [None]}]]},
            "looks like config": {"env": "HOME", "$": "{{ 1 }}"},
        },
    ),
]

#: Much in one, for runners that are slow to start.
MUCH_IN_ONE = Shape(
    "much in one",
    workflow(
        step("불러오기", words="retries=1, env={'이름': '값'}", first="assert attempt(args) == 2"),
        LEFT,
        JOIN_TWO,
        main(
            "start = 불러오기(args)",
            "return join(args, left(start)), start",
            name="보고서",
            words="params={'shared': 'param', '나라': '한국'}, env={'default': {'도시': '서울'}}",
        ),
    ),
    {"불러오기": ["입력"], "left": ["불러오기"], "join": ["입력", "left"]},
    ("join", "불러오기"),
    given={"나라": "대한민국", "shared": "입력"},
    attempts={"불러오기": 2},
)

SETTINGS.append(MUCH_IN_ONE)
