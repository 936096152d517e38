"""What of a pipeline is a credential, and the references that travel in its place."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from flowhub_assets.errors import DefinitionError, FlowhubError
from flowhub_assets.ir import kubernetes_names
from flowhub_assets.ir.encoding import plain
from flowhub_assets.ir.pipeline import Pipeline, Source
from flowhub_assets.ir.task_tree import all_tasks, told, with_env
from flowhub_assets.pods.secret_looks import look_of
from flowhub_assets.pods.secret_words import holds, line_of
from flowhub_assets.runtime.profile_references import referenced_variable
from flowhub_assets.runtime.secret_values import is_secret_name

_EFFECT = "a secret would be written into the ConfigMap and the DAG, so nothing was exported"
_NO_POD = "no pod could have it, so nothing was exported"

#: A name that Kubernetes takes for an environment variable in every version, and for a key of a Secret.
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_SECRET_KEY = re.compile(r"[-._A-Za-z0-9]{1,253}")

#: Every container has these of its own: whoever refers to them means that value, and no Secret's.
_OF_THE_CONTAINER = frozenset("PATH HOME HOSTNAME USER PWD LANG TZ PYTHONPATH VIRTUAL_ENV TMPDIR".split())

#: A user in a URL that git asks over HTTP.
_USER_IN_URL = re.compile(r"https?://[^/]*@", re.IGNORECASE)

#: Keys of a JSON Schema under which values stand; others hold words about them.
_SAYS_A_VALUE = frozenset(["default", "const", "enum", "examples"])

Path = tuple[Any, ...]


@dataclass(frozen=True)
class SecretReference:
    """The environment variable ``variable`` of every pod comes from ``key`` of the Kubernetes Secret ``secret``.

    ``origin`` tells what it is in the pipeline, for people.
    """

    variable: str
    secret: str
    key: str
    origin: str


@dataclass(frozen=True)
class Credentials:
    """A pipeline and its profile without credentials: each is ``{"env": VARIABLE}`` now.

    ``literals`` maps each credential that stood there as a text to its variables, one for each name that it stood
    under; those of other profiles are among them, for the file that holds them all may travel. ``refusals`` are
    credentials that cannot become references: with one of them nothing may be exported.
    """

    pipeline: Pipeline
    profile: Mapping[str, Any]
    references: tuple[SecretReference, ...]
    warnings: tuple[str, ...]
    refusals: tuple[FlowhubError, ...]
    literals: Mapping[str, tuple[str, ...]] = field(repr=False)


def credentials(
    pipeline: Pipeline, profile: Mapping[str, Any], profile_name: str, secret: str, argv: Sequence[str] = ()
) -> Credentials:
    """Takes the credentials out of ``profile``, the chosen one, of what tasks lay over it, and of the other profiles.

    A text or number under a credential's name (runtime.secret_values), however deep, becomes a variable of the
    Kubernetes Secret ``secret``, with a warning; so does what already is ``{"env": NAME}``, without one.
    ``{"secret": {"name": ..., "key": ...}}`` names a Secret of its own. Refused is what only its looks give away, and
    any credential in params, variables, a node's config, or the arguments ``argv`` of the script.
    """
    found = _Found(pipeline, secret, profile)
    clean = found.values(profile, _Place(f"profile {profile_name!r}", profile_name, pipeline.source))
    env = {
        task.name: found.values(task.env, _Place(f"env of {told(task)}", task.name, task.source))
        for task in all_tasks(pipeline)
    }
    profiles = {
        name: found.values(values, _Place(f"profile {name!r}", name, pipeline.source, travels=False))
        for name, values in pipeline.profiles.items()
        if name != profile_name
    }
    changed = dataclasses.replace(
        with_env(pipeline, lambda task: env[task.name]), profiles={**profiles, profile_name: clean}
    )
    found.refuse_elsewhere(changed, clean)
    found.refuse_arguments(argv)
    return Credentials(
        changed,
        clean,
        tuple(found.references.values()),
        tuple(found.warnings),
        tuple(found.refusals),
        {value: tuple(variables) for value, variables in found.literals.items()},
    )


def create_secret_command(references: Sequence[SecretReference], secret: str, namespace: str | None = None) -> str:
    """The kubectl command that makes ``secret``, with placeholders for the values; "" where nothing refers to it."""
    keys = [one.key for one in references if one.secret == secret]
    if not keys:
        return ""
    where = [f"--namespace {namespace}"] if namespace else []
    literals = [f"--from-literal={key}='<{key}>'" for key in dict.fromkeys(keys)]
    return " ".join(["kubectl create secret generic", secret, *where, *literals])


@dataclass(frozen=True)
class _Place:
    """What values belong to: in words, the name of the profile or task, where it stands, whether pods get them."""

    told: str
    owner: str
    where: Source
    travels: bool = True


class _Found:
    """The references, warnings and refusals so far, and which literal has which variables."""

    def __init__(self, pipeline: Pipeline, secret: str, profile: Mapping[str, Any]) -> None:
        self.pipeline = pipeline
        self.secret = secret
        self.references: dict[str, SecretReference] = {}
        self.literals: dict[str, list[str]] = {}
        self.warnings: list[str] = []
        self.refusals: list[FlowhubError] = []
        self._refused: set[str] = set()
        # Many tasks ask for the same image, say: what each text of the pipeline gives away, looked at once.
        self._given_away: dict[str, str] = {}
        # Variables that the author named are theirs: no literal is given one of these.
        named = [profile, *(task.env for task in all_tasks(pipeline))]
        self._taken: dict[str, object] = {variable: None for one in named for variable in _variables(one)}

    def values(self, values: Mapping[str, Any], place: _Place) -> dict[str, Any]:
        """A copy of ``values`` with references in the place of credentials."""
        return {key: self._value(item, (key,), place, False) for key, item in values.items()}

    def _value(self, value: Any, path: Path, place: _Place, named: bool) -> Any:
        named = named or (isinstance(path[-1], str) and is_secret_name(path[-1]))
        if isinstance(value, Mapping):
            variable = referenced_variable(value)
            if variable is not None:
                return self._refer(variable, path, place)
            if value.keys() == {"secret"} and isinstance(value["secret"], Mapping):
                return self._of_secret(value["secret"], path, place)
            return {key: self._value(one, (*path, key), place, named) for key, one in value.items()}
        if isinstance(value, (list, tuple)):
            return [self._value(one, (*path, number), place, named) for number, one in enumerate(value, 1)]
        if named and _is_text(value):
            return self._literal(str(value), path, place)
        if place.travels and isinstance(value, str) and (look := look_of(value)):
            self._refuse(f"{_shown(path)} of {place.told} is {look}", place.where, _by_reference(path), value)
        return value

    def _literal(self, value: str, path: Path, place: _Place) -> dict[str, str]:
        variable = self._free_name(path, place, value)
        variables = self.literals.setdefault(value, [])
        if variable not in variables:
            variables.append(variable)
        if place.travels and variable not in self.references:
            self._add(variable, self.secret, variable, path, place)
            what = f"{line_of(place.where, value)}: {_shown(path)} of {place.told} is a literal."
            self.warnings.append(f"{what} It stays behind: pods read {variable} of the Secret {self.secret!r}.")
        return {"env": variable}

    def _refer(self, variable: str, path: Path, place: _Place) -> dict[str, str]:
        if not place.travels or variable in _OF_THE_CONTAINER:
            return {"env": variable}
        if not _VARIABLE.fullmatch(variable):
            what = f"{_shown(path)} of {place.told} names the environment variable {variable!r}"
            self._refuse(what, place.where, "write a name of letters, digits and '_'", effect=_NO_POD)
        elif variable not in self.references:
            self._add(variable, self.secret, variable, path, place)
        return {"env": variable}

    def _of_secret(self, named: Mapping[str, Any], path: Path, place: _Place) -> dict[str, Any]:
        secret, key = named.get("name"), named.get("key")
        wrong = set(named) != {"name", "key"} or not isinstance(secret, str) or not isinstance(key, str)
        if wrong or kubernetes_names.dns_subdomain(str(secret)) or not _SECRET_KEY.fullmatch(str(key)):
            what = f"{_shown(path)} of {place.told} names no key of a Kubernetes Secret"
            remedy = "write {'secret': {'name': 'my-secret', 'key': 'TOKEN'}}"
            self._refuse(what, place.where, remedy, effect=_NO_POD)
            return {"secret": dict(named)}
        variable = self._free_name(path, place, (secret, key))
        if place.travels:
            self._add(variable, str(secret), str(key), path, place)
        return {"env": variable}

    def _add(self, variable: str, secret: str, key: str, path: Path, place: _Place) -> None:
        origin = f"{_shown(path)} of {place.told}"
        self.references.setdefault(variable, SecretReference(variable, secret, key, origin))

    def _free_name(self, path: Path, place: _Place, value: object) -> str:
        """A variable for the credential at ``path``; another one than those of other credentials."""
        names = [_variable(path), _variable((place.owner, *path))]
        names += [f"{names[1]}_{number}" for number in range(2, len(self._taken) + 3)]
        free = next(name for name in names if self._taken.get(name, value) == value)
        self._taken[free] = value
        return free

    def refuse_elsewhere(self, pipeline: Pipeline, profile: Mapping[str, Any]) -> None:
        """Refuses each credential that is anywhere else in the pipeline, where none can be a reference."""
        for kind, values in (
            ("param", pipeline.params),
            ("variable", pipeline.variables),
            ("param schema", pipeline.param_schemas),
        ):
            for path, value in _under_names(values, ()):
                said = values is not pipeline.param_schemas or not _SAYS_A_VALUE.isdisjoint(path)
                if said and value not in self._refused:
                    upper = _variable(tuple(part for part in path if is_secret_name(str(part)))[-1:])
                    remedy = f"move it into the profile: env={{..., {upper!r}: {{'env': {upper!r}}}}}"
                    self._refuse(f"{kind} {_shown(path)!r} holds a credential", pipeline.source, remedy, value)
        # A user without a password, as no other URL has it, is a token; with ssh it is the account.
        if pipeline.repo is not None and _USER_IN_URL.match(pipeline.repo) and not look_of(pipeline.repo):
            remedy = "leave it out, and let the pods' service account or the image of git have the access"
            self._refuse("repo of the pipeline holds a user or token", pipeline.source, remedy, pipeline.repo)
        bare = dataclasses.replace(pipeline, profiles={}, tasks=(), failure_task=None, finally_tasks=())
        self._refuse_in(plain(bare), "the pipeline", pipeline.source)
        self._refuse_in(profile, "the profile", pipeline.source)
        for task in all_tasks(pipeline):
            loop = task.loop and dataclasses.replace(task.loop, tasks=())
            self._refuse_in(plain(dataclasses.replace(task, loop=loop)), told(task), task.source)

    def _refuse_in(self, document: Mapping[str, Any], owner: str, where: Source) -> None:
        for path, text in _texts(document, ()):
            in_node = "node" in path and any(isinstance(key, str) and is_secret_name(key) for key in path)
            what = self._given_away.get(text)
            if what is None:
                what = self._given_away[text] = self._gives_away(text)
            if not what and in_node and text and path[-1] != text and "{{" not in text:
                what = "a credential"
            if what and text not in self._refused:
                self._refuse(f"{_shown(path)} of {owner} holds {what}", where, _by_reference(path), text)

    def _gives_away(self, text: str) -> str:
        held = any(holds(text, literal) for literal in self.literals)
        return look_of(text) or ("a credential of a profile or of a task's env" if held else "")

    def refuse_arguments(self, argv: Sequence[str]) -> None:
        """Refuses credentials among the script's own arguments: they travel as they are."""
        for before, word in zip(["", *argv], argv, strict=False):
            option, _, value = word.partition("=")
            name, text = (option, value) if value and word.startswith("-") else (before, word)
            named = name.startswith("-") and is_secret_name(name.lstrip("-").replace("-", "_"))
            if not text.startswith("-") and (named or look_of(text) or any(holds(text, one) for one in self.literals)):
                told_as = name if name.startswith("-") else "an argument of the script"
                remedy = "let the script read it from the environment, os.environ['...'], and leave the argument out"
                self._refuse(f"{told_as} is given a credential", self.pipeline.source, remedy)

    def _refuse(self, what: str, where: Source, remedy: str, value: str = "", effect: str = _EFFECT) -> None:
        """``value`` is not told; where it stands is."""
        self._refused.add(value)
        place = line_of(where, value) if value else where
        self.refusals.append(DefinitionError(what, where=place, effect=effect, remedy=remedy))


