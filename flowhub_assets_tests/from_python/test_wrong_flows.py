"""Each way to write a flow wrongly gets the line to change and what to write instead.

A case is a file's text. ``#<-`` marks the line that the message must name.
"""

from __future__ import annotations

from pathlib import Path
from textwrap import dedent

import pytest

from flowhub_assets.errors import DefinitionError
from flowhub_assets.from_python.loading import load_file

_HEAD = """\
from flowhub import flow, task, Toleration, Volume, VolumeMount
from datetime import timedelta

@task
def load(args):
    raise SystemExit("a task ran while its graph was being found")

@task
def clean(args):
    return args

@task
def join(left, right):
    return {**left, **right}
"""


def _body(lines: str) -> str:
    """A file whose flow has these lines as its body."""
    return (
        _HEAD + "\n@flow\ndef main(args):\n" + "".join(f"    {line}\n" for line in dedent(lines).strip().splitlines())
    )


def _task(words: str, signature: str = "def work(args):") -> str:
    """A file with a task of these keywords."""
    return (
        _HEAD + f"\n@task({words}) #<-\n{signature}\n    return args\n\n@flow\ndef main(args):\n    return work(args)\n"
    )


def _flow(words: str) -> str:
    """A file with a flow of these keywords."""
    return _HEAD + f"\n@flow({words}) #<-\ndef main(args):\n    return load(args)\n"


