"""What is served, as a folder for Docker: several instances of each version behind nginx, which splits the traffic.

compose.yaml, nginx.conf and a copy of each bento: ``docker compose up --detach --wait`` in it serves as the front
does here, with the same paths, the same headers and the same answers.
"""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from string import Template
from typing import Any

from flowhub_assets.errors import RunError
from flowhub_assets.ml.serving.front_process import front_address
from flowhub_assets.ml.serving.places import place_of, setting
from flowhub_assets.ml.serving.routes import CHALLENGER, CHAMPION
from flowhub_assets.ml.serving.rows import MOST_BYTES
from flowhub_assets.ml.serving.servers import arms_of

#: What deploy/images builds with EXTRAS=ml; the variable names another.
_IMAGE = "${FLOWHUB_IMAGE:-flowhub-assets:0.1.0}"
_NGINX = "nginx:1.29.3-alpine"
_PORT, _NGINX_PORT = 3000, 8080

_NGINX_CONF = Template("""\
# Written by flowhub: $model behind one address.
worker_processes auto;
pid /tmp/nginx.pid;
error_log /dev/stderr warn;

events {
    worker_connections 1024;
}

http {
    access_log off;
    server_tokens off;
    client_max_body_size $most_bytes;
    client_body_temp_path /tmp/body;
    proxy_temp_path /tmp/proxy;
    fastcgi_temp_path /tmp/fastcgi;
    uwsgi_temp_path /tmp/uwsgi;
    scgi_temp_path /tmp/scgi;
    # Docker's own: an instance that was started anew has another address.
    resolver 127.0.0.11 valid=5s ipv6=off;

    # The same key is always answered by the same version; who sends none, by either.
    map $$http_x_request_key $$key {
        ""      $$request_id;
        default $$http_x_request_key;
    }
    split_clients "$model$$key" $$drawn {
$split    }
    map $$http_x_model_alias $$version {
$asked        default $$drawn;
    }

    map $$version $$number {
$numbers    }

$upstreams
    server {
        listen $nginx_port;
        proxy_http_version 1.1;
        proxy_set_header Connection "";
        proxy_set_header Host $$host;
        # Nothing of a caller's goes on but the body: no cookie, no token, no word that it is not to be counted.
        proxy_pass_request_headers off;
        proxy_set_header Content-Type application/json;
        proxy_connect_timeout 2s;
        proxy_read_timeout 35s;
        proxy_next_upstream error timeout http_503;
        proxy_next_upstream_tries 3;
        error_page 502 503 504 = @away;

        location = /predict {
            limit_except POST {
                deny all;
            }
            add_header X-Model $model always;
            add_header X-Model-Version $$number always;
            add_header X-Model-Alias $$version always;
            proxy_pass http://$$version;
        }
        location ~ ^/(|docs\\.json|healthz|livez|readyz|static_content/[\\w./-]+)$$ {
            limit_except GET {
                deny all;
            }
            proxy_pass http://$champion;
        }
        location = /docs {
            proxy_pass http://$champion/;
        }
        location / {
            default_type application/json;
            return 404 '{"error": "there is no such path", "remedy": "POST /predict."}';
        }
        location @away {
            internal;
            default_type application/json;
            add_header Retry-After 1 always;
            return 503 '{"error": "no instance answers now", "remedy": "Ask again in a second."}';
        }
    }
}
""")
_UPSTREAM = Template("""\
    upstream $name {
        zone $name 64k;
        least_conn;
        server $name:$port resolve max_fails=2 fail_timeout=5s;
        keepalive 32;
    }
""")


def compose_files(built: Mapping[str, Any], env: Mapping[str, Any]) -> dict[str, Any]:
    """Writes ``<WORKSPACE>/serving/<model>/compose`` for what ``build_bentos`` made, as a whole or not at all.

    SERVING_INSTANCES of the profile (2) is how many of each version there are, SERVING_PORT where nginx listens.
    Returns {folder, files: {name: text}}. Raises RunError where a bento is gone.
    """
    place = place_of(str(built["model"]), env)
    files = {"compose.yaml": compose_text(built, env), "nginx.conf": nginx_text(built)}
    target = place.folder / "compose"
    with place.lock(), tempfile.TemporaryDirectory(prefix="compose-", dir=place.folder) as scratch:
        made = Path(scratch) / "compose"
        made.mkdir()
        for one in arms_of(built):
            if not Path(one["bento"]).is_dir():
                raise RunError("the bento is gone", where=one["bento"], remedy="Run the pipeline serving again.")
            shutil.copytree(one["bento"], made / one["alias"], ignore=shutil.ignore_patterns("__pycache__"))
        for name, text in files.items():
            (made / name).write_text(text, "utf-8")
        if target.exists():
            target.rename(Path(scratch) / "before")
        made.rename(target)
    return {"folder": str(target), "files": files}


