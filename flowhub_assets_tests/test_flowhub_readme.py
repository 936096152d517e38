"""What FlowHub's own README promises, feature by feature, as scripts of our own run the way that README runs them."""

from __future__ import annotations

import json
import subprocess
import sys
import wave
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest
from pypdf import PdfWriter

from flowhub_assets import Toleration, Volume, VolumeMount
from flowhub_assets.from_python.loading import load_file

QUICK = """
    from flowhub import flow, task, get_storage

    @task(image='python:3.11-slim', cpu='1', memory='1Gi')
    def weigh(args):
        print('weighing')
        return {**args, 'kilos': sum(args.get('boxes', [2, 3]))}

    @task(image='python:3.11-slim', cpu='2', memory='2Gi')
    def price(args):
        print('kilos:', args['kilos'])
        return {**args, 'price': args['kilos'] * 4, 'debug': args['env'].get('DEBUG', False)}

    @flow(
        name='parcel-price',
        description='what a parcel costs',
        namespace='airflow',
        env={
            'default': {'WORKSPACE': './tmp', 'DEBUG': True},
            'airflow': {'BUCKET': 'parcels', 'REGION_NAME': 'ap-northeast-2'},
            'other': {'WORKSPACE': './elsewhere'},
        },
    )
    def main(args):
        _weighed = weigh(args)
        _priced = price(_weighed)
        return _priced
"""


class Script:
    """A workflow file in a folder of its own."""

    def __init__(self, folder: Path, text: str) -> None:
        self.folder = folder
        self.path = folder / "workflow.py"
        self.path.write_text(dedent(text), encoding="utf-8")

    def run(self, *options: str, code: int = 0) -> str:
        """What ``python workflow.py ...`` prints; the test fails if it ends with another code."""
        done = subprocess.run(
            [sys.executable, "workflow.py", *options], cwd=self.folder, capture_output=True, text=True, timeout=100
        )
        printed = done.stdout + done.stderr
        assert done.returncode == code, printed
        return printed

    def json(self, name: str) -> Any:
        return json.loads((self.folder / name).read_text("utf-8"))

    def write(self, name: str, value: Any) -> None:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(value), encoding="utf-8")


def test_the_quick_start_runs_with_an_input_file(tmp_path: Path) -> None:
    script = Script(tmp_path, QUICK)
    script.write("data.json", {"boxes": [1, 2, 4]})
    printed = script.run("--env", "default", "--input", "data.json")
    assert "weighing" in printed
    assert "kilos: 7" in printed
    log = script.json("run.json")
    assert log["weigh"] == {"input": {"boxes": [1, 2, 4]}, "output": {"boxes": [1, 2, 4], "kilos": 7}}
    assert log["price"]["output"] == {"boxes": [1, 2, 4], "kilos": 7, "price": 28, "debug": True}


def test_the_profile_is_chosen_by_env(tmp_path: Path) -> None:
    script = Script(tmp_path, QUICK)
    script.run("--env", "other")
    assert script.json("run.json")["price"]["output"]["debug"] is False
    assert "no env profile 'stage'" in script.run("--env", "stage", code=2)


def test_one_task_of_a_job_folder(tmp_path: Path) -> None:
    script = Script(tmp_path, QUICK)
    script.write("tmp/job-1/input.json", {"boxes": [5]})
    script.run("--job", "./tmp/job-1", "--task", "weigh")
    assert script.json("tmp/job-1/run.json")["weigh"]["output"]["kilos"] == 5
    script.run("--job", "./tmp/job-1", "--task", "price")
    assert script.json("tmp/job-1/run.json")["price"]["output"]["price"] == 20


def test_a_run_id_of_ones_own(tmp_path: Path) -> None:
    script = Script(
        tmp_path,
        """
        from flowhub import flow, task

        @task
        def tell(args):
            return {key: args['env'][key] for key in ('run_id', 'project', 'task')}

        @flow(name='teller', env={'default': {'WORKSPACE': './tmp'}})
        def main(args):
            return tell(args)
        """,
    )
    script.write("input.json", {})
    script.run("--env", "default", "--id", "my-run-001", "--input", "input.json", "--output", "out.json")
    assert script.json("out.json") == {"run_id": "my-run-001", "project": "teller", "task": "tell"}