# What is written, and what the message must say.
CASES: dict[str, tuple[str, list[str]]] = {
    # Traced values
    "if": (
        _body("if load(args): #<-\n    return clean(args)"),
        ["output of task 'load'", "condition", "inside a task"],
    ),
    "while": (_body("while args: #<-\n    pass"), ["the flow's input", "condition"]),
    "and": (_body("return load(args) and clean(args) #<-"), ["condition (if, while, and, or, not)"]),
    "not": (_body("x = not load(args) #<-"), ["condition"]),
    "for": (_body("for item in load(args): #<-\n    clean(item)"), ["looped over", "Loop inside a task"]),
    "unpacking": (_body("a, b = load(args) #<-"), ["unpacked"]),
    "in": (_body("x = 'key' in load(args) #<-"), ["'in'"]),
    "len": (_body("x = len(args) #<-"), ["length"]),
    "f-string": (_body("name = f'{load(args)}' #<-"), ["put into a text", "Make the text inside a task"]),
    "str": (_body("name = str(load(args)) #<-"), ["put into a text"]),
    "format": (_body("name = '{}'.format(load(args)) #<-"), ["put into a text"]),
    "percent": (_body("name = '%s' % load(args) #<-"), ["put into a text"]),
    "print": (_body("print(args) #<-"), ["put into a text"]),
    "item": (_body("return clean(load(args)['key']) #<-"), ["indexed with ['key']", "args['key']"]),
    "get": (_body("return clean(args.get('key')) #<-"), [".get(...)", "args.get('key')"]),
    "as index": (_body("x = [1, 2][load(args)] #<-"), ["index", "Compute inside a task"]),
    "as dict key": (_body("x = {load(args): 1} #<-"), ["key of a dict"]),
    "attribute": (_body("x = load(args).name #<-"), ["attribute .name", "args.name"]),
    "add": (_body("x = load(args) + 1 #<-"), ["arithmetic"]),
    "add on the right": (_body("x = 1 + load(args) #<-"), ["arithmetic"]),
    "in-place add": (_body("x = load(args)\nx += 1 #<-"), ["arithmetic"]),
    "minus": (_body("x = -load(args) #<-"), ["arithmetic"]),
    "merge by |": (_body("x = load(args) | clean(args) #<-"), ["arithmetic"]),
    "equal": (_body("x = load(args) == 1 #<-"), ["compared"]),
    "less": (_body("x = load(args) < 1 #<-"), ["compared"]),
    "int": (_body("x = int(load(args)) #<-"), ["index or a number"]),
    "call": (_body("x = args(load) #<-"), ["called"]),
    "set item": (_body("args['x'] = 1 #<-"), ["changed at ['x']", "return {**args, 'x': ...}"]),
    "delete item": (_body("del args['x'] #<-"), ["changed at ['x']"]),
    "set attribute": (_body("args.x = 1 #<-"), ["attribute .x"]),
    "double star": (_body("return clean({**load(args), 'x': 1}) #<-"), ["unpacked", "merged: my_task(_a, _b)"]),
    "with": (_body("with load(args): #<-\n    pass"), ["'with'"]),
    "open": (_body("open(load(args)) #<-"), ["used as a path"]),
    "json": (_body("import random\nx = random.choice(load(args)) #<-"), ["length"]),
    "pickle": (_body("import pickle\nx = pickle.dumps(args) #<-"), ["pickled"]),
    # Calls
    "no value": (_body("return load() #<-"), ["'load' is called without a value", "load(args)"]),
    "plain dict": (_body("return load({'x': 1}) #<-"), ["given a dict instead of", "@flow(params={...})"]),
    "None": (_body("return load(None) #<-"), ["given None", "forgot to return"]),
    "list of values": (_body("return clean([load(args)]) #<-"), ["a list of values", "clean(*values)"]),
    "task not called": (_body("return clean(load) #<-"), ["Call it first: clean(load(args))"]),
    "too few": (
        _body("return join(args) #<-"),
        ["takes 2 inputs (left, right) but is given 1", "Nothing is given for right"],
    ),
    "too many": (_body("return join(args, args, args) #<-"), ["takes 2 inputs (left, right) but is given 3"]),
    "wrong keyword": (
        _body("return join(left=args, rihgt=args) #<-"),
        ["no parameter 'rihgt'", "Did you mean 'right'?"],
    ),
    "keyword twice": (_body("return join(args, left=args) #<-"), ["given 'left' twice"]),
    "same task twice": (
        _body("a = clean(args)\nb = clean(a) #<-\nreturn b"),
        ["task 'clean' is called twice in flow 'main', first at line 18", "clean.named('clean-2')(...)"],
    ),
    "merged into one of two": (
        _HEAD + "\n@flow\ndef inner(args):\n    load(args)\n    clean(args)\n"
        "\n@flow\ndef outer(args):\n    return join(inner(args), args) #<-\n",
        ["one by one", "the output of task 'load' and the output of task 'clean'", "merge"],
    ),
    "returns a constant": (
        _HEAD + "\n@flow #<-\ndef main(args):\n    load(args)\n    return 1\n",
        ["returns a int", "Return what a task returned"],
    ),
    "leaked value": (
        _HEAD + "\nkept = []\n\n@flow\ndef first(args):\n    kept.append(load(args))\n"
        "\n@flow\ndef second(args):\n    return clean(kept[0]) #<-\n",
        ["'clean' is given a value of flow 'first' in flow 'second'", "second(value)"],
    ),
    "outside a body": (
        _HEAD
        + "\nkept = []\n\n@flow\ndef first(args):\n    kept.append(load(args))\n\nfirst.pipeline\nclean(kept[0]) #<-\n",
        ["'clean' is called with a value of flow 'first', outside its body", "Call clean in the body of the flow"],
    ),
    "calls itself": (
        _HEAD + "\n@flow\ndef main(args):\n    return main(load(args)) #<-\n",
        ["flow 'main' calls itself: main -> main"],
    ),
    "calls itself through another": (
        _HEAD + "\n@flow\ndef a(args):\n    return b(args)\n\n@flow\ndef b(args):\n    return a(args) #<-\n",
        ["calls itself: a -> b -> a"],
    ),
    "own pipeline": (_body("return main.pipeline #<-"), ["asks for its own pipeline"]),
    "body raises": (
        _body("load(args)\nraise KeyError('x') #<-"),
        ["body of flow 'main' raised KeyError: 'x'", "into a task"],
    ),
    "body exits": (_body("import sys\nsys.exit(2) #<-"), ["raised SystemExit: 2"]),
    "body raises in a helper": (
        _HEAD + "\ndef helper():\n    return {}['x'] #<-\n\n@flow\ndef main(args):\n    return helper()\n",
        ["raised KeyError: 'x'"],
    ),
    "no task": (_HEAD + "\n@flow #<-\ndef main(args):\n    return args\n", ["'main' calls no task"]),
    # Functions
    "async task": (_task("", "async def work(args):"), ["'work' is async", "asyncio.run(...)"]),
    "generator": (
        _HEAD + "\n@task #<-\ndef work(args):\n    yield args\n",
        ["'work' yields", "return {**args, 'items': items}"],
    ),
    "method": (
        _HEAD + "\nclass Work:\n    @task #<-\n    def run(self, args):\n        return args\n",
        ["'run' is a method of class 'Work'", "Move it out of the class"],
    ),
    "lambda": (_HEAD + "\nwork = task(lambda args: args) #<-\n", ["a lambda cannot be a task"]),
    "no parameter": (_task("", "def work():"), ["'work' takes no parameter", "def work(args): ..."]),
    "keyword-only": (_task("", "def work(args, *, x):"), ["keyword-only parameter 'x'", "def work(args, x)"]),
    "a class": (_HEAD + "\n@task #<-\nclass Work:\n    pass\n", ["stands on the class 'Work'"]),
    "a builtin": (_HEAD + "\nwork = task(print) #<-\n", ["a builtin_function_or_method"]),
    "name by position": (
        _HEAD + "\n@task('work') #<-\ndef work(args):\n    return args\n",
        ["the text 'work'", "@task(name="],
    ),
    "task twice": (
        _HEAD + "\n@task #<-\n@task\ndef work(args):\n    return args\n",
        ["'work', which is a task already"],
    ),
    "flow on a task": (_HEAD + "\n@flow #<-\n@task\ndef work(args):\n    return args\n", ["which is a task already"]),
    "flow on a flow": (_HEAD + "\n@flow #<-\n@flow\ndef work(args):\n    return args\n", ["@flow stands on a Flow"]),
    "async flow": (
        _HEAD + "\n@flow #<-\nasync def main(args):\n    return args\n",
        ["'main' is async", "without await"],
    ),
    "flow of two": (_HEAD + "\n@flow #<-\ndef main(args, more):\n    return args\n", ["has 2 parameters: args, more"]),
    "flow of none": (_HEAD + "\n@flow #<-\ndef main():\n    return 1\n", ["takes no parameter"]),
    # Keywords
    "misspelt keyword": (_task("memroy='1Gi'"), ["@task has no keyword 'memroy'", "Did you mean 'memory'?"]),
    "flow keyword on task": (_task("schedule='@daily'"), ["no keyword 'schedule'", "@flow(schedule=...)"]),
    "description of a task": (_task("description='x'"), ["docstring"]),
    "placement on flow": (_flow("cpu='2'"), ["@flow has no keyword 'cpu'", "@task(cpu=...)"]),
    "misspelt flow keyword": (_flow("namspace='x'"), ["Did you mean 'namespace'?"]),
    "unknown keyword": (_flow("xyzzy=1"), ["@flow has no keyword 'xyzzy'", "It has name, env"]),
    "two spellings": (_task("cpu=1, request_cpu=2"), ["cpu='1' and request_cpu='2'", "Keep cpu="]),
    "two gpus": (_task("gpu=1, limit_gpu='2'"), ["gpu='1' and limit_gpu='2'"]),
    "cpu of wrong type": (_task("cpu=[1]"), ["cpu=[1] is of type list", "cpu='2'"]),
    "cpu True": (_task("cpu=True"), ["cpu=True is of type bool"]),
    "image of wrong type": (_task("image=3"), ["image=3 is of type int"]),
    "retries of wrong type": (_task("retries='3'"), ["retries='3' is of type str", "retries=3"]),
    "timeout of wrong type": (_task("timeout='10m'"), ["timeout='10m'", "timedelta(minutes=10)"]),
    "env of wrong type": (_task("env=['A=1']"), ["env is of type list", "Write a dict"]),
    "env key of wrong type": (_task("env={1: 2}"), ["a key of env=1 is of type int"]),
    "single toleration": (_task("tolerations=Toleration(key='x')"), ["tolerations=", "Write a list"]),
    "toleration as text": (_task("tolerations=['x']"), ["an item of tolerations='x'", "Toleration"]),
    "misspelt toleration key": (_task("tolerations=[{'key': 'x', 'efect': 'NoSchedule'}]"), ["'efect'", "'effect'"]),
    "mount without path": (_task("volume_mounts=[{'name': 'x'}]"), ["has no 'mount_path'"]),
    "tags as text": (_flow("tags='daily'"), ["tags='daily' is of type str", "['tag1']"]),
    "tag of wrong type": (_flow("tags=[1]"), ["tags[0]=1 is of type int"]),
    "schedule as number": (_flow("schedule=60"), ["schedule=60 is of type int", "timedelta(hours=1)"]),
    "timezone alone": (_flow("timezone='Asia/Seoul'"), ["without a schedule"]),
    "concurrency in words": (_flow("concurrency='2'"), ["concurrency='2' is of type str", "concurrency=1"]),
    "no run at a time": (_flow("concurrency=0"), ["concurrency=0 is not from 1 to 10"]),
    "queue of two words": (_flow("queue='two words'"), ["queue 'two words' is not a word", "nightly"]),
    "queue as number": (_flow("queue=1"), ["queue=1 is of type int", "'nightly'"]),
    "on_failure as text": (_flow("on_failure='handler'"), ["on_failure='handler'", "without quotes"]),
    # Quantities
    "cpu 2x": (_task("cpu='2x'"), ["cpu '2x' of task 'work' is not a quantity", "'2' for 2 cores"]),
    "cpu with comma": (_task("cpu='1,5'"), ["'1.5' for 1.5 cores"]),
    "cpu negative": (_task("cpu=-1"), ["cpu '-1' of task 'work' is negative"]),
    "cpu too fine": (_task("cpu=1/3"), ["finer than 1m", "Write '334m'"]),
    "cpu in Gi": (_task("cpu='2Gi'"), ["is an amount of memory"]),
    "memory 4GB": (_task("memory='4GB'"), ["memory '4GB'", "'4Gi' (powers of 1024) or '4G' (powers of 1000)"]),
    "memory 512mb": (_task("memory='512mb'"), ["'512Mi' (powers of 1024) or '512M' (powers of 1000)"]),
    "memory 4 gi": (_task("memory='4 gi'"), ["'4Gi'"]),
    "memory 64K": (_task("memory='64K'"), ["'64Ki' (powers of 1024) or '64k'"]),
    "memory 500m": (_task("memory='500m'"), ["means 500 thousandths of a byte", "'500Mi'"]),
    "memory 4": (_task("memory=4"), ["means 4 bytes", "'4Gi'"]),
    "memory 512": (_task("memory=512"), ["means 512 bytes", "'512Mi'"]),
    "memory negative": (_task("memory='-1Gi'"), ["is negative"]),
    "half a gpu": (_task("gpu=0.5"), ["gpu '0.5'", "not a whole number of GPUs"]),
    "a gpu by two names": (_task("gpu='a100', limit_gpu='1'"), ["gpu='a100' and limit_gpu='1'"]),
    "no gpus of a kind": (_task("gpu='a100:0'"), ["gpu 'a100:0'", "'a100:2'"]),
    "gpu of wrong type": (_task("gpu=['a100']"), ["gpu=['a100'] is of type list"]),
    "storage": (_task("ephemeral_storage='1GB'"), ["ephemeral_storage '1GB' of task 'work'", "'1Gi'"]),
    "affinity of wrong type": (_task("affinity=[]"), ["affinity is of type list", "affinity={'nodeAffinity'"]),
    "affinity": (_task("affinity={'nodeAfinity': {}}"), ["the key 'nodeAfinity'", "Did you mean 'nodeAffinity'?"]),
    "labels of wrong type": (_task("labels=['a']"), ["labels is of type list", "labels={'team': 'data'}"]),
    "annotation": (_task("annotations={'a': 1}"), ["an annotation of task 'work' has 'a': 1, not a string"]),
    "pull secrets": (_task("image_pull_secrets='a'"), ["image_pull_secrets='a' is of type str", "['my-registry']"]),
    "priority class": (_task("priority_class_name=1"), ["priority_class_name=1 is of type int", "'batch-low'"]),
    "service account of task": (_task("service_account_name='My'"), ["service_account_name 'My' of task 'work'"]),
    "deadline in parts": (_task("active_deadline=1.5"), ["active_deadline=1.5", "timedelta(hours=1)"]),
    "deadline in words": (_task("active_deadline='1h'"), ["active_deadline='1h'", "active_deadline=600"]),
    "no deadline": (_task("active_deadline=0"), ["active_deadline 0 of task 'work'"]),
    "deadline as in Kubernetes": (_task("active_deadline_seconds=5"), ["Did you mean 'active_deadline'?"]),
    "label of flow": (_flow("labels={'a': 'b c'}"), ["a label of the pipeline has 'a': 'b c'"]),
    "presets": (_flow("env={'c': {'GPU': {'a100': {'selector': {}}}}}"), ["GPU of the profile 'c'", "'selector'"]),
    "limit below request": (
        _task("cpu='2', limit_cpu='500m'"),
        ["limit_cpu '500m' of task 'work' is below its cpu '2'"],
    ),
    "memory limit below": (_task("memory='1Gi', limit_memory='1G'"), ["limit_memory '1G'", "below its memory '1Gi'"]),
    # Placement
    "image with blank": (
        _task("image='python 3.11'"),
        ["image 'python 3.11' of task 'work'", "registry/repository:tag"],
    ),
    "toleration operator": (_task("tolerations=[Toleration('x', 'Exist')]"), ["operator 'Exist'", "'Exists'"]),
    "toleration effect": (_task("tolerations=[{'key': 'x', 'effect': 'noschedule'}]"), ["Did you mean 'NoSchedule'?"]),
    "toleration exists value": (_task("tolerations=[Toleration('x', 'Exists', 'y')]"), ["operator='Equal'"]),
    "toleration seconds": (_task("tolerations=[{'key': 'x', 'tolerationSeconds': 5}]"), ["effect='NoExecute'"]),
    "node selector": (_task("node_selector={'a b': 'c'}"), ["the key 'a b'"]),
    "node selector bool": (_task("node_selector={'spot': True}"), ["'spot': True, not a string", "Write 'true'"]),
    "mount of no volume": (
        _task("volume_mounts=[VolumeMount('cache', '/c')]"),
        ["'cache', which the flow does not have"],
    ),
    "volume without source": (_flow("volumes=[Volume('v')]"), ["volume 'v' has no source", "persistent_volume_claim"]),
    "volume of two": (_flow("volumes=[Volume('v', secret='a', config_map='b')]"), ["2 sources, config_map and secret"]),
    "volume name": (_flow("volumes=[Volume('My_V', secret='a')]"), ["volume 'My_V' has a name", "small letters"]),
    "host path": (_flow("volumes=[Volume('v', host_path='data')]"), ["relative host_path 'data'"]),
    "empty dir size": (_flow("volumes=[Volume('v', empty_dir='1GB')]"), ["size limit '1GB'", "'1Gi'"]),
    "volume options": (
        _flow("volumes=[{'name': 'v', 'emptyDir': {'medium': 'Memory'}}]"),
        ["empty_dir in volumes has the key 'medium'"],
    ),
    "same volume twice": (
        _flow("volumes=[Volume('v', secret='a'), Volume('v', secret='b')]"),
        ["two volumes are named 'v'"],
    ),
    # Settings
    "namespace": (_flow("namespace='Air_Flow'"), ["namespace 'Air_Flow'", "small letters"]),
    "service account": (_flow("service_account_name='a b'"), ["service_account_name 'a b'"]),
    "annotation key": (_flow("annotations={'a b': 'c'}"), ["annotation 'a b'"]),
    "annotation value": (_flow("annotations={'a': 1}"), ["annotation 'a' is 1, not a string", "Write '1'"]),
    "sidecar image": (_flow("airflow_sidecar_image='A b'"), ["airflow_sidecar_image 'A b'"]),
    "cron fields": (_flow("schedule='0 6 * *'"), ["schedule '0 6 * *' has 4 fields", "'0 6 * * *'"]),
    "cron seconds": (_flow("schedule='0 0 6 * * *'"), ["has 6 fields", "Leave the seconds out"]),
    "cron hour": (_flow("schedule='0 24 * * *'"), ["'24' as its hour: 24 lies outside 0-23"]),
    "cron never": (_flow("schedule='0 0 31 2 *'"), ["a day that its months do not have"]),
    "cron preset": (_flow("schedule='@dayly'"), ["'@dayly' is not a preset", "@daily"]),
    "cron once": (_flow("schedule='@once'"), ["Leave schedule out"]),
    "interval": (_flow("schedule=timedelta(0)"), ["every 0 seconds"]),
    "timezone": (_flow("schedule='@daily', timezone='Seoul'"), ["timezone 'Seoul'", "Did you mean 'Asia/Seoul'?"]),
    "webhook": (_flow("webhook={'signature': 'githb', 'keys': ['A']}"), ["signature of the webhook", "'github'"]),
    "webhook key": (_flow("webhook={'signature': 'github', 'keys': ['s3cret']}"), ["no name of an environment"]),
    "webhook word": (_flow("webhook={'pth': 'orders'}"), ["the webhook has 'pth'", "Did you mean 'path'?"]),
    "run status": (_flow("run_status={'pipeline': 'a', 'status': 'sucess'}"), ["status 'sucess'", "'success'?"]),
    "run of none": (_flow("run_status={'status': 'success'}"), ["names no pipeline", "Name the pipeline"]),
    "run of itself": (_flow("run_status={'pipeline': 'main'}"), ["is started by its own runs", "another pipeline"]),
    "alias": (_flow("model_alias={'model': 'iris', 'alias': 'v3'}"), ["has the alias 'v3'", "alias: champion"]),
    "alias of models": (
        _flow("model_alias={'model': ['iris', 'a/b'], 'alias': 'champion'}"),
        ["has the model 'a/b'", "model: iris"],
    ),
    "alias of no model": (_flow("model_alias={'model': [], 'alias': 'champion'}"), ["has the model []", "model: iris"]),
    "alias word": (_flow("model_alias='iris'"), ["model_alias is of type str", "{'model': 'iris'"]),
    "run word": (_flow("run_status='ingest'"), ["run_status is of type str", "{'pipeline': 'ingest'"]),
    "owner": (_flow("owners=['Data Team']"), ["owner 'Data Team'", "team:data-team"]),
    "retries": (_task("retries=-1"), ["retries=-1 of task 'work' is negative"]),
    "retry backoff": (
        _task("retries=2, retry_backoff='exponental'"),
        ["retry_backoff='exponental' of task 'work' is not known", "Did you mean 'exponential'?"],
    ),
    "retry backoff alone": (_task("retry_backoff='linear'"), ["retry_backoff is given without retries", "retries=3"]),
    "retry on alone": (_task("retry_on=[OSError]"), ["retry_on is given without retries", "retries=3"]),
    "retry on one class": (_task("retries=1, retry_on=OSError"), ["retry_on=", "a list: retry_on=['Conn"]),
    "retry on no error": (_task("retries=1, retry_on=[int]"), ["an item of retry_on", "[ConnectionError]"]),
    "retry on a path": (_task("retries=1, retry_on=['socket.error']"), ["'socket.error', which is no class"]),
    "retry delay": (_task("retry_delay=timedelta(seconds=-1)"), ["retry_delay=-1"]),
    "timeout": (_task("timeout=0"), ["timeout=0 of task 'work'"]),
    "pool": (_task("pool='big gpu'"), ["pool 'big gpu'"]),
    "env not of dicts": (
        _flow("env={'WORKSPACE': './tmp'}"),
        ["profile 'WORKSPACE' is a str, not a dict", "'default'"],
    ),
    "env of a path": (
        _flow("env={'default': {'WORKSPACE': __import__('pathlib').Path('x')}}"),
        ["profile 'default' holds a value that is not JSON: 'WORKSPACE' is a PosixPath", "str(...)"],
    ),
    "env of NaN": (_flow("env={'default': {'X': [float('nan')]}}"), ["'X'[0] is nan"]),
    "env with run_id": (_flow("env={'default': {'run_id': 1}}"), ["profile 'default' sets 'run_id'"]),
    "task env with task": (_task("env={'task': 1}"), ["env of task 'work' sets 'task'"]),
    "params not JSON": (_flow("params={'x': {1, 2}}"), ["params holds a value that is not JSON: 'x' is a set"]),
    "params named env": (_flow("params={'env': 1}"), ["params sets 'env'"]),
    "repo with password": (_flow("repo='https://me:pw@example.com/x.git'"), ["repo holds a user or a password"]),
    "path outside": (_flow("path='../x'"), ["path '../x'"]),
    "empty name": (_flow("name=''"), ["the name of a flow is empty"]),
    "name with slash": (_flow("name='a/b'"), ["'a/b' cannot be the name of a flow"]),
    "long name": (_flow("name='음' * 70"), ["longer than 200 bytes"]),
    "failure of two": (
        _HEAD + "\ndef handler(args, error): #<-\n    pass\n\n"
        "@flow(on_failure=handler)\ndef main(args):\n    return load(args)\n",
        ["on_failure=handler has 2 parameters", "failed_task, error"],
    ),
    "failure named as a task": (
        _HEAD.replace("@task\ndef load", "@task #<-\ndef load")
        + "\n@flow(on_failure=load)\ndef main(args):\n    return load(args)\n",
        ["two tasks are named 'load'"],
    ),
    "names that become one": (
        _HEAD + "\n@task(name='a-b')\ndef one(args): return args\n\n@task(name='a.b') #<-\ndef two(args): return args\n"
        "\n@flow\ndef main(args):\n    return two(one(args))\n",
        ["tasks 'a-b' and 'a.b' both become 'a_b' in Dagster"],
    ),
    # Files
    "syntax": ("from flowhub import flow\n\ndef main(:  #<-\n", ["SyntaxError", "def main(:", "Mend that line"]),
    "missing package": (
        "import surely_not_there #<-\n",
        ["surely_not_there", "pip install surely_not_there", "image="],
    ),
    "misspelt import": (
        "from flowhub import flow, tasks #<-\n",
        ["cannot import name 'tasks'", "Did you mean 'task'?"],
    ),
    "raises": ("from flowhub import flow\n1 / 0 #<-\n", ["ZeroDivisionError: division by zero"]),
    "exits": ("import sys\nsys.exit('no licence') #<-\n", ["sys.exit(no licence)", "__name__ == '__main__'"]),
    "no flow": ("x = 1\n", ["workflow.py: this file holds no flow", "@flow"]),
    "empty": ("", ["this file holds no flow"]),
    "two flows of one name": (
        _HEAD + "\n@flow(name='x')\ndef one(args): return load(args)\n\n"
        "@flow(name='x') #<-\ndef two(args): return load(args)\n",
        ["flow 'x' has the name of another flow, 'x' at line 16"],
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_says_where_and_what_to_write(case: str, tmp_path: Path) -> None:
    code, fragments = CASES[case]
    path = tmp_path / "workflow.py"
    path.write_text(code, encoding="utf-8")
    with pytest.raises(DefinitionError) as caught:
        load_file(str(path))
    message = str(caught.value)
    marked = [number for number, line in enumerate(code.splitlines(), 1) if "#<-" in line]
    wanted = [f"{path}:{marked[0]}:"] if marked else []
    for fragment in [*wanted, *fragments]:
        assert fragment in message


@pytest.mark.parametrize("case", CASES)
def test_each_message_has_a_remedy_and_none_of_our_frames(case: str, tmp_path: Path) -> None:
    path = tmp_path / "workflow.py"
    path.write_text(CASES[case][0], encoding="utf-8")
    with pytest.raises(DefinitionError) as caught:
        load_file(str(path))
    message = str(caught.value)
    assert caught.value.remedy or "mistakes" in message
    assert "Traceback" not in message
    assert "flowhub_assets" not in message.replace("from flowhub_assets import", "")


def test_all_mistakes_are_told_at_once(tmp_path: Path) -> None:
    path = tmp_path / "workflow.py"
    path.write_text(_task("cpu='2x', memory='4GB', retries=-1"))
    with pytest.raises(DefinitionError) as caught:
        load_file(str(path))
    message = str(caught.value)
    assert "pipeline 'main' has 3 mistakes" in message
    assert all(fragment in message for fragment in ("'2x'", "'4Gi'", "retries=-1"))


@pytest.mark.parametrize("secret", [{"SECRET_KEY": {"hunter2"}}, {"SECRET_KEY": ["hunter2", object()]}])
def test_no_value_of_a_profile_is_shown(secret: dict[str, object], tmp_path: Path) -> None:
    from flowhub_assets.from_python.flow import flow
    from flowhub_assets.from_python.task import task

    @task
    def work(args):  # type: ignore[no-untyped-def]
        return args

    @flow(env={"default": secret})
    def main(args):  # type: ignore[no-untyped-def]
        return work(args)

    with pytest.raises(DefinitionError) as caught:
        _ = main.pipeline
    assert "'SECRET_KEY'" in str(caught.value)
    assert "hunter2" not in str(caught.value)


def test_a_file_that_is_not_utf8(tmp_path: Path) -> None:
    path = tmp_path / "workflow.py"
    path.write_bytes("from flowhub import flow\n# 음성\n".encode("euc-kr"))
    with pytest.raises(DefinitionError, match=r"workflow\.py:2: the file is not UTF-8\n.*\n  Save it as UTF-8"):
        load_file(str(path))


def test_a_file_with_null_bytes(tmp_path: Path) -> None:
    path = tmp_path / "workflow.py"
    path.write_bytes(b"x = 1\0\n")
    with pytest.raises(DefinitionError, match=r"workflow\.py:1: .*null bytes"):
        load_file(str(path))


def test_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(DefinitionError, match="there is no such file"):
        load_file(str(tmp_path / "workflow.py"))
    with pytest.raises(DefinitionError, match="this is a folder"):
        load_file(str(tmp_path))
    (tmp_path / "notes.txt").write_text("x")
    with pytest.raises(DefinitionError, match="not a Python file"):
        load_file(str(tmp_path / "notes.txt"))


def test_an_error_in_a_sibling_names_the_sibling(tmp_path: Path) -> None:
    (tmp_path / "helper_of_mine.py").write_text("x = 1\ny = x / 0\n")
    (tmp_path / "workflow.py").write_text("import helper_of_mine\n")
    with pytest.raises(DefinitionError, match=r"helper_of_mine\.py:2: ZeroDivisionError"):
        load_file(str(tmp_path / "workflow.py"))
