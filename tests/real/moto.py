"""Looks with boto3 at what `aws_counterpart ... deploy` has left on a moto server, or whether anything is left.

    python moto.py http://127.0.0.1:5000 deployed|removed

Prints a line for each check; ends with 1 when one fails.
"""

import json
import sys

import boto3

ACCOUNT, REGION = "123456789012", "eu-west-1"
FUNCTIONS = ["orders", "create", "report", "resize", "audit", "plain"]


class Cloud:
    def __init__(self, endpoint):
        self.endpoint = endpoint

    def __getattr__(self, service):
        return self.client(service)

    def client(self, service):
        return boto3.client(service, endpoint_url=self.endpoint, region_name=REGION,
                            aws_access_key_id="test", aws_secret_access_key="test")


def arn(service, resource):
    return f"arn:aws:{service}:{REGION}:{ACCOUNT}:{resource}"


def live(function):
    return arn("lambda", f"function:shop-test-{function}:live")


def equal(found, wanted):
    assert found == wanted, f"{found!r} is not {wanted!r}"


def functions(cloud):
    names = sorted(f["FunctionName"] for f in cloud.client("lambda").list_functions()["Functions"])
    equal(names, sorted(f"shop-test-{name}" for name in FUNCTIONS))


def settings(cloud):
    function = cloud.client("lambda").get_function(FunctionName="shop-test-orders")
    found = function["Configuration"]
    equal((found["Runtime"], found["Handler"], found["Architectures"]), ("provided.al2023", "bootstrap", ["x86_64"]))
    equal((found["MemorySize"], found["Timeout"], found["Description"]), (512, 30, "ships orders"))
    environment = found["Environment"]["Variables"]
    equal(environment["RUST_LOG"], "info")
    sources = sorted(environment["OMNIFN_PARTIAL_BATCH"].split(","))
    equal(sources, [arn("kinesis", "stream/clicks"), arn("sqs", "orders")])
    equal(found["TracingConfig"]["Mode"], "Active")
    ours = {"omnifn-app": "shop", "omnifn-stage": "test", "omnifn-function": "orders", "team": "shop"}
    equal(function["Tags"], ours)
    equal(function["Concurrency"]["ReservedConcurrentExecutions"], 5)


def role(cloud):
    found = cloud.iam.get_role(RoleName="shop-test-orders")["Role"]
    trusted = found["AssumeRolePolicyDocument"]["Statement"]
    equal([statement["Principal"] for statement in trusted], [{"Service": "lambda.amazonaws.com"}])
    policy = cloud.iam.get_role_policy(RoleName="shop-test-orders", PolicyName="omnifn")["PolicyDocument"]
    allowed = {statement["Sid"]: statement for statement in policy["Statement"]}
    equal(len(allowed), len(policy["Statement"]))
    equal(allowed["Logs"]["Resource"], [arn("logs", "log-group:/aws/lambda/shop-test-orders:*")])
    equal(allowed["Triggerorders"]["Resource"], [arn("sqs", "orders")])
    everything = sorted(sid for sid, statement in allowed.items() if statement["Resource"] == ["*"])
    equal(everything, ["KinesisStreams", "Tracing"])


def alias(cloud):
    client = cloud.client("lambda")
    for name in FUNCTIONS:
        found = client.get_alias(FunctionName=f"shop-test-{name}", Name="live")
        weights = found.get("RoutingConfig", {}).get("AdditionalVersionWeights", {})
        equal((found["FunctionVersion"], weights), ("1", {}))


def mappings(cloud):
    client = cloud.client("lambda")
    found = client.list_event_source_mappings(FunctionName=live("orders"))["EventSourceMappings"]
    found = {mapping["EventSourceArn"]: mapping for mapping in found}
    queue, stream = found.pop(arn("sqs", "orders")), found.pop(arn("kinesis", "stream/clicks"))
    equal(found, {})
    equal((queue["BatchSize"], queue["MaximumBatchingWindowInSeconds"]), (100, 5))
    equal(queue["FunctionResponseTypes"], ["ReportBatchItemFailures"])
    equal(stream["FunctionResponseTypes"], ["ReportBatchItemFailures"])


