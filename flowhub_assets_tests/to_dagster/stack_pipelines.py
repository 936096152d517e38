"""Pipeline files for a whole Dagster. BASE in them stands for the folder that they work in."""

from __future__ import annotations

_HEAD = """\
apiVersion: flume/v1
kind: Pipeline
metadata: {name: NAME}
profiles: {default: {WORKSPACE: BASE/files}}
"""


def _file(name: str, body: str) -> str:
    return _HEAD.replace("NAME", name) + body


#: A kind of node beside them: appends a line to a file.
KINDS = '''
import os
from flowhub.nodes import Node, NodeContext, NodeInput, NodeOutput, registry

@registry.register
class Note(Node):
    """Appends a line to a file."""
    name = "note"
    class Input(NodeInput):
        text: str
    class Output(NodeOutput):
        text: str
    def execute(self, input: Input, context: NodeContext) -> Output:
        with open(os.path.join("BASE", context.node + ".notes"), "a", encoding="utf-8") as file:
            file.write(input.text + "\\n")
        return self.Output(text=input.text)
'''

ORDERS = _file("orders", """\
params:
  city: {type: string, default: Seoul, enum: [Seoul, Busan]}
  count: {type: integer, minimum: 1, maximum: 9, default: 3}
  code: {type: string, pattern: "^[A-Z]{2}$"}
nodes:
  - id: make-list
    type: python
    config:
      script: |
        print("making", args["count"], "orders")
        log.warning("for %s", args["city"])
        result = list(range(args["count"]))
    inputs: {args: {count: "{{params.count}}", city: "{{params.city}}"}}
  - {id: is-seoul, type: condition, config: {if: "params.city == 'Seoul'"}}
  - {id: near, type: log, inputs: {message: "near {{params.code}}"}}
  - {id: far, type: log, inputs: {message: "far {{params.code}}"}}
  - id: each
    type: loop
    config: {items: "{{make-list.output}}", maxConcurrency: 2, result: double}
    nodes:
      - {id: say, type: log, inputs: {message: "item {{item}}"}}
      - id: double
        type: python
        config: {script: "result = args['n'] * 2"}
        inputs: {args: {n: "{{item}}"}}
  - {id: join, type: template, inputs: {template: "{{near.skipped}} {{far.skipped}} {{each.output}}"}}
edges:
  - {from: make-list, to: is-seoul}
  - {from: is-seoul, to: near, when: "true"}
  - {from: is-seoul, to: far, when: "false"}
  - {from: near, to: join}
  - {from: far, to: join}
onFailure: {id: alarm, type: note, inputs: {text: "{{failure.failed_task}}: {{failure.error}}"}}
finally:
  - {id: sweep, type: note, inputs: {text: "{{params.code}}"}}
""")  # fmt: skip

#: Its first child kills itself at its first try; others are late or run out of memory, which it tolerates.
FAILING = _file("fails", """\
nodes:
  - id: dies-once
    type: python
    retry: {times: 1}
    config:
      script: |
        import os, signal
        with open("BASE/dies-once.count", "a+") as file:
            file.write("x")
            tries = file.tell()
        if tries == 1:
            os.kill(os.getpid(), signal.SIGKILL)
        result = tries
  - id: eats
    type: python
    continueOnError: true
    config:
      script: |
        import resource
        resource.setrlimit(resource.RLIMIT_AS, (2 << 30, 2 << 30))
        result = len("x" * (8 << 30))
  - {id: late-child, type: python, timeout: 0.5, continueOnError: true, config: {script: "import time; time.sleep(60)"}}
  - {id: late, type: delay, timeout: 0.5, continueOnError: true, config: {seconds: 60}}
  - id: told
    type: log
    inputs: {message: "{{dies-once.output}} {{eats.error.type}} {{late-child.error.type}} {{late.error.type}}"}
  - {id: fails, type: error, inputs: {message: "no good: {{told.output}}"}}
onFailure: {id: alarm-of-fails, type: note, inputs: {text: "{{failure.failed_task}}: {{failure.error}}"}}
finally:
  - {id: sweep-of-fails, type: note, inputs: {text: swept}}
""")  # fmt: skip

#: Light nodes in one step, a heavy one behind them whose process is killed at its first try.
FUSED = _file("fused", """\
fuse: true
nodes:
  - {id: a, type: log, inputs: {message: first}}
  - {id: b, type: delay, config: {seconds: 0.5}, inputs: {value: "{{a.output}}"}}
  - {id: c, type: log, inputs: {message: "{{b.output}}"}}
  - id: heavy
    type: python
    runOn: cpu
    retry: {times: 1}
    inputs: {args: {v: "{{c.output}}", run: "{{$run_id}}"}}
    config:
      script: |
        import os, signal
        with open("BASE/heavy-" + args["run"], "a+") as file:
            file.write("x")
            tries = file.tell()
        print("heavy prints")
        log.warning("heavy warns")
        if tries == 1:
            os.kill(os.getppid(), signal.SIGKILL)
        result = f"{args['v']} {tries}"
  - {id: d, type: template, inputs: {template: "{{heavy.output}}!"}}
""")  # fmt: skip

