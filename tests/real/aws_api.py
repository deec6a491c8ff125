"""AWS's own Python SDK against the local control plane.

aws_api.py ENDPOINT CODE: CODE is an archive for AWS of `examples/orders`, or its program. One line per check; the exit
code is 1 if one failed. Nothing leaves this machine: every client has the endpoint, which must be on 127.0.0.1.
"""

import base64
import contextlib
import hashlib
import io
import json
import platform
import subprocess
import sys
import time
import traceback
import urllib.error
import urllib.request
import zipfile

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError



def archive(path):
    if zipfile.is_zipfile(path):
        return open(path, "rb").read()
    entry = zipfile.ZipInfo("bootstrap", (1980, 1, 1, 0, 0, 0))
    entry.create_system, entry.external_attr = 3, 0o100755 << 16
    entry.compress_type = zipfile.ZIP_DEFLATED
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as writer:
        writer.writestr(entry, open(path, "rb").read())
    return archive.getvalue()


ENDPOINT, ARCHIVE = sys.argv[1], archive(sys.argv[2])
ARCHITECTURE = "arm64" if platform.machine() in ("aarch64", "arm64") else "x86_64"
assert ENDPOINT.startswith("http://127.0.0.1:"), ENDPOINT
CREDENTIALS = {
    "aws_access_key_id": "local",
    "aws_secret_access_key": "local",
    "region_name": "us-east-1",
}
ORDER = {"id": 7, "item": "book", "quantity": 2}
EMPTY = {"id": 8, "item": "book", "quantity": 0}
TRUST = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Principal": {"Service": ["lambda.amazonaws.com", "scheduler.amazonaws.com"]},
                "Action": "sts:AssumeRole",
            }
        ],
    }
)


def client(service):
    # What the SDK itself would refuse is to reach the server.
    config = Config(parameter_validation=False, retries={"max_attempts": 1}, connect_timeout=5, read_timeout=60)
    return boto3.client(service, endpoint_url=ENDPOINT, config=config, **CREDENTIALS)


sts, iam, functions, logs = client("sts"), client("iam"), client("lambda"), client("logs")
s3, sqs, sns = client("s3"), client("sqs"), client("sns")
events, scheduler = client("events"), client("scheduler")


@contextlib.contextmanager
def refused(code):
    """The call inside must be refused with this code."""
    try:
        yield
    except ClientError as error:
        found = error.response["Error"]["Code"]
        assert found == code, f"refused with {found}, not {code}: {error}"
    else:
        raise AssertionError(f"not refused with {code}")


def eventually(check, what, limit=20.0):
    end = time.monotonic() + limit
    while time.monotonic() < end:
        found = check()
        if found:
            return found
        time.sleep(0.1)
    raise AssertionError(f"not within {limit} s: {what}")


def create(name, function, **more):
    """A function of the archive, as soon as its role is known."""
    end = time.monotonic() + 10
    while True:
        try:
            made = functions.create_function(
                FunctionName=name,
                Role=ROLE,
                Runtime="provided.al2023",
                Handler="bootstrap",
                Architectures=[ARCHITECTURE],
                Code={"ZipFile": ARCHIVE},
                Environment={
                    "Variables": {"OMNIFN_FUNCTION": function, "OMNIFN_PARTIAL_BATCH": "*"}
                },
                **more,
            )
            break
        except ClientError as error:
            if "cannot be assumed by Lambda" not in str(error) or time.monotonic() > end:
                raise
            time.sleep(0.1)
    assert made["State"] == "Pending", made
    functions.get_waiter("function_active_v2").wait(
        FunctionName=name, WaiterConfig={"Delay": 1, "MaxAttempts": 10}
    )
    return made["FunctionArn"]


def updated(name):
    functions.get_waiter("function_updated_v2").wait(
        FunctionName=name, WaiterConfig={"Delay": 1, "MaxAttempts": 10}
    )


def messages(function):
    """What a function has logged."""
    pages = logs.get_paginator("filter_log_events").paginate(logGroupName=f"/aws/lambda/{function}")
    return [event["message"] for page in pages for event in page["events"]]


def logged(function, *texts):
    def check():
        try:
            found = "\n".join(messages(function))
        except logs.exceptions.ResourceNotFoundException:
            return False
        return all(text in found for text in texts)

    eventually(check, f"{function} logs {texts}")


ROLE = ""


