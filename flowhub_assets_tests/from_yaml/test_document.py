"""What is wrong with a pipeline file: every mistake, at its place, with what to do."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flowhub_assets.from_yaml.loading import read_text
from flowhub_assets_tests.from_yaml.kinds_for_tests import kinds


@pytest.fixture(autouse=True, scope="module")
def _kinds() -> Iterator[None]:
    with kinds():
        yield


def problems(text: str) -> list[str]:
    return [str(problem).removeprefix("p.yaml:") for problem in read_text(text, "p.yaml").problems]


HEAD = "apiVersion: flume/v1\nkind: Pipeline\nmetadata: {name: p}\n"
NODES = "nodes: [{id: a, type: test-open}]\n"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("metadata: {}\n", "3:11: metadata has no name."),
        ("metadata: {name: 3}\n", "3:18: name of metadata is 3. It cannot be used. Write a text, in quotes"),
        ("metadata: {name: a b}\n", "3:18: 'a b' cannot be the name of a pipeline."),
        ("metadata: {name: p, owner: me}\n", "3:21: metadata has no key 'owner'. It would have no effect. Did you mea"),
        ("metadata: {name: p, owners: me}\n", "3:29: owners of metadata is text. It cannot be used. Write a list"),
        ("metadata: {name: p, owners: [a, 'team:b']}\n", "3:30: owner 'a' is neither an e-mail address nor a team."),
        ("metadata: {name: p, namespace: A_b}\n", "3:32: namespace 'A_b' is not a legal name."),
        ("metadata: {name: p}\nname: x\n", "4:1: the pipeline has no key 'name'. It would have no effect. Move it"),
        ("metadata: {name: p}\nconcurency: 2\n", "4:1: the pipeline has no key 'concurency'. It would have no effect. "
         "Did you mean 'concurrency'?"),
        ("metadata: {name: p}\nconcurrency: 0\n", "4:14: concurrency of the pipeline is 0. It cannot be used. Write 1"),
        ("metadata: {name: p}\nfuse: yes\n", "4:7: fuse of the pipeline is text 'yes'. It cannot be used. Write fuse:"),
        ("metadata: {name: p}\nprofiles: {BUCKET: b}\n", "4:12: 'BUCKET' stands among the profiles. No task would "
         "see it. Put it into a profile: profiles: {default: {BUCKET: ...}}."),
        ("metadata: {name: p}\ntrigger: {type: corn}\n", "4:17: type of the trigger is 'corn'. It cannot be used. "
         "Did you mean 'cron'?"),
        ("metadata: {name: p}\ntrigger: {type: cron}\n", "4:10: a trigger of type cron has no schedule."),
        ("metadata: {name: p}\ntrigger: {type: cron, schedule: '@daily', cron: '@daily'}\n", "4:43: a trigger of type "
         "cron has no key 'cron'. It would have no effect. Did you mean 'schedule'?"),
        ("metadata: {name: p}\ntrigger: {type: cron, schedule: '0 25 * * *'}\n", "4:33: schedule '0 25 * * *' has '25"),
        ("metadata: {name: p}\ntrigger: {type: cron, schedule: '@daily', timezone: Soul}\n", "4:53: timezone 'Soul' i"),
        ("metadata: {name: p}\ntrigger: {type: run, pipeline: a, on: failure}\n", "4:35: a trigger of type run has no"),
        ("metadata: {name: p}\ntrigger: {type: model-alias, model: a}\n", "4:17: a model-alias trigger names no alias"),
        ("metadata: {name: p}\ntrigger: {type: run, pipeline: p}\n", "4:32: the pipeline 'p' is started by its own"),
        ("metadata: {name: p}\ntrigger: {type: asset, assets: [a/b], evry: 5m}\n",
         "4:39: a trigger of type asset has no key 'evry'. It would have no effect. Did you mean 'every'?"),
        ("metadata: {name: p}\ntrigger: {type: interval, every: soon}\n", "4:34: every of the trigger is 'soon', whic"),
        ("metadata: {name: p}\ntrigger: {type: webhook, pth: x}\n", "4:26: pth of the trigger is nothing that it take"),
        ("metadata: {name: p}\ntrigger: {type: manual, every: 5m}\n", "4:25: a trigger of type manual has 'every'."),
        ("metadata: {name: p}\nparams: {a: {type: strin}}\n", "4:20: the schema of param 'a' has the type 'strin'."),
        ("metadata: {name: p}\nparams: {a: Seoul}\n", "4:13: param 'a' is text, not an object."),
        ("metadata: {name: p}\nparams: {a: {type: integer, default: x}}\n", "4:38: the default of param 'a' is 'x', a"),
        ("metadata: {name: p}\nparams:\n  a: {default: 1}\n  b: {minimum: 5, default: 2}\n",
         "6:28: the default of param 'b' is 2, below the minimum 5."),
        ("metadata: {name: p}\nprofiles: {default: x}\n", "4:21: default of profiles is text."),
        ("metadata: {name: p}\nprofiles: {default: {MONGODB_URL: 'mongodb://u:secret@h'}}\n", "4:35: MONGODB_URL is a "
         "URL with a password in it. Whoever reads the file could use it. Write MONGODB_URL: {env: MONGODB_URL}, and "),
        ("metadata: {name: p}\nprofiles:\n  prod:\n    ENDPOINT: http://u:secret@h:9000\n",
         "6:15: ENDPOINT is a URL with a password in it. Whoever reads the file could use it. Write the address alone"),
        ("metadata: {name: p}\nprofiles: {default: {MORE: {hosts: [http://h, 'redis://:secret@h']}}}\n",
         "4:47: MORE.hosts[1] is a URL with a password in it."),
        ("metadata: {name: p}\nprofiles: {default: {run_id: x}}\n", "4:21: profile 'default' sets 'run_id'."),
        ("metadata: {name: p}\nprofiles: {c: {GPU: {a100: {nodeSelecter: {a: b}}}}}\n", "4:43: GPU of the profile 'c' "
         "has the preset 'a100', which has the key 'nodeSelecter'. No node could ask for it. Did you mean"),
        ("metadata: {name: p, labels: {a: b c}}\n", "3:33: a label of the pipeline has 'a': 'b c'."),
        ("metadata: {name: p}\nlabels: {a: b}\n", "4:1: the pipeline has no key 'labels'. It would have no effect."),
        ("metadata: {name: p}\nimagePullSecrets: [No]\n", "4:20: imagePullSecrets of the pipeline have 'No'"),
        ("metadata: {name: p}\npartitions: {every: dayly, start: 2026-01-01}\n", "4:21: every of partitions "
         "is 'dayly'. It cannot be used. Did you mean 'daily'?"),
        ("metadata: {name: p}\npartitions: {every: daily}\n", "4:13: partitions have no start. They cannot be used."),
        ("metadata: {name: p}\npartitions: {every: daily, start: soon}\n", "4:35: partitions start at 'soon'"),
        ("metadata: {name: p}\npartitions: {every: daily, start: 2026-01-01, timezone: Soul}\n", "4:57: timezone 'S"),
        ("metadata: {name: p}\npartitions: {model: [a, 3]}\n", "4:25: model[1] of partitions is 3. It cannot be used"),
        ("metadata: {name: p}\npartitions: {model: [a], size: b}\n", "4:32: size of partitions is text. It cannot be"),
        ("metadata: {name: p}\npartitions: {model: [a, b, a]}\n", "4:22: dimension 'model' of partitions has 'a' tw"),
        ("metadata: {name: p}\npartitions: {model: [a|b]}\n", "4:21: key 'a|b' of dimension 'model' has | in it."),
        ("metadata: {name: p}\ndeadline: soon\n", "4:11: deadline of the pipeline is 'soon', which is no time."),
        ("metadata: {name: p}\nfreshness: 0\n", "4:12: freshness is 0 seconds."),
        ("metadata: {name: p}\ndedupe: {key: x}\n", "4:9: dedupe has no lifetime. It cannot be used. Write lifetime"),
        ("metadata: {name: p}\ndedupe: {key: x, lifetime: 1h, force: true}\n", "4:32: dedupe has no key 'force'."),
        ("metadata: {name: p}\ndedupe: {key: '{{nodes.x}}', lifetime: 1h}\n", "4:15: the key of dedupe sees no 'nod"),
        ("metadata: {name: p}\ndedupe: {key: '{{', lifetime: 1h}\n", "4:15: "),
        ("metadata: {name: p}\nresult: [b]\n", "4:10: the result names 'b', which is no node."),
    ],
)  # fmt: skip
def test_the_pipeline(text: str, told: str) -> None:
    found = problems(f"apiVersion: flume/v1\nkind: Pipeline\n{text}{NODES}")
    assert len(found) == 1, found
    assert found[0].startswith(told), found[0]
    assert "secret" not in found[0]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("x", "p.yaml:1:1: the document is text, not an object."),
        ("kind: Pipeline", "p.yaml:1:1: the document has no apiVersion."),
        ("apiVersoin: flume/v1\nkind: Pipeline", "p.yaml:1:1: the key 'apiVersoin' is misspelt."),
        ("kind: Pipeline\napiVersion: flume/v2", "p.yaml:2:13: apiVersion is 'flume/v2'. This version reads flume/v1"),
        ("apiVersion: flume/v1\nkind: Pipelin", "p.yaml:2:7: kind is 'Pipelin'."),
        (HEAD, "p.yaml:1:1: the pipeline has no nodes."),
    ],
)
def test_what_is_no_pipeline(text: str, told: str) -> None:
    found = read_text(text, "p.yaml").problems
    assert str(found[0]).startswith(told), found[0]


@pytest.mark.parametrize(
    ("node", "told"),
    [
        ("type: test-open", "5:5: nodes[0] has no id."),
        ("id: b", "5:5: node 'b' has no type."),
        ("id: b\n    type: test-opne", "6:11: node 'b': there is no kind of node 'test-opne'. A node of this "
         "type cannot run. Did you mean 'test-open'?"),
        ("id: 'a/b'\n    type: test-open", "5:9: 'a/b' cannot be the name of a node."),
        ("id: b\n    type: test-open\n    confg: {}", "7:5: node 'b' has no key 'confg'. It would have no effect. Did"),
        ("id: b\n    type: test-open\n    image: x", "7:5: node 'b' has no key 'image'. It would have no effect. Move"),
        ("id: b\n    type: test-open\n    runOn: GPU", "7:12: runOn of node 'b' is 'GPU'. It cannot be used. Did you"),
        ("id: b\n    type: test-open\n    timeout: 5 min", "7:14: timeout of node 'b' is '5 min', which is no time."),
        ("id: b\n    type: test-open\n    timeout: 0", "7:14: timeout=0 of node 'b' is no time."),
        ("id: b\n    type: test-open\n    retry: {delay: 3}", "7:12: retry of node 'b' has no times."),
        ("id: b\n    type: test-open\n    retry: {times: -1}", "7:20: times of retry of node 'b' is -1."),
        ("id: b\n    type: test-open\n    retry: {times: 1, backof: linear}", "7:23: retry of node 'b' has no key 'ba"),
        ("id: b\n    type: test-open\n    retry: {times: 1, on: [a b]}", "7:27: retry.on of node 'b' has 'a b'"),
        ("id: b\n    type: test-open\n    placement: {memory: 4GB}", "7:25: memory '4GB' of node 'b' is not a quantit"),
        ("id: b\n    type: test-open\n    placement: {limitCpu: 1, cpu: 2}", "7:27: limitCpu '1' of node 'b' is below"),
        ("id: b\n    type: test-open\n    placement: {nodeSelector: {a: 1}}", "7:35: nodeSelector of node 'b' has 'a'"),
        ("id: b\n    type: test-open\n    placement: {volumeMounts: [{name: d, mountPath: /d}]}", "7:39: node 'b' mou"),
        ("id: b\n    type: test-open\n    placement: {affinity: {nodeAffinity: {}, podAfinity: {}}}", "7:58: "
         "affinity of node 'b' has the key 'podAfinity'. Kubernetes would refuse the pod. Did you mean 'podAffinity'?"),
        ("id: b\n    type: test-open\n    placement: {affinity: x}", "7:27: affinity of placement of node 'b' is text"),
        ("id: b\n    type: test-open\n    placement: {labels: {a: 1}}", "7:29: a label of node 'b' has 'a': 1, not"),
        ("id: b\n    type: test-open\n    placement: {annotations: {/a: x}}", "7:30: an annotation of node 'b' has"),
        ("id: b\n    type: test-open\n    placement: {serviceAccountName: My}", "7:37: serviceAccountName 'My' of no"),
        ("id: b\n    type: test-open\n    placement: {priorityClassName: a_b}", "7:36: priorityClassName 'a_b' of no"),
        ("id: b\n    type: test-open\n    placement: {imagePullSecrets: [ok, No]}", "7:40: imagePullSecrets of node"),
        ("id: b\n    type: test-open\n    placement: {imagePullSecrets: ok}", "7:35: imagePullSecrets of placement"),
        ("id: b\n    type: test-open\n    placement: {activeDeadline: 0}", "7:33: activeDeadline 0 of node 'b' is not"),
        ("id: b\n    type: test-open\n    placement: {activeDeadline: 1500ms}", "7:33: activeDeadline of placement of "
         "node 'b' is 1.5 seconds. Kubernetes counts whole ones. Round it."),
        ("id: b\n    type: test-open\n    placement: {ephemeralStorage: 2GB}", "7:35: ephemeralStorage '2GB' of node"),
        ("id: b\n    type: test-open\n    placement: {limitEphemeralStorage: 1Gi, ephemeralStorage: 2Gi}",
         "7:40: limitEphemeralStorage '1Gi' of node 'b' is below its ephemeralStorage '2Gi'. Kubernetes would refuse "
         "the pod. Write limitEphemeralStorage: '2Gi' or more, or leave it out."),
        ("id: b\n    type: test-open\n    placement: {gpu: a100:0}", "7:22: gpu 'a100:0' of node 'b' is not a whole"),
        ("id: b\n    type: test-open\n    placement: {gpu: 1, gpuResource: gpu}", "7:38: gpuResource 'gpu' of node"),
        ("id: b\n    type: test-open\n    priorityClassName: low", "7:5: node 'b' has no key 'priorityClassName'. It "
         "would have no effect. Move it under placement: {priorityClassName: ...}."),
        ("id: b\n    type: test-open\n    asset: a b/c", "7:12: the asset key 'a b/c' of node 'b' is not legal."),
        ("id: b\n    type: test-strict\n    inputs: {prompt: x}\n    asset: {key: k, check: outptu == 3}",
         "8:28: there is no 'outptu' in the value. The asset could not be checked. Did you mean 'output'?"),
        ("id: b\n    type: test-strict\n    inputs: {prompt: x}\n    asset: {key: k, check: output.tokens > 3}",
         "8:28: 'output.tokens': the output is its text alone, not all fields. The asset could not be checked. "
         "Write tokens."),
        ("id: b\n    type: python\n    config: {script: 'x = ['}", "7:22: config.script of node 'b' is text, but must "
         "be Python: line 1 of it: '[' was never closed."),
        ("id: b\n    type: test-open\n    env: {task: 1}", "7:17: env of node 'b' sets 'task'."),
        ("id: b\n    type: test-open\n    env: {SHOP_URL: 'postgresql://h/d?password=secret'}", "7:21: SHOP_URL is a "
         "URL with a password in it. Whoever reads the file could use it. Write SHOP_URL: {env: SHOP_URL}, and set"),
        ("id: b\n    type: test-open\n    nodes: []", "7:5: node 'b' has 'nodes'. Only a loop runs nodes."),
        ("id: b\n    type: test-strict", "5:5: inputs.prompt of node 'b' is missing. The node would fail when it star"),
        ("id: b\n    type: test-strict\n    inputs: {promt: x, prompt: y}", "7:14: inputs.promt of node 'b' is "
         "no field of this node. The node would fail when it starts. Did you mean 'prompt'?"),
        ("id: b\n    type: test-strict\n    config: {maxTokens: many}\n    inputs: {prompt: y}", "7:25: "
         "config.maxTokens of node 'b' is text, but must be a whole number."),
        ("id: b\n    type: test-strict\n    config: {prompt: y}", "7:14: config.prompt of node 'b' is no field "
         "of this node. The node would fail when it starts. Move it under inputs."),
        ("id: b\n    type: test-strict\n    config: {maxTokens: a.text}\n    inputs: {prompt: y}", "7:25: "
         "config.maxTokens of node 'b' is text, but must be a whole number. The node would fail when it starts."),
        ("id: b\n    task: {function: f, file: x.py}\n    type: test-open", "7:5: node 'b' is a Python function and h"),
        ("id: b\n    type: http-request\n    config: {url: 'https://u:secret@h/'}", "7:19: config.url of node 'b' is "
         "text, but must hold no user name or password. The node would fail when it starts. Give the profile"),
        ("id: b\n    type: http-request\n    config: {}", "7:13: config of node 'b' must have url or connection. The"),
        ("id: b\n    type: switch\n    config: {value: 1, cases: [x, y]}", "7:31: config.cases of node 'b' is a list, "
         "but must be an object with the value of each case, or a list of {name, when} and {name, equals}. "
         "The node would fail when it starts. Write cases: {a: 1, b: [2, 3]}, or cases: [{name: a, equals: 1}]."),
        ("id: b\n    type: switch\n    config: {value: 1, cases: [{name: x, if: y}]}",
         "7:42: config.cases[0].if of node 'b' is no field of this node."),
        ("id: b\n    type: loop\n    config: {items: [1]}", "5:5: loop 'b' has no nodes."),
        ("id: b\n    type: loop\n    config: {items: '{{params}}', result: d}\n    nodes: [{id: c, type: test-open}]",
         "7:43: loop 'b' gives back 'd', which is none of its nodes."),
        ("id: b\n    type: loop\n    config: {items: [1], maxIterations: '{{params}}'}\n"
         "    nodes: [{id: c, type: test-open}]",
         "7:41: maxIterations of config of node 'b' is a template."),
        ("id: b\n    type: loop\n    config: {items: params.x}\n    nodes: [{id: c, type: test-open}]", "7:21: "
         "config.items of node 'b' is text, but must be a list. The node would fail when it starts. Write \"{{pa"),
    ],
)  # fmt: skip
def test_a_node(node: str, told: str) -> None:
    found = problems(f"{HEAD}nodes:\n  - {node}\n  - {{id: a, type: test-strict, inputs: {{prompt: x}}}}\n")
    mine = [one for one in found if "loop 'b' gives back '?'" not in one]
    assert len(mine) == 1, found
    assert mine[0].startswith(told), mine[0]


TEMPLATES = (
    HEAD
    + """\
