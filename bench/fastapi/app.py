"""The kind of app that this service replaces: FastAPI, scikit-learn and OpenTelemetry, each as its documentation says.

OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:4317 uvicorn --app-dir bench/fastapi app:app
"""

import numpy as np
from fastapi import FastAPI
from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
from opentelemetry.instrumentation.fastapi import FastAPIInstrumentor
from opentelemetry.sdk.resources import SERVICE_NAME, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.sampling import ALWAYS_ON
from pydantic import BaseModel
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

provider = TracerProvider(sampler=ALWAYS_ON, resource=Resource.create({SERVICE_NAME: "iris-fastapi"}))
provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
trace.set_tracer_provider(provider)
tracer = trace.get_tracer("iris-fastapi")

iris = load_iris()
model = make_pipeline(StandardScaler(), LogisticRegression()).fit(iris.data, iris.target)
classes = [str(name) for name in iris.target_names]


class Flower(BaseModel):
    sepal_length: float
    sepal_width: float
    petal_length: float
    petal_width: float


class Answer(BaseModel):
    prediction: str
    class_id: int
    probabilities: dict[str, float]
    model_version: str


app = FastAPI()


@app.get("/healthz")
async def healthz():
    return {"status": "ok"}


# `async`: cheaper here than a hop to the thread pool and back.
@app.post("/predict")
async def predict(flower: Flower) -> Answer:
    with tracer.start_as_current_span("data_preparation"):
        features = np.array([[flower.sepal_length, flower.sepal_width, flower.petal_length, flower.petal_width]])
    with tracer.start_as_current_span("model_inference") as span:
        probabilities = model.predict_proba(features)[0]
        class_id = int(np.argmax(probabilities))
        span.set_attribute("iris.prediction.class", classes[class_id])
        span.set_attribute("iris.prediction.confidence", float(probabilities[class_id]))
    return Answer(
        prediction=classes[class_id],
        class_id=class_id,
        probabilities=dict(zip(classes, probabilities.tolist())),
        model_version="1.0.0",
    )


FastAPIInstrumentor.instrument_app(app, excluded_urls="healthz")