def the_caller_is_known():
    assert sts.get_caller_identity()["Account"] == "000000000000"


def a_role_is_made_changed_and_guarded():
    global ROLE
    ROLE = iam.create_role(RoleName="shop", AssumeRolePolicyDocument=TRUST, Tags=[{"Key": "a", "Value": "b"}])["Role"]["Arn"]
    with refused("EntityAlreadyExists"):
        iam.create_role(RoleName="shop", AssumeRolePolicyDocument=TRUST)
    with refused("MalformedPolicyDocument"):
        iam.create_role(RoleName="other", AssumeRolePolicyDocument="{")
    policy = {"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "logs:*", "Resource": "*"}}
    iam.put_role_policy(RoleName="shop", PolicyName="logs", PolicyDocument=json.dumps(policy))
    assert iam.get_role_policy(RoleName="shop", PolicyName="logs")["PolicyDocument"] == policy
    managed = "arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole"
    iam.attach_role_policy(RoleName="shop", PolicyArn=managed)
    attached = iam.list_attached_role_policies(RoleName="shop")["AttachedPolicies"]
    assert [it["PolicyArn"] for it in attached] == [managed], attached
    with refused("DeleteConflict"):
        iam.delete_role(RoleName="shop")
    role = iam.get_role(RoleName="shop")["Role"]
    assert role["AssumeRolePolicyDocument"] == json.loads(TRUST), role
    assert iam.list_role_tags(RoleName="shop")["Tags"] == [{"Key": "a", "Value": "b"}]
    with refused("NoSuchEntity"):
        iam.get_role(RoleName="nobody")


def a_function_is_created_and_invoked():
    create("create", "create")
    got = functions.get_function(FunctionName="create")
    expected = base64.b64encode(hashlib.sha256(ARCHIVE).digest()).decode()
    assert got["Configuration"]["CodeSha256"] == expected
    assert urllib.request.urlopen(got["Code"]["Location"]).read() == ARCHIVE
    event = {
        "version": "2.0", "rawPath": "/orders", "rawQueryString": "", "headers": {},
        "requestContext": {"http": {"method": "POST", "path": "/orders"}},
        "body": json.dumps(ORDER), "isBase64Encoded": False,
    }
    answer = functions.invoke(FunctionName="create", Payload=json.dumps(event), LogType="Tail")
    body = json.loads(answer["Payload"].read())
    assert (answer["StatusCode"], body["statusCode"]) == (200, 201), body
    tail = base64.b64decode(answer["LogResult"]).decode()
    for line in ["START RequestId: ", "END RequestId: ", "REPORT RequestId: "]:
        assert line in tail, tail
    failed = functions.invoke(FunctionName="create", Payload=b'{"Records": []}')
    assert failed["FunctionError"] == "Unhandled", failed
    assert functions.invoke(FunctionName="create", InvocationType="DryRun")["StatusCode"] == 204
    with refused("ResourceNotFoundException"):
        functions.invoke(FunctionName="nobody")
    with refused("ResourceConflictException"):
        functions.create_function(FunctionName="create", Role=ROLE, Runtime="provided.al2023", Handler="bootstrap", Code={"ZipFile": ARCHIVE})


def what_is_not_valid_is_refused():
    def make(**more):
        given = {"FunctionName": "bad", "Role": ROLE, "Runtime": "provided.al2023", "Handler": "bootstrap", "Code": {"ZipFile": ARCHIVE}}
        functions.create_function(**{**given, **more})

    for code, more in [
        ("InvalidParameterValueException", {"Code": {"ZipFile": b"no zip"}}),
        ("InvalidParameterValueException", {"Code": {"S3Bucket": "nowhere", "S3Key": "a.zip"}}),
        ("InvalidParameterValueException", {"Role": "arn:aws:iam::000000000000:role/nobody"}),
        ("InvalidParameterValueException", {"Environment": {"Variables": {"AWS_REGION": "x"}}}),
        ("InvalidParameterValueException", {"Environment": {"Variables": {"BIG": "x" * 5000}}}),
        ("InvalidParameterValueException", {"Runtime": "python3.13"}),
        ("ValidationException", {"MemorySize": 127}),
        ("ValidationException", {"Timeout": 901}),
        ("ValidationException", {"FunctionName": "a b"}),
    ]:
        with refused(code):
            make(**more)


def updates_take_their_turn_and_know_revisions():
    revision = functions.get_function_configuration(FunctionName="create")["RevisionId"]
    with refused("PreconditionFailedException"):
        functions.update_function_configuration(FunctionName="create", Timeout=5, RevisionId="old")
    changed = functions.update_function_configuration(FunctionName="create", Timeout=5, RevisionId=revision)
    assert changed["LastUpdateStatus"] == "InProgress", changed
    with refused("ResourceConflictException"):
        functions.update_function_configuration(FunctionName="create", Timeout=6)
    updated("create")
    code = functions.update_function_code(FunctionName="create", ZipFile=ARCHIVE, Architectures=[ARCHITECTURE])
    assert code["Timeout"] == 5, code
    updated("create")


def versions_and_weights():
    first = functions.publish_version(FunctionName="create")
    again = functions.publish_version(FunctionName="create")
    assert (first["Version"], again["Version"]) == ("1", "1")
    with refused("InvalidParameterValueException"):
        functions.publish_version(FunctionName="create", CodeSha256="x" * 44)
    functions.get_waiter("published_version_active").wait(FunctionName="create", Qualifier="1")
    functions.update_function_configuration(FunctionName="create", Description="second")
    updated("create")
    assert functions.publish_version(FunctionName="create")["Version"] == "2"
    functions.create_alias(FunctionName="create", Name="live", FunctionVersion="1", RoutingConfig={"AdditionalVersionWeights": {"2": 0.5}})
    eventually(lambda: functions.get_function_configuration(FunctionName="create", Qualifier="2")["State"] == "Active", "2 is active")
    seen = {functions.invoke(FunctionName="create", Qualifier="live", Payload=b"{}")["ExecutedVersion"] for _ in range(30)}
    assert seen == {"1", "2"}, seen
    alias = functions.update_alias(FunctionName="create", Name="live", FunctionVersion="2", RoutingConfig={"AdditionalVersionWeights": {}})
    assert "RoutingConfig" not in alias, alias
    with refused("ResourceConflictException"):
        functions.delete_function(FunctionName="create", Qualifier="2")
    names = [it["Version"] for page in functions.get_paginator("list_versions_by_function").paginate(FunctionName="create", PaginationConfig={"PageSize": 1}) for it in page["Versions"]]
    assert names == ["$LATEST", "1", "2"], names


def a_url_answers_whom_it_may():
    url = functions.create_function_url_config(FunctionName="create", Qualifier="live", AuthType="NONE", Cors={"AllowOrigins": ["*"]})["FunctionUrl"]
    post = lambda: urllib.request.urlopen(urllib.request.Request(url + "orders", json.dumps(ORDER).encode(), {"Origin": "https://a.example"}))
    try:
        post()
        raise AssertionError("a URL without permissions answered")
    except urllib.error.HTTPError as error:
        assert error.code == 403, error
    functions.add_permission(FunctionName="create", Qualifier="live", StatementId="url", Action="lambda:InvokeFunctionUrl", Principal="*", FunctionUrlAuthType="NONE")
    functions.add_permission(FunctionName="create", Qualifier="live", StatementId="via", Action="lambda:InvokeFunction", Principal="*", InvokedViaFunctionUrl=True)
    with refused("ResourceConflictException"):
        functions.add_permission(FunctionName="create", Qualifier="live", StatementId="via", Action="lambda:InvokeFunction", Principal="*")
    answer = post()
    assert (answer.status, json.loads(answer.read())) == (201, ORDER)
    assert answer.headers["access-control-allow-origin"] == "*"
    policy = json.loads(functions.get_policy(FunctionName="create", Qualifier="live")["Policy"])
    assert [it["Sid"] for it in policy["Statement"]] == ["url", "via"], policy
    with refused("ResourceConflictException"):
        functions.create_function_url_config(FunctionName="create", Qualifier="live", AuthType="NONE")


def a_queue_is_drained_and_a_bad_message_ends_in_the_dead_letters():
    dead = sqs.create_queue(QueueName="dead")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=dead, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    redrive = json.dumps({"deadLetterTargetArn": arn, "maxReceiveCount": 2})
    queue = sqs.create_queue(QueueName="orders", Attributes={"VisibilityTimeout": "1", "RedrivePolicy": redrive})["QueueUrl"]
    source = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    create("ship", "ship", Timeout=1)
    mapping = functions.create_event_source_mapping(FunctionName="ship", EventSourceArn=source, FunctionResponseTypes=["ReportBatchItemFailures"])
    assert mapping["State"] == "Creating", mapping
    with refused("ResourceConflictException"):
        functions.create_event_source_mapping(FunctionName="ship", EventSourceArn=source)
    eventually(lambda: functions.get_event_source_mapping(UUID=mapping["UUID"])["State"] == "Enabled", "the mapping is enabled")
    entries = [{"Id": str(index), "MessageBody": json.dumps(order)} for index, order in enumerate([ORDER, EMPTY])]
    assert len(sqs.send_message_batch(QueueUrl=queue, Entries=entries)["Successful"]) == 2
    found = eventually(lambda: sqs.receive_message(QueueUrl=dead, WaitTimeSeconds=1, AttributeNames=["All"]).get("Messages"), "a dead letter")
    assert [json.loads(it["Body"]) for it in found] == [EMPTY], found
    sqs.delete_message(QueueUrl=dead, ReceiptHandle=found[0]["ReceiptHandle"])
    logged("ship", "shipped", "there is nothing to ship")
    counts = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["All"])["Attributes"]
    assert (counts["ApproximateNumberOfMessages"], counts["ApproximateNumberOfMessagesNotVisible"]) == ("0", "0"), counts
    listed = functions.list_event_source_mappings(FunctionName="ship", EventSourceArn=source)["EventSourceMappings"]
    assert [it["UUID"] for it in listed] == [mapping["UUID"]]
    functions.delete_event_source_mapping(UUID=mapping["UUID"])