def test_every_word_of_task_and_flow(tmp_path: Path) -> None:
    script = Script(
        tmp_path,
        """
        from flowhub import flow, task, Toleration, Volume, VolumeMount

        @task(
            image='registry.example.com/train:v2',
            cpu='500m',
            memory='4Gi',
            gpu='1',
            tolerations=[Toleration(key='nvidia.com/gpu', operator='Exists', effect='NoSchedule')],
            node_selector={'karpenter.sh/nodepool': 'gpu'},
            volume_mounts=[VolumeMount(name='weights', mount_path='/weights')],
        )
        def train(args):
            return {**args, 'steps': args['data']['steps'] * 2}

        @task(request_cpu='250m', request_memory='1Gi', limit_cpu='1', limit_memory='2Gi', limit_gpu='2')
        def judge(args):
            return args

        @task(image='python:3.11')
        def complain(args):
            return args

        @flow(
            name='gpu-work',
            description='trains and judges',
            namespace='ml',
            env={'default': {'WORKSPACE': './tmp'}, 'airflow': {'BUCKET': 'b', 'ENDPOINT': 'https://minio.example.com'}},
            params={'data': {'steps': 21}},
            tags=['ml', 'nightly'],
            volumes=[Volume(name='weights', persistent_volume_claim='weights-pvc')],
            annotations={'team': 'vision'},
            service_account_name='trainer',
            on_failure=complain,
            airflow_sidecar_image='sidecar:latest',
        )
        def main(args):
            return judge(train(args))
        """,
    )
    script.run("--env", "default", "--output", "out.json")
    assert script.json("out.json") == {"data": {"steps": 21}, "steps": 42}
    (runnable,) = load_file(str(script.path))
    pipeline = runnable.pipeline
    train, judge = pipeline.task("train").placement, pipeline.task("judge").placement
    assert (train.image, train.cpu, train.memory, train.gpu) == ("registry.example.com/train:v2", "500m", "4Gi", "1")
    assert train.tolerations == (Toleration(key="nvidia.com/gpu", operator="Exists", effect="NoSchedule"),)
    assert train.node_selector == {"karpenter.sh/nodepool": "gpu"}
    assert train.volume_mounts == (VolumeMount(name="weights", mount_path="/weights"),)
    assert (judge.cpu, judge.memory, judge.gpu) == ("250m", "1Gi", "2")
    assert (judge.limit_cpu, judge.limit_memory) == ("1", "2Gi")
    assert (pipeline.name, pipeline.description, pipeline.namespace) == ("gpu-work", "trains and judges", "ml")
    assert pipeline.params == {"data": {"steps": 21}}
    assert pipeline.tags == ("ml", "nightly")
    assert pipeline.volumes == (Volume(name="weights", persistent_volume_claim="weights-pvc"),)
    assert pipeline.annotations == {"team": "vision"}
    assert (pipeline.service_account_name, pipeline.airflow_sidecar_image) == ("trainer", "sidecar:latest")
    assert pipeline.failure_task is not None
    assert pipeline.failure_task.name == "complain"


@pytest.mark.parametrize(
    ("parameters", "body"),
    [("both", "both['left'] + both['right']"), ("left, right", "left['left'] + right['right']")],
)
def test_chain_fan_out_and_fan_in(tmp_path: Path, parameters: str, body: str) -> None:
    script = Script(
        tmp_path,
        f"""
        from flowhub import flow, task

        @task(image='python:3.11')
        def start(args): return {{'trail': ['start']}}

        @task(image='python:3.11')
        def middle(args): return {{'trail': [*args['trail'], 'middle']}}

        @task(image='python:3.11')
        def end(args): return {{'trail': [*args['trail'], 'end']}}

        @task(image='python:3.11')
        def go_left(args): return {{**args, 'left': [*args['trail'], 'left']}}

        @task(image='python:3.11')
        def go_right(args): return {{**args, 'right': [*args['trail'], 'right']}}

        @task(image='python:3.11')
        def join({parameters}): return {{'joined': {body}}}

        @flow(name='shapes', env={{'default': {{'WORKSPACE': './tmp'}}}})
        def main(args):
            _start = start(args)
            _middle = middle(_start)
            _end = end(_middle)
            _left = go_left(_start)
            _right = go_right(_start)
            _joined = join(_left, _right)
            return _joined
        """,
    )
    script.run("--env", "default")
    log = script.json("run.json")
    assert log["end"]["output"] == {"trail": ["start", "middle", "end"]}
    assert log["join"]["output"] == {"joined": ["start", "left", "start", "right"]}


def test_files_come_from_and_go_to_the_storage(tmp_path: Path) -> None:
    script = Script(
        tmp_path,
        """
        import os
        import tempfile
        from flowhub import flow, get_storage, task

        def shout(path):
            target = path + '.loud'
            with open(path, encoding='utf-8') as source, open(target, 'w', encoding='utf-8') as out:
                out.write(source.read().upper())
            return target

        @task(image='python:3.11')
        def bring(args):
            path = os.path.join(tempfile.mkdtemp(), 'note.txt')
            with open(path, 'w', encoding='utf-8') as file:
                file.write('quiet 조용히')
            return {**args, 'input_url': get_storage(args['env']).upload(path)}

        @task(image='python:3.11')
        def work(args):
            storage = get_storage(args['env'])
            local_path = storage.download(args['input_url'], tempfile.mkdtemp())
            return {**args, 'output_url': storage.upload(shout(local_path))}

        @flow(name='loud', env={'default': {'WORKSPACE': './tmp'}})
        def main(args):
            return work(bring(args))
        """,
    )
    script.run("--env", "default")
    url = script.json("run.json")["work"]["output"]["output_url"]
    assert url.startswith((tmp_path / "tmp").as_uri())
    (written,) = (tmp_path / "tmp").rglob("note.txt.loud")
    assert written.read_text("utf-8") == "QUIET 조용히"