def _variables(values: Any) -> Iterator[str]:
    """The variables that references inside ``values`` name."""
    variable = referenced_variable(values)
    if variable is not None:
        yield variable
    elif isinstance(values, Mapping):
        for item in values.values():
            yield from _variables(item)
    elif isinstance(values, (list, tuple)):
        for item in values:
            yield from _variables(item)


def _texts(value: Any, path: Path) -> Iterator[tuple[Path, str]]:
    """Each text inside ``value``, keys too, with the keys that lead to it."""
    if isinstance(value, str):
        yield path, value
    elif isinstance(value, Mapping) and referenced_variable(value) is None:
        for key, item in value.items():
            yield (*path, key), str(key)
            yield from _texts(item, (*path, key))
    elif isinstance(value, (list, tuple)):
        for number, item in enumerate(value, 1):
            yield from _texts(item, (*path, number))


def _under_names(value: Any, path: Path) -> Iterator[tuple[Path, str]]:
    """Each text and number inside ``value`` that stands under a credential's name, with the keys that lead to it."""
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield from _under_names(item, (*path, key))
    elif isinstance(value, (list, tuple)):
        for number, item in enumerate(value, 1):
            yield from _under_names(item, (*path, number))
    elif _is_text(value) and any(isinstance(part, str) and is_secret_name(part) for part in path):
        yield path, str(value)


def _variable(path: Path) -> str:
    name = re.sub(r"[^A-Z0-9]+", "_", "_".join(map(str, path)).upper()).strip("_") or "SECRET"
    return f"_{name}" if name[0].isdigit() else name


def _by_reference(path: Path) -> str:
    name = _variable(path[-1:])
    return f"have it in the profile, as {{'env': {name!r}}}: pods get {name} from a Kubernetes Secret"


def _is_text(value: object) -> bool:
    return isinstance(value, (str, int)) and not isinstance(value, bool) and str(value) != ""


def _shown(path: Path) -> str:
    return ".".join(str(key) for key in path)