def a_first_in_first_out_queue_keeps_its_order():
    queue = sqs.create_queue(QueueName="line.fifo", Attributes={"FifoQueue": "true", "ContentBasedDeduplication": "true"})["QueueUrl"]
    for body in ["a", "a", "b"]:
        sqs.send_message(QueueUrl=queue, MessageBody=body, MessageGroupId="g", MessageAttributes={"n": {"DataType": "String", "StringValue": "v"}})
    first = sqs.receive_message(QueueUrl=queue)["Messages"]
    assert [it["Body"] for it in first] == ["a"]
    assert "Messages" not in sqs.receive_message(QueueUrl=queue), "the group is not held back"
    sqs.delete_message(QueueUrl=queue, ReceiptHandle=first[0]["ReceiptHandle"])
    assert [it["Body"] for it in sqs.receive_message(QueueUrl=queue)["Messages"]] == ["b"]


def an_event_that_fails_is_retried_and_then_told_of():
    queue = sqs.create_queue(QueueName="failures")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    functions.put_function_event_invoke_config(FunctionName="create", MaximumRetryAttempts=1, DestinationConfig={"OnFailure": {"Destination": arn}})
    sent = functions.invoke(FunctionName="create", InvocationType="Event", Payload=b'{"Records": []}')
    assert sent["StatusCode"] == 202, sent
    found = eventually(lambda: sqs.receive_message(QueueUrl=queue, WaitTimeSeconds=1).get("Messages"), "a record of the failure")
    record = json.loads(found[0]["Body"])
    assert record["requestContext"]["condition"] == "RetriesExhausted", record
    assert record["requestContext"]["approximateInvokeCount"] == 2, record
    assert record["requestPayload"] == {"Records": []}, record