def statements(cloud):
    found = {}
    for name in FUNCTIONS:
        try:
            policy = cloud.client("lambda").get_policy(FunctionName=f"shop-test-{name}", Qualifier="live")
        except cloud.client("lambda").exceptions.ResourceNotFoundException:
            continue
        for statement in json.loads(policy["Policy"])["Statement"]:
            equal(statement["Resource"], live(name))
            found.setdefault(name, []).append(statement["Sid"])
    found = {name: sorted(sids) for name, sids in found.items()}
    equal(found, {"orders": ["omnifn-t-returns"], "create": ["omnifn-url", "omnifn-url-invoke"],
                  "resize": ["omnifn-t-photos"], "audit": ["omnifn-t-shop"]})


def subscription(cloud):
    found = cloud.sns.list_subscriptions_by_topic(TopicArn=arn("sns", "returns"))["Subscriptions"]
    equal([(one["Protocol"], one["Endpoint"]) for one in found], [("lambda", live("orders"))])
    attributes = cloud.sns.get_subscription_attributes(SubscriptionArn=found[0]["SubscriptionArn"])["Attributes"]
    equal(json.loads(attributes["FilterPolicy"]), {"kind": ["book"]})


def url(cloud):
    found = cloud.client("lambda").get_function_url_config(FunctionName="shop-test-create", Qualifier="live")
    equal((found["AuthType"], found["Cors"]["AllowOrigins"]), ("NONE", ["https://example.com"]))


def schedule(cloud):
    found = cloud.scheduler.get_schedule(Name="shop-test-report-nightly")
    equal((found["ScheduleExpression"], found["ScheduleExpressionTimezone"]), ("cron(30 2 ? * MON-FRI *)", "Europe/Berlin"))
    target = found["Target"]
    equal((target["Arn"], json.loads(target["Input"])["detail"]), (live("report"), {"a": 1}))
    policy = cloud.iam.get_role_policy(RoleName=target["RoleArn"].rpartition("/")[2], PolicyName="omnifn")
    allowed = policy["PolicyDocument"]["Statement"]
    equal([(one["Action"], one["Resource"]) for one in allowed], [(["lambda:InvokeFunction"], [live("report")])])


def notifications(cloud):
    found = cloud.s3.get_bucket_notification_configuration(Bucket="photos")
    equal([one["Id"] for one in found["QueueConfigurations"]], ["other"])
    (ours,) = found["LambdaFunctionConfigurations"]
    equal((ours["Id"], ours["LambdaFunctionArn"]), ("shop-test-resize-photos", live("resize")))
    equal(sorted(ours["Events"]), ["s3:LifecycleExpiration:Delete", "s3:ObjectCreated:*", "s3:ObjectRemoved:Delete"])


def rule(cloud):
    found = cloud.events.describe_rule(Name="shop-test-audit-shop")
    equal(json.loads(found["EventPattern"]), {"source": ["shop"]})
    targets = cloud.events.list_targets_by_rule(Rule="shop-test-audit-shop")["Targets"]
    equal([target["Arn"] for target in targets], [live("audit")])


def logs(cloud):
    found = cloud.logs.describe_log_groups(logGroupNamePrefix="/aws/lambda/shop-test-")["logGroups"]
    equal({group["logGroupName"]: group["retentionInDays"] for group in found},
          {f"/aws/lambda/shop-test-{name}": 14 for name in FUNCTIONS})


def nothing(cloud):
    equal(cloud.client("lambda").list_functions()["Functions"], [])
    equal(cloud.client("lambda").list_event_source_mappings()["EventSourceMappings"], [])
    equal(cloud.iam.list_roles()["Roles"], [])
    equal(cloud.logs.describe_log_groups()["logGroups"], [])
    equal(cloud.scheduler.list_schedules()["Schedules"], [])
    equal(cloud.events.list_rules()["Rules"], [])
    equal(cloud.sns.list_subscriptions()["Subscriptions"], [])


def others_stay(cloud):
    found = cloud.s3.get_bucket_notification_configuration(Bucket="photos")
    equal([one["Id"] for one in found["QueueConfigurations"]], ["other"])
    equal(found.get("LambdaFunctionConfigurations", []), [])


CHECKS = {
    "deployed": [functions, settings, role, alias, mappings, statements, subscription, url, schedule, notifications, rule, logs],
    "removed": [nothing, others_stay],
}


def main():
    cloud, failed = Cloud(sys.argv[1]), 0
    for check in CHECKS[sys.argv[2]]:
        try:
            check(cloud)
            print(f"ok boto3 {sys.argv[2]}: {check.__name__.replace('_', ' ')}")
        except Exception as error:  # whichever it is, the other checks still tell something
            failed += 1
            print(f"FAILED boto3 {sys.argv[2]}: {check.__name__}: {error!r}")
    sys.exit(1 if failed else 0)


main()