params: {city: {type: string}}
variables: {model: m}
profiles: {default: {WORKSPACE: ./tmp, LEVEL: 1, SHOP_URL: {env: X}}}
nodes:
  - {id: fetch-topic, type: test-strict, inputs: {prompt: x}}
  - {id: fetch, type: test-fields}
  - id: each
    type: loop
    config: {items: "{{fetch.output.tokens}}"}
    nodes: [{id: inner, type: test-strict, inputs: {prompt: "%s"}}]
  - {id: use, type: test-strict, inputs: {prompt: "%s"}}
onFailure: {id: tell, type: test-strict, inputs: {prompt: "%s"}}
"""
)


@pytest.mark.parametrize(
    "text",
    [
        "{{fetch-topic}} {{fetch-topic.output}} {{fetch-topic.output.anything.at.all}} {{fetch-topic.text}}",
        "{{fetch-topic.error.message}} {{fetch-topic.skipped}} {{fetch.output.text}} {{fetch.tokens}}",
        "{{each.output[0]}} {{each.results}} {{params.city}} {{variables.model}} {{env.LEVEL}} {{env.run_id}}",
        "{{$now}} {{$today}} {{$run_id}} {{$pipeline}} {{$node}} {{$attempt}} {{trigger.body.x}} {{params}}",
        "{% for x in fetch.output.text %}{{x}}{% endfor %} {{ fetch.tokens - 1 }} { {fetch} } $now",
    ],
)
def test_names_that_are_known(text: str) -> None:
    assert problems(TEMPLATES % ("{{item.x}} {{index}} {{fetch.text}}", text, "{{failure.error}}{{params.city}}")) == []


@pytest.mark.parametrize(
    ("text", "column", "told"),
    [
        ("{{fetch-topik.output}}", 2, "there is no node 'fetch-topik'. The node would fail when it starts. Did you me"),
        ("주제: {{ftch.output}}", 6, "'ftch.output': there is no node 'ftch'. The node would fail when it starts."),
        ("{{fetch-topic.outptu}}", 2, "node 'fetch-topic' gives no 'outptu'. The node would fail when it starts. Did"),
        ("{{fetch-topic.topic}}", 2, "node 'fetch-topic' gives no 'topic'. The node would fail when it starts. Write"),
        ("{{fetch-topic.output.tokens}}", 2, "the output of node 'fetch-topic' is its text alone, which has no "
         "'tokens'. The node would fail when it starts. Write fetch-topic.tokens."),
        ("{{fetch.output.txt}}", 2, "the output of node 'fetch' has no 'txt'. The node would fail when it starts. Did"),
        ("{{fetch.error.kind}}", 2, "error has no 'kind'."),
        ("{{params.cty}}", 2, "params has no 'cty'. The node would fail when it starts. Did you mean 'city'?"),
        ("{{params.colour}}", 2, "params has no 'colour'. The node would fail when it starts. Declare it under params"),
        ("{{variables.modle}}", 2, "variables has no 'modle'. The node would fail when it starts. Did you mean 'model"),
        ("{{env.LEVL}}", 2, "env has no 'LEVL'. The node would fail when it starts. Did you mean 'LEVEL'?"),
        ("{{env.API_TOKEN}}", 2, "'env.API_TOKEN': templates are not given secrets. The node would fail when it "
         "starts. Name the connection in the node's config, connection: shop for SHOP_URL; the node looks it up"),
        ("{{env.SHOP_URL}}", 2, "'env.SHOP_URL': templates are not given secrets."),
        ("{{$nwo}}", 2, "there is no '$nwo'. The node would fail when it starts. Did you mean '$now'?"),
        ("{{item}}", 2, "there is no item outside of a loop."),
        ("{{inner.output}}", 2, "'inner' runs inside the loop 'each', once for each item. The node would fail "
         "when it starts. Use the list of all its outputs: {{each.output}}."),
        ("{{use.output}}", 2, "a node cannot use its own output."),
        ("{{failure.error}}", 2, "nothing has failed while the pipeline runs."),
        ("{{tell.output}}", 2, "'tell' runs at the end, after this node."),
        ("{{ 1 + }}", 0, "the template cannot be read"),
        ("{{ fetch", 0, "'{{' is never closed."),
    ],
)  # fmt: skip
def test_names_that_are_not(text: str, column: int, told: str) -> None:
    found = problems(TEMPLATES % ("", text, ""))
    assert len(found) == 1, found
    place, _, message = found[0].partition(": ")
    line, found_column = place.split(":")
    begins = len('  - {id: use, type: test-strict, inputs: {prompt: "') + 1
    assert (int(line), int(found_column)) == (14, begins + column), found[0]
    assert told in message, found[0]


@pytest.mark.parametrize(
    ("partitions", "known", "unknown", "told"),
    [
        ("{every: daily, start: 2026-01-01}", ("key", "start", "end"), "begin", "it has key, start and end"),
        ("{model: [a], data_set: [b]}", ("key", "model", "data_set"), "start", "it has key, model and data_set"),
        ("{model: [a]}", ("key", "model"), "modle", "did you mean 'model'?"),
    ],
)
def test_what_a_template_finds_of_the_partition(
    partitions: str, known: tuple[str, ...], unknown: str, told: str
) -> None:
    text = "partitions: %s\nnodes:\n  - {id: a, type: log, inputs: {message: '%s'}}\n"
    names = " ".join(f"{{{{$partition.{name}}}}}" for name in known)
    assert problems(HEAD + text % (partitions, f"{{{{$partition}}}} {names}")) == []
    (found,) = problems(HEAD + text % (partitions, f"{{{{$partition.{unknown}}}}}"))
    assert f"$partition has no {unknown!r}." in found
    assert told.lower() in found.lower()


def test_every_name_of_a_text_is_told() -> None:
    found = problems(TEMPLATES % ("", "{{nowhere.x}} {{params.x}} {{elsewhere-y}} {{$z}}", ""))
    assert [one.partition("': ")[0].partition(": '")[2] for one in found] == [
        "nowhere.x",
        "params.x",
        "elsewhere-y",
        "$z",
    ]


def test_at_the_end_nothing_is_sure_to_have_run() -> None:
    (found,) = problems(TEMPLATES % ("", "", "{{fetch.output}}"))
    assert "'fetch' is not sure to have run at the end" in found
    (found,) = problems(TEMPLATES % ("", "", "{{failure.eror}}"))
    assert "failure has no 'eror'. The node would fail when it starts. Did you mean 'error'?" in found


def test_inside_a_loop_the_loop_is_not_done() -> None:
    (found,) = problems(TEMPLATES % ("{{each.output}}", "", ""))
    assert "'each' is the loop around this node, which is not done yet" in found


GRAPH = (
    HEAD
    + """\