#: One run of it at a time.
SERIAL = _file("serial", """\
concurrency: 1
priority: 3
queue: nightly
nodes:
  - {id: wait, type: delay, config: {seconds: 0.5}}
""")  # fmt: skip

TABLES = _file("tables", """\
nodes:
  - id: rows
    type: python
    config: {script: "result = int(open('BASE/rows').read())"}
    asset: {key: reports/rows, check: "output > 2"}
  - {id: middle, type: template, inputs: {template: "{{rows.output}}"}}
  - id: report
    type: python
    inputs: {args: {n: "{{middle.output}}"}}
    config: {script: "result = {'n': args['n']}"}
    asset: reports/daily
""")  # fmt: skip

_SLEEPS = "import os, time; open('BASE/{}.pid', 'w').write(str(os.getpid())); time.sleep(60)"

LONG = _file("long", f"""\
nodes:
  - {{id: wait, type: delay, config: {{seconds: 60}}}}
  - {{id: sleep, type: python, config: {{script: "{_SLEEPS.format("sleep")}"}}}}
  - {{id: heavy, type: python, runOn: cpu, config: {{script: "{_SLEEPS.format("heavy")}"}}}}
  - id: each
    type: loop
    config: {{items: [1, 2, 3], maxConcurrency: 2}}
    nodes:
      - id: nap
        type: python
        config: {{script: "{_SLEEPS.format("nap' + str(args['n']) + '")}"}}
        inputs: {{args: {{n: "{{{{item}}}}"}}}}
""")  # fmt: skip

#: The toss falls otherwise once the file ``released`` is there; until then the loop's item 2 does not end.
KILLED = _file("killed", """\
nodes:
  - id: toss
    type: python
    config:
      script: |
        import os
        open("BASE/toss.count", "a").write("x")
        result = "tails" if os.path.exists("BASE/released") else "heads"
  - {id: is-heads, type: condition, config: {if: "toss.output == 'heads'"}}
  - {id: heads, type: note, inputs: {text: heads}}
  - {id: tails, type: note, inputs: {text: tails}}
  - id: each
    type: loop
    config: {items: [0, 1, 2, 3], maxConcurrency: 4}
    nodes:
      - id: step
        type: python
        config:
          script: |
            import os, time
            open(f"BASE/step{args['n']}.count", "a").write("x")
            while args["n"] == 2 and not os.path.exists("BASE/released"):
                time.sleep(0.1)
            result = args["n"] * 10
        inputs: {args: {n: "{{item}}"}}
  - {id: end, type: template, inputs: {template: "{{each.output}} {{heads.text}} {{tails.skipped}}"}}
edges:
  - {from: toss, to: is-heads}
  - {from: is-heads, to: heads, when: "true"}
  - {from: is-heads, to: tails, when: "false"}
  - {from: heads, to: end}
  - {from: tails, to: end}
""")  # fmt: skip


def _python(number: int) -> str:
    return f"""\
  - id: p{number}
    type: python
    pool: narrow
    inputs: {{args: {{v: "{{{{start.output}}}}"}}}}
    config: {{script: "import time; t = time.time(); time.sleep(0.1); result = [t, time.time()]"}}
"""


#: Children that take turns in a pool of two places, beside many light nodes.
MANY = _file(
    "many",
    "nodes:\n  - {id: start, type: log, inputs: {message: go}}\n"
    + "".join(_python(number) for number in range(6))
    + "".join(
        f'  - {{id: c{number}, type: python, inputs: {{args: {{v: "{{{{start.output}}}}"}}}},'
        f' config: {{script: "result = {number}"}}}}\n'
        f'  - {{id: l{number}, type: template, inputs: {{template: "{{{{start.output}}}} {number}"}}}}\n'
        for number in range(40)
    ),
)

_TWICE = """\
apiVersion: flume/v1
kind: Pipeline
metadata: {name: NAME}
nodes:
  - {id: a, type: log, inputs: {message: x}}
"""

FILES = {
    "a_kinds.py": KINDS,
    "failing.yaml": FAILING,
    "fused.yaml": FUSED,
    "killed.yaml": KILLED,
    "long.yaml": LONG,
    "many.yaml": MANY,
    "orders.yaml": ORDERS,
    "serial.yaml": SERIAL,
    "tables.yaml": TABLES,
    "misspelt.yaml": _TWICE.replace("NAME", "misspelt").replace("type: log", "type: lgo"),
    "b_kinds.py": KINDS.replace("Appends", "Also appends"),
    "twice-1.yaml": _TWICE.replace("NAME", "twice"),
    "twice-2.yaml": _TWICE.replace("NAME", "twice"),
    "a_flow.py": (
        "from flowhub import flow, task\n\n@task\ndef one(args):\n    return {}\n\n"
        '@flow(name="of-both")\ndef main(args):\n    return one(args)\n'
    ),
    "b_flow.yaml": _TWICE.replace("NAME", "of-both"),
}