def compose_text(built: Mapping[str, Any], env: Mapping[str, Any]) -> str:
    """compose.yaml: a service for each version, and nginx."""
    import yaml

    host, port = front_address(env)
    instances = setting(env, "SERVING_INSTANCES", 2, 1, 64)
    aliases = [one["alias"] for one in arms_of(built)]
    nginx = {
        "image": _NGINX,
        "restart": "unless-stopped",
        # The image's own user: without capabilities its root could not become another for the workers.
        "user": "101:101",
        "ports": [f"{host}:{port}:{_NGINX_PORT}"],
        "volumes": ["./nginx.conf:/etc/nginx/nginx.conf:ro"],
        "depends_on": {alias: {"condition": "service_healthy"} for alias in aliases},
        "healthcheck": _healthcheck(["wget", "-q", "-O", "/dev/null", f"http://127.0.0.1:{_NGINX_PORT}/readyz"]),
        **_confined(),
    }
    services = {alias: _service(alias, instances) for alias in aliases}
    told = {"name": f"serving-{built['model']}", "services": {**services, "nginx": nginx}}
    versions = ", ".join(f"{one['alias']} {one['version']}" for one in arms_of(built))
    head = f"# Written by flowhub: {built['model']}, {versions}. docker compose up --detach --wait\n\n"
    return head + str(yaml.safe_dump(told, sort_keys=False, width=120))


def nginx_text(built: Mapping[str, Any]) -> str:
    """nginx.conf: forwards to all instances, splits between the versions."""
    aliases = [one["alias"] for one in arms_of(built)]
    share = float(built["share"]) if CHALLENGER in aliases else 0.0
    lines = [f"{share:.2%} {CHALLENGER};"] if share else []
    return _NGINX_CONF.substitute(
        model=built["model"],
        most_bytes=MOST_BYTES,
        nginx_port=_NGINX_PORT,
        champion=CHAMPION,
        split="".join(f"        {line}\n" for line in [*lines, f"*     {CHAMPION};"]),
        asked="".join(f"        {json.dumps(alias)} {alias};\n" for alias in aliases),
        numbers="".join(f"        {one['alias']} {json.dumps(one['version'])};\n" for one in arms_of(built)),
        upstreams="".join(_UPSTREAM.substitute(name=alias, port=_PORT) for alias in aliases),
    )


def _service(alias: str, instances: int) -> dict[str, Any]:
    asked = f"import urllib.request; urllib.request.urlopen('http://127.0.0.1:{_PORT}/readyz', timeout=5)"
    return {
        "image": _IMAGE,
        "restart": "unless-stopped",
        "command": ["python", "-m", "bentoml", "serve", "/bento", "--host", "0.0.0.0", "--port", str(_PORT)],  # noqa: S104 - of a container
        "environment": {
            "BENTOML_HOME": "/tmp/bentoml",  # noqa: S108 - the container's own
            "BENTOML_DO_NOT_TRACK": "true",
            "OMP_NUM_THREADS": "1",
        },
        "volumes": [f"./{alias}:/bento:ro"],
        "deploy": {"replicas": instances},
        "healthcheck": _healthcheck(["python", "-c", asked]),
        **_confined(),
    }


def _healthcheck(command: list[str]) -> dict[str, Any]:
    told = {"interval": "15s", "timeout": "10s", "start_period": "60s", "retries": 5}
    return {"test": ["CMD", *command], **told}


def _confined() -> dict[str, Any]:
    return {
        "read_only": True,
        "tmpfs": ["/tmp"],  # noqa: S108 - the container's own
        "cap_drop": ["ALL"],
        "security_opt": ["no-new-privileges:true"],
    }