def objects_are_stored_listed_and_told_of():
    s3.create_bucket(Bucket="uploads")
    assert s3.get_bucket_location(Bucket="uploads")["LocationConstraint"] is None
    s3.put_object(Bucket="uploads", Key="a b/é.txt", Body=b"hello", ContentType="text/plain", Metadata={"who": "me"})
    got = s3.get_object(Bucket="uploads", Key="a b/é.txt")
    assert (got["Body"].read(), got["ContentType"], got["Metadata"]) == (b"hello", "text/plain", {"who": "me"})
    for key in ["x/1", "x/2", "y"]:
        s3.put_object(Bucket="uploads", Key=key, Body=b"")
    listed = s3.list_objects_v2(Bucket="uploads", Delimiter="/", MaxKeys=2)
    assert ([it["Prefix"] for it in listed["CommonPrefixes"]], listed["IsTruncated"]) == (["a b/", "x/"], True), listed
    rest = s3.list_objects_v2(Bucket="uploads", Delimiter="/", ContinuationToken=listed["NextContinuationToken"])
    assert [it["Key"] for it in rest["Contents"]] == ["y"], rest
    big = b"z" * (6 * 1024 * 1024)
    upload = s3.create_multipart_upload(Bucket="uploads", Key="big")["UploadId"]
    parts = [{"PartNumber": number, "ETag": s3.upload_part(Bucket="uploads", Key="big", UploadId=upload, PartNumber=number, Body=body)["ETag"]} for number, body in [(1, big), (2, b"end")]]
    s3.complete_multipart_upload(Bucket="uploads", Key="big", UploadId=upload, MultipartUpload={"Parts": parts})
    assert s3.head_object(Bucket="uploads", Key="big")["ContentLength"] == len(big) + 3
    with refused("NoSuchKey"):
        s3.get_object(Bucket="uploads", Key="gone")
    with refused("BucketNotEmpty"):
        s3.delete_bucket(Bucket="uploads")

    arn = create("told", "report")
    wanted = {"LambdaFunctionConfigurations": [{"Id": "told", "LambdaFunctionArn": arn, "Events": ["s3:ObjectCreated:*"], "Filter": {"Key": {"FilterRules": [{"Name": "prefix", "Value": "in/"}]}}}]}
    with refused("InvalidArgument"):
        s3.put_bucket_notification_configuration(Bucket="uploads", NotificationConfiguration=wanted)
    functions.add_permission(FunctionName="told", StatementId="s3", Action="lambda:InvokeFunction", Principal="s3.amazonaws.com", SourceArn="arn:aws:s3:::uploads", SourceAccount="000000000000")
    s3.put_bucket_notification_configuration(Bucket="uploads", NotificationConfiguration=wanted)
    assert s3.get_bucket_notification_configuration(Bucket="uploads")["LambdaFunctionConfigurations"] == wanted["LambdaFunctionConfigurations"]
    s3.put_object(Bucket="uploads", Key="out/1", Body=b"")
    s3.put_object(Bucket="uploads", Key="in/1", Body=b"")
    # A function of timers refuses what is no timer, in words that name what it got.
    logged("told", "START RequestId", "END RequestId")
    s3.put_bucket_notification_configuration(Bucket="uploads", NotificationConfiguration={})


