"""What `bench/load` runs Locust with: its faster client, as many requests as it can."""

from locust import FastHttpUser, constant, task

BODY = '{"sepal_length":5.1,"sepal_width":3.5,"petal_length":1.4,"petal_width":0.2}'


class Iris(FastHttpUser):
    wait_time = constant(0)

    @task
    def predict(self):
        self.client.post("/predict", data=BODY, headers={"content-type": "application/json"})