nodes:
  - {id: ask, type: test-decides}
  - {id: a, type: test-open}
  - {id: b, type: test-open, inputs: {x: "{{%s}}"}}
  - id: each
    type: loop
    config: {items: [1]}
    nodes: [{id: c, type: test-open}, {id: d, type: test-open}]
    edges: [%s]
edges: [%s]
"""
)


@pytest.mark.parametrize(
    ("inner", "outer", "told"),
    [
        ("", "{from: ask, to: a, when: ture}", "13:34: node 'ask' has no port 'ture'. The edge would never be taken."),
        ("", "{from: a, to: b, when: x}", "13:32: node 'a' has no port 'x'. The edge would never be taken. Leave when"),
        ("", "{from: a, to: bb}", "13:23: an edge names 'bb', which is no node. The edge leads nowhere. Did you mean"),
        ("", "{from: a, to: c}", "13:23: an edge names 'c', which stands inside the loop 'each'. The edge leads nowhe"),
        ("{from: a, to: c}", "", "12:20: an edge names 'a', which stands in the pipeline itself."),
        ("", "{from: a}", "13:9: edges[0] has no 'to'."),
        ("", "{from: a, too: b, to: b}", "13:19: edges[0] has no key 'too'."),
        ("", "{from: a, to: b}, {from: a, to: b}", "13:27: the edge from 'a' to 'b' stands twice."),
        ("", "[a, b]", "13:9: edges[0] of the pipeline is a list."),
        ("", "{from: a, to: a}", "6:5: nodes need each other in a circle: a -> a."),
        ("", "{from: b, to: a}, {from: a, to: b}", "6:5: nodes need each other in a circle: a -> b -> a."),
        ("{from: c, to: d}, {from: d, to: c}", "", "11:13: nodes need each other in a circle: c -> d -> c."),
    ],
)  # fmt: skip
def test_edges(inner: str, outer: str, told: str) -> None:
    found = problems(GRAPH % ("params", inner, outer))
    assert len(found) == 1, found
    assert found[0].startswith(told), found[0]


def test_a_circle_of_edges_and_templates() -> None:
    (found,) = problems(GRAPH % ("a.x", "", "{from: b, to: a}"))
    assert "nodes need each other in a circle: a -> b -> a" in found


def test_ports_may_be_written_without_quotes() -> None:
    content = read_text(
        GRAPH % ("params", "", "{from: ask, to: a, when: true}, {from: ask, to: b, when: False}"), "p.yaml"
    )
    assert content.problems == []
    assert [task.after[0].port for task in content.pipelines[0].tasks if task.after] == ["true", "false"]


def test_an_edge_of_a_branch_may_be_for_all_ports() -> None:
    assert problems(GRAPH % ("params", "", "{from: ask, to: a}")) == []


def test_two_nodes_with_one_id() -> None:
    found = problems(GRAPH.replace("id: d", "id: a") % ("params", "", ""))
    assert [one for one in found if one.startswith("11:44: two nodes are named 'a'.")], found
    found = problems(HEAD + "nodes: [{id: a-b, type: test-open}, {id: a_b, type: test-open}]")
    assert found == [
        "4:37: nodes 'a-b' and 'a_b' both become 'a_b' in Dagster. Their values would overwrite each other. "
        "Give one of them another id."
    ]


def test_one_asset_of_two_nodes() -> None:
    text = HEAD + "nodes:\n  - {id: a, type: test-open, asset: x/y}\n  - {id: b, type: test-open, asset: x/y}\n"
    assert problems(text) == [
        "6:37: node 'a' and node 'b' are both the asset 'x/y'. One value would hide the other. "
        "Give each a key of its own."
    ]


def test_all_mistakes_are_told_in_the_order_of_the_file() -> None:
    text = HEAD.replace("name: p", "name: p, tag: x") + (
        "nodes:\n  - {id: a, type: test-opne, timeout: x, retry: {times: x}}\n  - {id: a, typ: test-open}\n"
        "edges: [{from: a, to: z}]\nfinaly: []\n"
    )
    found = problems(text)
    assert len(found) >= 8
    places = [tuple(map(int, one.split(":")[:2])) for one in found]
    assert places == sorted(places)


_WORDS = st.sampled_from(
    ["id", "type", "nodes", "edges", "from", "to", "when", "a", "b", "test-open", "loop", "config"]
)
_ANYTHING = st.recursive(
    st.one_of(_WORDS, st.none(), st.booleans(), st.integers(-2, 9), st.sampled_from(["{{a.output}}", "{{", "5m", ""])),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(_WORDS | st.just("items"), inner, max_size=4)),
    max_leaves=20,
)
_KEYS = st.sampled_from(
    "metadata trigger triggers params profiles variables concurrency nodes edges result onFailure finally volumes"
    " schedule queue fuse".split()
)


@given(st.dictionaries(_KEYS, _ANYTHING, max_size=6))
@settings(max_examples=300, deadline=None)
def test_whatever_a_file_holds_is_told_and_never_raised(document: dict[str, object]) -> None:
    text = json.dumps({"apiVersion": "flume/v1", "kind": "Pipeline", **document})
    content = read_text(text, "p.json")
    assert content.problems
    for problem in content.problems:
        assert problem.what
        assert problem.line >= 1


def test_a_node_with_the_name_of_something_else_is_told_where_it_is_meant() -> None:
    node = "  - {id: %s, type: test-strict, inputs: {prompt: '%s'}}\n"
    named = HEAD + "nodes:\n" + "".join(node % (name, "x") for name in ("params", "item", "failure"))
    assert problems(named) == []
    assert problems(named + node % ("use", "{{item.output}} {{failure.output}}")) == []
    inner = (node % ("use", "{{item.output}}")).removeprefix("  - ")
    loop = f"  - {{id: each, type: loop, config: {{items: [1]}}, nodes: [{inner}  ]}}\n"
    for text in (node % ("use", "{{params.output}}"), loop):
        (told,) = problems(named + text)
        assert "is a node, but templates mean something else by it" in told
        assert "Give the node another id." in told