def code_comes_from_a_bucket():
    s3.put_object(Bucket="uploads", Key="code.zip", Body=ARCHIVE)
    functions.update_function_code(FunctionName="create", S3Bucket="uploads", S3Key="code.zip")
    updated("create")


def rules_and_schedules_fire():
    target = create("report", "report")
    with refused("ValidationException"):
        events.put_rule(Name="nightly", ScheduleExpression="cron(0 5 * * * *)")
    rule = events.put_rule(Name="shipped", EventPattern=json.dumps({"source": ["shop"], "detail": {"kind": [{"prefix": "bo"}]}}))["RuleArn"]
    bad = events.put_targets(Rule="shipped", Targets=[{"Id": "1", "Arn": target + "-gone"}])
    assert bad["FailedEntryCount"] == 1, bad
    scheduled = json.dumps({"version": "0", "id": "1", "detail-type": "Scheduled Event", "source": "aws.events", "account": "1", "time": "2026-03-04T05:00:00Z", "region": "us-east-1", "resources": ["arn:aws:events:us-east-1:1:rule/from-a-pattern"], "detail": {}})
    assert events.put_targets(Rule="shipped", Targets=[{"Id": "1", "Arn": target, "Input": scheduled}])["FailedEntryCount"] == 0
    functions.add_permission(FunctionName="report", StatementId="rule", Action="lambda:InvokeFunction", Principal="events.amazonaws.com", SourceArn=rule)
    put = events.put_events(Entries=[{"Source": "shop", "DetailType": "Shipped", "Detail": json.dumps({"kind": "book"})}, {"Source": "shop", "DetailType": "Shipped", "Detail": "{"}])
    assert put["FailedEntryCount"] == 1, put
    logged("report", "from-a-pattern")
    assert events.list_rule_names_by_target(TargetArn=target)["RuleNames"] == ["shipped"]
    with refused("ValidationException"):
        events.delete_rule(Name="shipped")
    events.remove_targets(Rule="shipped", Ids=["1"])
    events.delete_rule(Name="shipped")

    scheduler.create_schedule_group(Name="shop")
    soon = time.strftime("at(%Y-%m-%dT%H:%M:%S)", time.gmtime(time.time() + 2))
    given = {"GroupName": "shop", "FlexibleTimeWindow": {"Mode": "OFF"}, "Target": {"Arn": target, "RoleArn": ROLE}}
    with refused("ValidationException"):
        scheduler.create_schedule(Name="soon", ScheduleExpression="at(soon)", **given)
    with refused("ValidationException"):
        scheduler.create_schedule(Name="soon", ScheduleExpression=soon, ScheduleExpressionTimezone="Mars/Olympus", **given)
    scheduler.create_schedule(Name="soon", ScheduleExpression=soon, ActionAfterCompletion="DELETE", **given)
    with refused("ConflictException"):
        scheduler.create_schedule(Name="soon", ScheduleExpression=soon, **given)
    logged("report", "soon")

    def gone():
        try:
            scheduler.get_schedule(GroupName="shop", Name="soon")
        except scheduler.exceptions.ResourceNotFoundException:
            return True

    eventually(gone, "the schedule is deleted")


