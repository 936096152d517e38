"""What runs inside BentoML's workers: one model, read from the bento's own files, its checks and its counters.

BentoML reads annotations as they are, so this module has no postponed ones.
"""

import asyncio
import json
from collections.abc import Awaitable, Callable, MutableMapping
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import pydantic

from flowhub_assets.errors import FlowhubError, InputError, ParamsRefused
from flowhub_assets.ml.serving.rows import MOST_BYTES, MOST_ROWS, rows_of

#: So many rows and more are predicted beside the event loop, which answers others meanwhile.
_MANY = 50
_SECONDS = 30

#: A request of ours, which asks what is known already, is no traffic. The front hands on no header of a caller's.
UNCOUNTED = "x-flowhub-uncounted"

_Scope = MutableMapping[str, Any]
_Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
_Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]


class Answer(pydantic.BaseModel):
    """One prediction for each row, in their order."""

    predictions: list[Any]
    probabilities: list[dict[str, float]] | None = pydantic.Field(
        default=None, description="Of each row, by class; null for a model of numbers."
    )
    model: str
    version: str


def service_of(folder: Path) -> Any:
    """The BentoML service of the bento whose source is ``folder``: serving.json, and the model's files beside it."""
    import bentoml

    told = json.loads((folder / "serving.json").read_text("utf-8"))
    schema = pydantic.WithJsonSchema(_rows_schema(told))

    loaded: dict[str, CountedModel] = {}

    class Served:
        def __init__(self) -> None:
            loaded["model"] = CountedModel(told, _predictor(folder / "model"))

        async def predict(self, rows: Annotated[Any, schema], /) -> Answer:
            return Answer.model_validate_json(loaded["model"].answer(rows))

    names = ", ".join(told["columns"])
    Served.__name__ = Served.__qualname__ = told["model"]
    Served.__doc__ = f"{told['model']}, version {told['version']} of MLflow's registry. {told['description']}"
    Served.predict.__doc__ = f"Predicts {told['target']} of each row. A row is [{names}]."
    Served.predict = bentoml.api(route="/predict")(Served.predict)  # type: ignore[method-assign]
    made = bentoml.service(
        name=told["model"],
        workers=told["workers"],
        threads=1,
        traffic={"timeout": _SECONDS, "max_concurrency": 256},
        logging={"access": {"enabled": False}},
    )(Served)
    made.add_asgi_middleware(Predicting, loaded=loaded)
    return made


class CountedModel:
    """A model that answers in JSON and counts what it has said."""

    def __init__(self, told: dict[str, Any], predictor: Any, registry: Any = None) -> None:
        # Imported here: BentoML says where workers write their counts only after it has read the service.
        from prometheus_client import REGISTRY, Counter, Histogram

        self._predictor = predictor
        self._told = {"model": told["model"], "version": told["version"]}
        self._classes = told["classes"]
        labels = (told["model"], told["version"])
        shown = registry or REGISTRY
        if self._classes:
            counter = Counter(
                "flowhub_model_predictions",
                "Predictions, by class.",
                ("model", "version", "prediction"),
                registry=shown,
            )
            self._counts = {one: counter.labels(*labels, one) for one in self._classes}
        else:
            self._values = Histogram(
                "flowhub_model_prediction",
                "Predicted numbers; the bounds are deciles of what the model predicts of its training rows.",
                ("model", "version"),
                buckets=told["reference"]["edges"],
                registry=shown,
            ).labels(*labels)

    def answer(self, rows: list[Any], *, counted: bool = True) -> str:
        """The JSON text of an Answer. Raises InputError for rows that the model does not take."""
        scored = self._predictor.scores(rows)
        predictions = self._predictor.answers(scored)
        probabilities = None
        if self._classes:
            probabilities = [dict(zip(self._classes, one, strict=True)) for one in scored.tolist()]
        if counted:
            self._count(predictions)
        said = {"predictions": predictions, "probabilities": probabilities, **self._told}
        return json.dumps(said, ensure_ascii=False, separators=(",", ":"))

    def _count(self, predictions: list[Any]) -> None:
        if self._classes:
            for one in predictions:
                self._counts[one].inc()
        else:
            for one in predictions:
                self._values.observe(one)


class Predicting:
    """Answers POST /predict, or refuses it with the reason; an ASGI middleware.

    BentoML counts, bounds and describes the request as any of its own. What it would do besides to hand the rows to a
    function takes longer than most models: it makes the JSON schema of its input anew for each request.
    """

    def __init__(self, app: Any, *, loaded: dict[str, CountedModel]) -> None:
        self._app = app
        self._loaded = loaded

    async def __call__(self, scope: _Scope, receive: _Receive, send: _Send) -> None:
        """Passes on everything but POST /predict as it is."""
        if scope["type"] != "http" or scope["path"] != "/predict" or scope["method"] != "POST":
            await self._app(scope, receive, send)
            return
        body = bytearray()
        more = True
        while more:
            message = await receive()
            if message["type"] != "http.request":
                return
            body += message.get("body", b"")
            more = message.get("more_body", False)
            if len(body) > MOST_BYTES:
                await _say(send, 413, refusal(ParamsRefused(f"the body has more than {MOST_BYTES:,} bytes")))
                return
        counted = not any(name == UNCOUNTED.encode() for name, _ in scope["headers"])
        try:
            rows = rows_of(bytes(body))
            answer = partial(self._loaded["model"].answer, rows, counted=counted)
            text = answer() if len(rows) < _MANY else await asyncio.to_thread(answer)
        except (InputError, ParamsRefused) as error:
            await _say(send, 400, refusal(error))
            return
        await _say(send, 200, text.encode())


def refusal(error: FlowhubError) -> bytes:
    """What a caller reads of a request that is not answered."""
    return json.dumps({"error": error.what, "remedy": error.remedy}, ensure_ascii=False).encode()


async def _say(send: _Send, status: int, text: bytes) -> None:
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(text)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": text})


def _rows_schema(told: dict[str, Any]) -> dict[str, Any]:
    names = told["columns"]
    return {
        "type": "array",
        "title": "Rows",
        "description": f"Rows, each with {', '.join(names)}, in this order.",
        "minItems": 1,
        "maxItems": MOST_ROWS,
        "items": {"type": "array", "minItems": len(names), "maxItems": len(names), "items": {}},
        "example": [told["example"]],
    }


def _predictor(folder: Path) -> Any:
    # Its libraries are for the workers; who builds the bento reads this module without them.
    from flowhub_assets.ml.model_files import read_model

    return read_model(str(folder))
