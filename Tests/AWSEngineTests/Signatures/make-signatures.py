"""Writes signatures.json: every operation that AWSEngine calls, with the signature that botocore makes for it.

    $(scripts/python.sh) Tests/AWSEngineTests/Signatures/make-signatures.py
"""

import base64
import datetime
import json
import pathlib
import urllib.parse

import botocore.auth
import botocore.awsrequest
import botocore.credentials

MOMENT = datetime.datetime(2026, 11, 24, 7, 10, 53, tzinfo=datetime.timezone.utc)
LONG = [("AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", None)]
SHORT = [("ASIAEXAMPLE", "s3cr3t/with+signs=", "IQoJb3JpZ2luX2VjEXAMPLE/token+with=signs//==")]
TARGETS = {
    "dynamodb": ("DynamoDB_20120810", "1.0", "dynamodb", "dynamodb"),
    "dynamodb-streams": ("DynamoDBStreams_20120810", "1.0", "dynamodb", "streams.dynamodb"),
    "sqs": ("AmazonSQS", "1.0", "sqs", "sqs"),
    "eventbridge": ("AWSEvents", "1.1", "events", "events"),
    "kms": ("TrentService", "1.1", "kms", "kms"),
    "ssm": ("AmazonSSM", "1.1", "ssm", "ssm"),
}
FORMS = {"sns": "2010-03-31", "sts": "2011-06-15"}
BINARY = base64.b64encode(bytes(range(256))).decode()
STREAM = "appointment-0193a1b2-0000-7000-8000-000000000001"
KEY = {"streamId": {"S": STREAM}, "version": {"N": "2"}}
ITEM = dict(KEY, entry={"B": BINARY}, sealed={"M": {"insured": {"B": BINARY}}}, text={"S": "Ñuñoa 🇨🇱 \\ \" line"})
ARN = "arn:aws:dynamodb:us-east-1:000000000000:table/events/stream/2026-11-24T07:10:53.123"
QUEUE = "http://sqs.us-east-1.amazonaws.com/000000000000/appointments-pe"

JSON_CALLS = [
    ("dynamodb", "PutItem", {
        "TableName": "events", "Item": ITEM, "ConditionExpression": "attribute_not_exists(streamId)",
        "ReturnValuesOnConditionCheckFailure": "ALL_OLD"}),
    ("dynamodb", "Query", {
        "TableName": "events", "ConsistentRead": True, "KeyConditionExpression": "streamId = :s AND version >= :v",
        "ExpressionAttributeValues": {":s": {"S": STREAM}, ":v": {"N": "1"}}, "ScanIndexForward": False, "Limit": 1}),
    ("dynamodb", "GetItem", {"TableName": "events", "Key": KEY, "ConsistentRead": True}),
    ("dynamodb", "BatchGetItem", {"RequestItems": {"appointments": {"Keys": [KEY], "ConsistentRead": True}}}),
    ("dynamodb", "BatchWriteItem", {
        "RequestItems": {"projections": [{"PutRequest": {"Item": ITEM}}, {"DeleteRequest": {"Key": KEY}}]}}),
    ("dynamodb", "TransactWriteItems", {"TransactItems": [{"Put": {"TableName": "events", "Item": ITEM}}]}),
    ("dynamodb", "UpdateItem", {"TableName": "projections", "Key": KEY, "UpdateExpression": "SET #c = :c"}),
    ("dynamodb", "DeleteItem", {"TableName": "projections", "Key": KEY}),
    ("dynamodb", "Scan", {"TableName": "events", "ExclusiveStartKey": KEY, "Limit": 100}),
    ("dynamodb", "DescribeTable", {"TableName": "events"}),
    ("dynamodb-streams", "DescribeStream", {"StreamArn": ARN}),
    ("dynamodb-streams", "GetShardIterator", {
        "StreamArn": ARN, "ShardId": "shardId-00000001", "ShardIteratorType": "AFTER_SEQUENCE_NUMBER",
        "SequenceNumber": "1000000000000000000001"}),
    ("dynamodb-streams", "GetRecords", {"ShardIterator": "aGVsbG8+/==|1", "Limit": 100}),
    ("sqs", "SendMessageBatch", {"QueueUrl": QUEUE, "Entries": [{"Id": "0", "MessageBody": "{\"a\":\"Ñ\"}"}]}),
    ("sqs", "ReceiveMessage", {"QueueUrl": QUEUE, "MaxNumberOfMessages": 10, "WaitTimeSeconds": 20}),
    ("sqs", "DeleteMessageBatch", {"QueueUrl": QUEUE, "Entries": [{"Id": "0", "ReceiptHandle": "AQEB+/=="}]}),
    ("sqs", "ChangeMessageVisibility", {"QueueUrl": QUEUE, "ReceiptHandle": "AQEB+/==", "VisibilityTimeout": 0}),
    ("sqs", "ChangeMessageVisibilityBatch", {
        "QueueUrl": QUEUE, "Entries": [{"Id": "0", "ReceiptHandle": "AQEB+/==", "VisibilityTimeout": 180}]}),
    ("sqs", "GetQueueUrl", {"QueueName": "appointments-pe"}),
    ("sqs", "GetQueueAttributes", {"QueueUrl": QUEUE, "AttributeNames": ["ApproximateNumberOfMessages"]}),
    ("eventbridge", "PutEvents", {"Entries": [{"Source": "medical.appointment.pe", "Detail": "{\"status\":\"X\"}"}]}),
    ("kms", "GenerateDataKey", {
        "KeyId": "alias/appointments", "NumberOfBytes": 32, "EncryptionContext": {"subject": "a"}}),
    ("ssm", "GetParameter", {"Name": "/medical-appointment/dev/rds/password", "WithDecryption": True}),
    ("kms", "Decrypt", {"CiphertextBlob": BINARY, "EncryptionContext": {"subject": "a"}}),
]
FORM_CALLS = [
    ("sns", "Publish", [
        ("TopicArn", "arn:aws:sns:us-east-1:000000000000:appointments-pe"),
        ("Message", "{\"schedule\":100,\"note\":\"a b+c~d*e/Ñ\"}"),
        ("MessageAttributes.entry.1.Name", "countryISO"),
        ("MessageAttributes.entry.1.Value.DataType", "String"),
        ("MessageAttributes.entry.1.Value.StringValue", "PE")]),
    ("sts", "GetCallerIdentity", []),
]