def a_topic_tells_functions_and_queues():
    topic = sns.create_topic(Name="news")["TopicArn"]
    arn = functions.get_function(FunctionName="ship")["Configuration"]["FunctionArn"]
    functions.add_permission(FunctionName="ship", StatementId="sns", Action="lambda:InvokeFunction", Principal="sns.amazonaws.com", SourceArn=topic)
    sns.subscribe(TopicArn=topic, Protocol="lambda", Endpoint=arn)
    queue = sqs.create_queue(QueueName="news")["QueueUrl"]
    queue_arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=queue_arn, Attributes={"RawMessageDelivery": "true"})
    assert len(sns.list_subscriptions_by_topic(TopicArn=topic)["Subscriptions"]) == 2
    sns.publish(TopicArn=topic, Message=json.dumps({**ORDER, "id": 4711}))
    logged("ship", "4711")
    found = sqs.receive_message(QueueUrl=queue, WaitTimeSeconds=5)["Messages"]
    assert json.loads(found[0]["Body"])["id"] == 4711, found
    sqs.delete_message(QueueUrl=queue, ReceiptHandle=found[0]["ReceiptHandle"])

    there = next(it["SubscriptionArn"] for it in sns.list_subscriptions_by_topic(TopicArn=topic)["Subscriptions"] if it["Protocol"] == "sqs")
    change = lambda name, value: sns.set_subscription_attributes(SubscriptionArn=there, AttributeName=name, AttributeValue=value)
    with refused("InvalidParameter"):
        change("FilterPolicy", json.dumps({"buyer": {"name": ["Ada"]}}))
    with refused("InvalidParameter"):
        change("RedrivePolicy", "")
    change("FilterPolicy", json.dumps({"kind": ["book"], "count": [{"numeric": [">=", 2]}]}))
    change("RedrivePolicy", json.dumps({"deadLetterTargetArn": queue_arn}))
    kept = sns.get_subscription_attributes(SubscriptionArn=there)["Attributes"]
    assert json.loads(kept["FilterPolicy"])["kind"] == ["book"] and json.loads(kept["RedrivePolicy"])["deadLetterTargetArn"] == queue_arn, kept

    def told(messages):
        for message in messages:
            given = {name: {"DataType": kind, "StringValue": value} for name, (kind, value) in message.get("given", {}).items()}
            sns.publish(TopicArn=topic, Message=json.dumps({**ORDER, **message}), MessageAttributes=given)
        found = sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10, WaitTimeSeconds=2)["Messages"]
        for it in found:
            sqs.delete_message(QueueUrl=queue, ReceiptHandle=it["ReceiptHandle"])
        return [json.loads(it["Body"])["id"] for it in found]

    book = {"kind": ("String", "book")}
    assert told([{"id": 1}, {"id": 2, "given": {**book, "count": ("Number", "1")}}, {"id": 3, "given": {**book, "count": ("Number", "2")}}]) == [3]
    change("FilterPolicyScope", "MessageBody")
    change("FilterPolicy", json.dumps({"buyer": {"name": [{"prefix": "A"}]}}))
    assert told([{"id": 4, "buyer": {"name": "Bob"}}, {"id": 5, "buyer": {"name": "Ada"}}]) == [5]


