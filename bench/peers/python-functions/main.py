"""A greeting and a Pub/Sub handler on Google's Functions Framework for Python; FUNCTION_TARGET chooses."""

import base64
import json

import functions_framework


@functions_framework.http
def greet(request):
    return f"hello from {request.path}\n"


@functions_framework.cloud_event
def receive(event):
    order = json.loads(base64.b64decode(event.data["message"]["data"]))
    if order["quantity"] == 0 or order["item"] == "":
        raise ValueError(f"order {order['id']} is of nothing")