ARGUMENTS = """
    from flowhub import get_parser, parse_args, flow, task

    parser = get_parser()
    parser.add_argument('--greeting', type=str, default='hi', help='how to say hello')
    parser.add_argument('--times', type=int, default=1)
    args = parse_args(parser)

    @task(image='python:3.11')
    def greet(flow_args):
        env = flow_args['env']
        return {**flow_args, 'said': [env['GREETING']] * env['TIMES']}

    @flow(name='greeter', env={
        'default': {'WORKSPACE': './tmp', 'TIMES': args.times, 'GREETING': args.greeting},
    })
    def main(flow_args):
        return greet(flow_args)
"""


def test_arguments_of_the_script_s_own(tmp_path: Path) -> None:
    script = Script(tmp_path, ARGUMENTS)
    script.run("--env", "default", "--greeting", "hello", "--times", "3")
    assert script.json("run.json")["greet"]["output"] == {"said": ["hello"] * 3}
    script.run()
    assert script.json("run.json")["greet"]["output"] == {"said": ["hi"]}
    offered = script.run("--help")
    assert all(option in offered for option in ("--greeting", "--times", "--env", "--input", "how to say hello"))
    assert "--time" in script.run("--tims", "3", code=2)


def test_loading_such_a_script_reads_no_command_line(tmp_path: Path) -> None:
    script = Script(tmp_path, ARGUMENTS)
    code = (
        "from flowhub_assets.from_python.loading import load_file\n"
        "(one,) = load_file('workflow.py'); print(one.pipeline.profiles['default']['TIMES'])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, "--times", "x", "--unknown"],
        cwd=script.folder,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (done.returncode, done.stdout.strip()) == (0, "1"), done.stderr


def test_templates_are_task_bodies(tmp_path: Path) -> None:
    script = Script(
        tmp_path,
        """
        from flowhub import flow, task, template

        @task(image='registry.example.com/extract-voice:v1')
        def extract_voice(args):
            return template.extract_voice(args)

        @task(image='registry.example.com/analyze-speaker:v1')
        def analyze_speaker(args):
            return template.analyze_speaker(args)

        @task(image='registry.example.com/read-pdf:v1')
        def read_pdf(args):
            return template.read_pdf(args)

        @flow(name='documents', env={'default': {'WORKSPACE': './tmp'}})
        def main(args):
            return read_pdf(args), analyze_speaker(extract_voice(args))
        """,
    )
    store = tmp_path / "tmp"
    store.mkdir()
    writer = PdfWriter()
    writer.add_blank_page(200, 200)
    writer.write(store / "empty.pdf")
    with wave.open(str(store / "hum.wav"), "wb") as sound:
        sound.setparams((2, 2, 44_100, 0, "NONE", ""))
        # A square wave of 441 Hz, one second.
        sound.writeframes((b"\x00\x10" * 100 + b"\x00\xf0" * 100) * 441)
    script.write("input.json", {"pdf_url": "empty.pdf", "audio_url": "hum.wav"})
    script.run("--input", "input.json")
    log = script.json("run.json")
    assert (log["read_pdf"]["output"]["page_count"], log["read_pdf"]["output"]["scanned"]) == (1, True)
    assert log["extract_voice"]["output"]["duration"] == pytest.approx(1.0, abs=0.01)
    assert [speaker["label"] for speaker in log["analyze_speaker"]["output"]["speakers"]] == ["S1"]


def test_a_failed_task_calls_on_failure(tmp_path: Path) -> None:
    script = Script(
        tmp_path,
        """
        from flowhub import flow, get_storage, task

        @task(image='python:3.11')
        def ring(args):
            print('ringing because of', args['failed_task'])
            with get_storage(args['env']).open('alarm.txt', 'w') as file:
                file.write(args['traceback'])
            return args

        @task(image='python:3.11')
        def burn(args):
            return {**args, 'ashes': args['wood']}

        @flow(name='oven', on_failure=ring, env={'default': {'WORKSPACE': './tmp'}})
        def main(args):
            return burn(args)
        """,
    )
    printed = script.run("--env", "default", code=1)
    assert "ringing because of burn" in printed
    alarm = (tmp_path / "tmp" / "alarm.txt").read_text("utf-8")
    assert "KeyError: 'wood'" in alarm
    assert "workflow.py" in alarm


def test_a_package_beside_the_script(tmp_path: Path) -> None:
    package = tmp_path / "my_package"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "processor.py").write_text("def double(number):\n    return number * 2\n")
    script = Script(
        tmp_path,
        """
        from flowhub import flow, task
        from my_package.processor import double

        @task(image='python:3.11')
        def work(args):
            return {'number': double(args['number'])}

        @flow(name='packaged', params={'number': 4},
              env={'default': {'WORKSPACE': './tmp', 'EXTRA_PACKAGES': ['./my_package']}})
        def main(args):
            return work(args)
        """,
    )
    script.run("--env", "default")
    assert script.json("run.json")["work"]["output"] == {"number": 8}
