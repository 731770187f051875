"""Stands in for the program in tests of the stacks: does with what the stack gives it what the program does with it.

It knows no rule of the business. It shows that every wire of the stack is connected: a request becomes an item, the
stream reaches the router, a topic its queue, a queue its function, the bus the completion queue, and that the variables
name all of them.
"""

import json
import os
import urllib.request
import uuid

import boto3

HANDLER = os.environ["_HANDLER"]
RUNTIME = f"http://{os.environ['AWS_LAMBDA_RUNTIME_API']}/2018-06-01/runtime/invocation"


def request(event):
    """A POST becomes an item, anything else is answered with what runs here."""
    if event["httpMethod"] != "POST":
        return reply(200, {"status": "ready", "handler": HANDLER, "level": os.environ["LOG_LEVEL"]})
    body = json.loads(event["body"])
    appointment = str(uuid.uuid4())
    boto3.client("dynamodb").put_item(
        TableName=os.environ["EVENTS_TABLE_NAME"],
        Item={
            "streamId": {"S": appointment},
            "version": {"N": "1"},
            "countryISO": {"S": body["countryISO"]},
            "insuredId": {"S": body["insuredId"]},
        },
        ConditionExpression="attribute_not_exists(streamId)",
    )
    return reply(201, {"appointmentId": appointment, "status": "pending"})


def reply(status, body):
    return {"statusCode": status, "headers": {"Content-Type": "application/json"}, "body": json.dumps(body)}


def route(record):
    """A new item goes to its country's topic."""
    item = record["dynamodb"]["NewImage"]
    country = item["countryISO"]["S"]
    message = {"appointmentId": item["streamId"]["S"], "insuredId": item["insuredId"]["S"], "countryISO": country}
    boto3.client("sns").publish(
        TopicArn=os.environ[f"APPOINTMENTS_{country}_TOPIC_ARN"],
        Message=json.dumps(message),
        MessageAttributes={"countryISO": {"DataType": "String", "StringValue": country}},
    )


def book(record):
    """A message of the country's queue, wrapped by SNS, is reported to the bus. Poison fails."""
    message = json.loads(json.loads(record["body"])["Message"])
    country = HANDLER.removeprefix("appointment-")
    boto3.client("events").put_events(
        Entries=[
            {
                "EventBusName": os.environ["EVENTBRIDGE_BUS_NAME"],
                "Source": f"medical.appointment.{country}",
                "DetailType": "Appointment Processed",
                "Detail": json.dumps({**message, "status": "PROCESSED", "database": os.environ["RDS_DATABASE"]}),
            }
        ]
    )


def complete(record):
    """A message of the completion queue becomes a row of the view."""
    detail = json.loads(record["body"])["detail"]
    boto3.client("dynamodb").put_item(
        TableName=os.environ["APPOINTMENTS_TABLE_NAME"],
        Item={
            "appointmentId": {"S": detail["appointmentId"]},
            "insuredId": {"S": detail["insuredId"]},
            "countryISO": {"S": detail["countryISO"]},
            "status": {"S": "completed"},
            "createdAt": {"S": "2026-11-25T00:00:00.000Z"},
            "database": {"S": detail["database"]},
        },
    )


def handle(event):
    if "httpMethod" in event:
        return request(event)
    failed = []
    for record in event.get("Records", []):
        try:
            if record["eventSource"] == "aws:dynamodb":
                if HANDLER == "appointment" and record["eventName"] == "INSERT":
                    route(record)
            elif HANDLER == "appointment":
                complete(record)
            else:
                book(record)
        except Exception as error:
            print(f"{HANDLER}: {error!r}", flush=True)
            failed.append({"itemIdentifier": record["messageId"]})
    return {"batchItemFailures": failed}


def post(path, body):
    data = json.dumps(body).encode()
    with urllib.request.urlopen(urllib.request.Request(f"{RUNTIME}/{path}", data, method="POST")) as answer:
        answer.read()


while True:
    with urllib.request.urlopen(f"{RUNTIME}/next") as invocation:
        identifier, event = invocation.headers["Lambda-Runtime-Aws-Request-Id"], json.load(invocation)
    try:
        post(f"{identifier}/response", handle(event))
    except Exception as error:
        post(f"{identifier}/error", {"errorType": type(error).__name__, "errorMessage": str(error)})