def sign(url, headers, body, credentials, name):
    request = botocore.awsrequest.AWSRequest(method="POST", url=url, headers=headers, data=body)
    signer = botocore.auth.SigV4Auth(botocore.credentials.Credentials(*credentials), name, "us-east-1")
    signer.add_auth(request)
    return request.headers["Authorization"]


def case(product, operation, host, headers, body, credentials, name, parameters):
    return {
        "product": product, "operation": operation, "endpoint": f"http://{host}/", "parameters": parameters,
        "accessKey": credentials[0], "secretKey": credentials[1], "sessionToken": credentials[2],
        "body": body, "authorization": sign(f"http://{host}/", headers, body.encode(), credentials, name),
    }


def cases():
    for product, operation, parameters in JSON_CALLS:
        prefix, version, name, label = TARGETS[product]
        body = json.dumps(parameters, separators=(",", ":"), ensure_ascii=False)
        for host in [f"{label}.us-east-1.amazonaws.com", "127.0.0.1:4566"]:
            for credentials in LONG + SHORT:
                headers = {
                    "content-type": f"application/x-amz-json-{version}", "x-amz-target": f"{prefix}.{operation}"}
                yield case(product, operation, host, headers, body, credentials, name, parameters)
    for product, operation, parameters in FORM_CALLS:
        form = [("Action", operation), ("Version", FORMS[product])] + parameters
        body = urllib.parse.urlencode(form, quote_via=urllib.parse.quote, safe="-._~")
        for host in [f"{product}.us-east-1.amazonaws.com", "127.0.0.1:4566"]:
            for credentials in LONG + SHORT:
                headers = {"content-type": "application/x-www-form-urlencoded; charset=utf-8"}
                yield case(product, operation, host, headers, body, credentials, product, parameters)


if __name__ == "__main__":
    botocore.auth.get_current_datetime = lambda remove_tzinfo=True: MOMENT.replace(tzinfo=None)
    target = pathlib.Path(__file__).parent / "signatures.json"
    lines = ",\n".join(json.dumps(case, ensure_ascii=False) for case in cases())
    target.write_text(f"[\n{lines}\n]\n")