def secrets_are_made_read_changed_and_deleted():
    secrets = client("secretsmanager")
    made = secrets.create_secret(Name="orders-db-url", SecretString="one")
    with refused("ResourceExistsException"):
        secrets.create_secret(Name="orders-db-url", SecretString="one")
    for id in ["orders-db-url", made["ARN"], made["ARN"].rpartition("-")[0]]:
        assert secrets.describe_secret(SecretId=id)["Name"] == "orders-db-url"
        assert secrets.get_secret_value(SecretId=id)["SecretString"] == "one"
    secrets.put_secret_value(SecretId="orders-db-url", SecretBinary=b"two")
    found = secrets.get_secret_value(SecretId="orders-db-url")
    assert found["SecretBinary"] == b"two" and "SecretString" not in found, found
    secrets.delete_secret(SecretId="orders-db-url")
    assert "DeletedDate" in secrets.describe_secret(SecretId="orders-db-url")
    with refused("InvalidRequestException"):
        secrets.get_secret_value(SecretId="orders-db-url")
    secrets.delete_secret(SecretId="orders-db-url", ForceDeleteWithoutRecovery=True)
    with refused("ResourceNotFoundException"):
        secrets.describe_secret(SecretId="orders-db-url")


def concurrency_and_tags_are_kept():
    functions.put_function_concurrency(FunctionName="create", ReservedConcurrentExecutions=0)
    with refused("TooManyRequestsException"):
        functions.invoke(FunctionName="create", Payload=b"{}")
    functions.delete_function_concurrency(FunctionName="create")
    functions.put_provisioned_concurrency_config(FunctionName="create", Qualifier="live", ProvisionedConcurrentExecutions=1)
    eventually(lambda: functions.get_provisioned_concurrency_config(FunctionName="create", Qualifier="live")["Status"] == "READY", "it is ready")
    arn = functions.get_function(FunctionName="create")["Configuration"]["FunctionArn"]
    functions.tag_resource(Resource=arn, Tags={"a": "1", "b": "2"})
    functions.untag_resource(Resource=arn, TagKeys=["a"])
    assert functions.list_tags(Resource=arn)["Tags"] == {"b": "2"}
    logs.put_retention_policy(logGroupName="/aws/lambda/create", retentionInDays=14)
    group = logs.describe_log_groups(logGroupNamePrefix="/aws/lambda/create")["logGroups"][0]
    assert group["retentionInDays"] == 14, group


def the_command_line_invokes():
    command = [sys.executable, "-m", "awscli", "--endpoint-url", ENDPOINT, "lambda", "invoke", "--function-name", "create", "--payload", "{}", "/dev/stdout"]
    environment = {"AWS_ACCESS_KEY_ID": "local", "AWS_SECRET_ACCESS_KEY": "local", "AWS_DEFAULT_REGION": "us-east-1", "PATH": "/usr/bin:/bin", "PYTHONPATH": ":".join(sys.path)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0 and '"StatusCode": 200' in done.stdout, done


def everything_can_be_removed():
    functions.delete_function(FunctionName="create")
    with refused("ResourceNotFoundException"):
        functions.get_function(FunctionName="create")
    names = [it["FunctionName"] for page in functions.get_paginator("list_functions").paginate(PaginationConfig={"PageSize": 1}) for it in page["Functions"]]
    assert names == ["report", "ship", "told"], names


CHECKS = [
    the_caller_is_known,
    a_role_is_made_changed_and_guarded,
    a_function_is_created_and_invoked,
    what_is_not_valid_is_refused,
    updates_take_their_turn_and_know_revisions,
    versions_and_weights,
    a_url_answers_whom_it_may,
    a_queue_is_drained_and_a_bad_message_ends_in_the_dead_letters,
    a_first_in_first_out_queue_keeps_its_order,
    an_event_that_fails_is_retried_and_then_told_of,
    objects_are_stored_listed_and_told_of,
    code_comes_from_a_bucket,
    rules_and_schedules_fire,
    a_topic_tells_functions_and_queues,
    secrets_are_made_read_changed_and_deleted,
    concurrency_and_tags_are_kept,
    the_command_line_invokes,
    everything_can_be_removed,
]

failed = 0
for check in CHECKS:
    name = check.__name__.replace("_", " ")
    try:
        check()
        print(f"ok {name}", flush=True)
    except Exception:
        failed += 1
        print(f"FAILED {name}\n{traceback.format_exc()}", flush=True)
sys.exit(1 if failed else 0)
