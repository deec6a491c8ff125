"""Google's own clients against the local control plane of Google Cloud.

    python gcp_api.py SERVER ARCHIVE FOLDER

SERVER is the example `gcp_api` of omnifn-local, ARCHIVE a tar.gz that `cargo omnifn build -p hello --provider gcp` made. Uploads
it by google-cloud-storage, deploys it by google-cloud-run, and goes on with google-api-python-client, whose discovery documents
every answer is checked against: no field that Google does not have. One line `ok NAME` per check.
"""

import json
import pathlib
import subprocess
import sys
import time
import traceback
import urllib.error
import urllib.request

import googleapiclient
import googleapiclient.discovery
import googleapiclient.errors
import google.api_core.exceptions
import google_auth_httplib2
import httplib2
from google.api_core.client_options import ClientOptions
from google.cloud import run_v2, storage
from google.oauth2.credentials import Credentials

PARENT = "projects/local/locations/europe-west1"
CREDENTIALS = Credentials(token="local")


def check(condition, what):
    if not condition:
        raise AssertionError(what)


class Schemas:
    """What a discovery document says of an answer."""

    def __init__(self, api, version):
        folder = pathlib.Path(googleapiclient.__file__).parent / "discovery_cache" / "documents"
        self.document = json.loads((folder / f"{api}.{version}.json").read_text())
        self.schemas = self.document["schemas"]

    def verify(self, name, value, place="$"):
        self.object(self.schemas[name], value, f"{name} {place}")

    def object(self, schema, value, place):
        check(isinstance(value, dict), f"{place} is no object")
        fields = schema.get("properties", {})
        for key, field in value.items():
            if key.startswith("@"):
                continue
            if key in fields:
                self.value(fields[key], field, f"{place}.{key}")
            elif "additionalProperties" in schema:
                self.value(schema["additionalProperties"], field, f"{place}[{key}]")
            else:
                raise AssertionError(f"Google has no {place}.{key}")

    def value(self, schema, value, place):
        if "$ref" in schema:
            return self.object(self.schemas[schema["$ref"]], value, place)
        kind = schema.get("type")
        if kind == "array":
            check(isinstance(value, list), f"{place} is no list")
            for index, item in enumerate(value):
                self.value(schema["items"], item, f"{place}[{index}]")
        elif kind == "object":
            if "properties" in schema or "additionalProperties" in schema:
                self.object(schema, value, place)
        elif kind == "string":
            check(isinstance(value, str), f"{place} is {value!r}, no text")
            if schema.get("format") in ("int64", "uint64"):
                int(value)
            if "enum" in schema:
                check(value in schema["enum"], f"{place} is {value}, which is not among {schema['enum']}")
        elif kind == "boolean":
            check(isinstance(value, bool), f"{place} is {value!r}, no boolean")
        elif kind in ("integer", "number"):
            check(isinstance(value, (int, float)) and not isinstance(value, bool), f"{place} is {value!r}, no number")


class Cloud:
    def __init__(self, endpoint):
        self.endpoint = endpoint
        self.schemas = {}

    def api(self, name, version):
        """Google's generic client, which reads the same documents."""
        # The path of a service is part of its endpoint.
        path = "/storage/v1/" if name == "storage" else "/"
        return googleapiclient.discovery.build(
            name, version, http=google_auth_httplib2.AuthorizedHttp(CREDENTIALS, httplib2.Http(timeout=60)),
            client_options=ClientOptions(api_endpoint=self.endpoint + path), static_discovery=True, cache_discovery=False)

    def verified(self, api, version, message, request):
        answer = request.execute()
        schemas = self.schemas.setdefault((api, version), Schemas(api, version))
        schemas.verify(message, answer)
        return answer

    def finished(self, version, operation):
        deadline = time.time() + 60
        while not operation.get("done"):
            check(time.time() < deadline, f"{operation} does not end")
            time.sleep(0.05)
            request = urllib.request.Request(f"{self.endpoint}/{version}/{operation['name']}", headers={"authorization": "Bearer local"})
            operation = json.load(urllib.request.urlopen(request))
        check("error" not in operation, operation)
        return operation["response"]


def get(url, token="local"):
    request = urllib.request.Request(url, headers={"authorization": f"Bearer {token}"} if token else {})
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def storage_client(cloud, archive, state):
    client = storage.Client(project="local", credentials=CREDENTIALS, client_options={"api_endpoint": cloud.endpoint})
    bucket = client.bucket("run-sources-local")
    bucket.iam_configuration.uniform_bucket_level_access_enabled = True
    bucket.add_lifecycle_delete_rule(age=30)
    bucket = client.create_bucket(bucket, location="europe-west1")
    check(bucket.iam_configuration.uniform_bucket_level_access_enabled, "uniform access is lost")
    check(str(bucket.project_number) == "123456789012", bucket.project_number)
    blob = bucket.blob("services/hello/source.tar.gz")
    # In pieces, since it is large; the client compares the checksums.
    blob.upload_from_filename(archive, content_type="application/gzip", if_generation_match=0, checksum="crc32c")
    try:
        bucket.blob(blob.name).upload_from_string(b"x", if_generation_match=0)
        raise AssertionError("a second upload is taken")
    except google.api_core.exceptions.PreconditionFailed:
        pass
    check(blob.download_as_bytes(checksum="md5") == pathlib.Path(archive).read_bytes(), "other bytes come back")
    state["source"] = (bucket.name, blob.name, blob.generation)
    api = cloud.api("storage", "v1")
    cloud.verified("storage", "v1", "Bucket", api.buckets().get(bucket=bucket.name))
    cloud.verified("storage", "v1", "Objects", api.objects().list(bucket=bucket.name))


def wanted(state, revision):
    bucket, name, generation = state["source"]
    container = run_v2.Container(
        name="worker", image="scratch", command=["./bootstrap"],
        base_image_uri="europe-west1-docker.pkg.dev/serverless-runtimes/google-24/runtimes/osonly24",
        source_code=run_v2.SourceCode(cloud_storage_source=run_v2.SourceCode.CloudStorageSource(bucket=bucket, object_=name, generation=generation)),
        resources=run_v2.ResourceRequirements(limits={"cpu": "1", "memory": "256Mi"}, cpu_idle=True),
        env=[run_v2.EnvVar(name="GREETING", value=revision)])
    return run_v2.Service(
        name=f"{PARENT}/services/hello", invoker_iam_disabled=False, ingress=run_v2.IngressTraffic.INGRESS_TRAFFIC_ALL,
        template=run_v2.RevisionTemplate(revision=revision, containers=[container], max_instance_request_concurrency=80))


def run_client(cloud, archive, state):
    options = ClientOptions(api_endpoint=cloud.endpoint)
    services = run_v2.ServicesClient(transport="rest", credentials=CREDENTIALS, client_options=options)
    first = services.create_service(parent=PARENT, service_id="hello", service=without_name(wanted(state, "hello-one"))).result(timeout=60)
    check(first.terminal_condition.state == run_v2.Condition.State.CONDITION_SUCCEEDED, first.terminal_condition)
    check(get(f"{first.uri}/x", token=None)[0] == 403, "it is public")
    check(get(f"{first.uri}/x") == (200, "hello from /x\n"), get(f"{first.uri}/x"))

    def target(name, percent, tag=""):
        kind = run_v2.TrafficTargetAllocationType.TRAFFIC_TARGET_ALLOCATION_TYPE_REVISION
        return run_v2.TrafficTarget(type_=kind, revision=name, percent=percent, tag=tag)

    second = wanted(state, "hello-two")
    second.traffic = [target("hello-one", 100), target("hello-two", 0, "candidate")]
    mask = {"paths": ["template", "traffic"]}
    canary = services.update_service(request={"service": second, "update_mask": mask}).result(timeout=60)
    tagged = [status for status in canary.traffic_statuses if status.tag == "candidate"]
    check(get(f"{tagged[0].uri}/tag") == (200, "hello from /tag\n"), "the tag does not answer")
    moved = run_v2.Service(name=canary.name, traffic=[target("hello-one", 50), target("hello-two", 50)])
    services.update_service(request={"service": moved, "update_mask": {"paths": ["traffic"]}}).result(timeout=60)
    back = run_v2.Service(name=canary.name, traffic=[target("hello-one", 100)])
    rolled = services.update_service(request={"service": back, "update_mask": {"paths": ["traffic"]}}).result(timeout=60)
    check([status.revision for status in rolled.traffic_statuses] == ["hello-one"], rolled.traffic_statuses)
    check(rolled.latest_ready_revision.endswith("/hello-two"), rolled.latest_ready_revision)
    stale = run_v2.Service(name=canary.name, etag=first.etag, labels={"a": "b"})
    try:
        services.update_service(request={"service": stale, "update_mask": {"paths": ["labels"]}})
        raise AssertionError("a stale etag is taken")
    except google.api_core.exceptions.Conflict:
        pass
    revisions = run_v2.RevisionsClient(transport="rest", credentials=CREDENTIALS, client_options=options)
    check(len(list(revisions.list_revisions(parent=canary.name))) == 2, "there are not two revisions")
    state["uri"] = first.uri


def without_name(service):
    service.name = ""
    return service


def run_documents(cloud, archive, state):
    api = cloud.api("run", "v2").projects().locations()
    name = f"{PARENT}/services/hello"
    verified = lambda message, request: cloud.verified("run", "v2", message, request)
    verified("GoogleCloudRunV2Service", api.services().get(name=name))
    verified("GoogleCloudRunV2ListServicesResponse", api.services().list(parent=PARENT))
    verified("GoogleCloudRunV2ListRevisionsResponse", api.services().revisions().list(parent=name))
    policy = verified("GoogleIamV1Policy", api.services().getIamPolicy(resource=name))
    policy["bindings"] = [{"role": "roles/run.invoker", "members": ["allUsers"]}]
    verified("GoogleIamV1Policy", api.services().setIamPolicy(resource=name, body={"policy": policy}))
    check(get(f"{state['uri']}/public", token=None) == (200, "hello from /public\n"), "it is not public")
    operation = verified("GoogleLongrunningOperation", api.services().patch(name=name, updateMask="labels", body={"labels": {"by": "python"}}))
    schemas = cloud.schemas["run", "v2"]
    schemas.verify("GoogleCloudRunV2Service", operation["metadata"])
    schemas.verify("GoogleCloudRunV2Service", cloud.finished("v2", operation))


def events(cloud, archive, state):
    pubsub = cloud.api("pubsub", "v1").projects()
    topic = "projects/local/topics/orders"
    cloud.verified("pubsub", "v1", "Topic", pubsub.topics().create(name=topic, body={}))
    push = {"topic": topic, "pushConfig": {"pushEndpoint": f"{state['uri']}/push"}, "ackDeadlineSeconds": 30}
    cloud.verified("pubsub", "v1", "Subscription", pubsub.subscriptions().create(name="projects/local/subscriptions/push", body=push))
    iam = cloud.api("iam", "v1").projects()
    account = cloud.verified("iam", "v1", "ServiceAccount", iam.serviceAccounts().create(name="projects/local", body={"accountId": "events"}))
    triggers = cloud.api("eventarc", "v1").projects().locations().triggers()
    trigger = {
        "eventFilters": [{"attribute": "type", "value": "google.cloud.pubsub.topic.v1.messagePublished"}],
        "destination": {"cloudRun": {"service": "hello", "region": "europe-west1", "path": "/event"}},
        "serviceAccount": account["email"], "transport": {"pubsub": {"topic": topic}},
    }
    operation = cloud.verified("eventarc", "v1", "GoogleLongrunningOperation", triggers.create(parent=PARENT, triggerId="orders", body=trigger))
    cloud.finished("v1", operation)
    cloud.verified("eventarc", "v1", "Trigger", triggers.get(name=f"{PARENT}/triggers/orders"))
    body = {"messages": [{"data": "aGVsbG8=", "attributes": {"kind": "test"}}]}
    published = cloud.verified("pubsub", "v1", "PublishResponse", pubsub.topics().publish(topic=topic, body=body))
    check(len(published["messageIds"]) == 1, published)
    # Both were acknowledged: nothing is on its way any more.
    waiting = pathlib.Path(sys.argv[3]) / "state" / "resources"
    deadline = time.time() + 20
    while any('"name":"delivery/' in file.read_text() for file in waiting.glob("*.json") if file.exists()):
        check(time.time() < deadline, "a message is never acknowledged")
        time.sleep(0.05)
    scheduler = cloud.api("cloudscheduler", "v1").projects().locations().jobs()
    job = {"name": f"{PARENT}/jobs/nightly", "schedule": "0 3 * * *", "timeZone": "Europe/Berlin", "httpTarget": {"uri": f"{state['uri']}/job"}}
    cloud.verified("cloudscheduler", "v1", "Job", scheduler.create(parent=PARENT, body=job))
    cloud.verified("cloudscheduler", "v1", "Job", scheduler.run(name=job["name"], body={}))


def others(cloud, archive, state):
    projects = cloud.api("cloudresourcemanager", "v3").projects()
    cloud.verified("cloudresourcemanager", "v3", "Project", projects.get(name="projects/local"))
    cloud.verified("cloudresourcemanager", "v3", "Policy", projects.getIamPolicy(resource="projects/local", body={}))
    secrets = cloud.api("secretmanager", "v1").projects().secrets()
    cloud.verified("secretmanager", "v1", "Secret", secrets.create(parent="projects/local", secretId="key", body={"replication": {"automatic": {}}}))
    cloud.verified("secretmanager", "v1", "SecretVersion", secrets.addVersion(parent="projects/local/secrets/key", body={"payload": {"data": "eA=="}}))
    cloud.verified("secretmanager", "v1", "SecretVersion", secrets.versions().get(name="projects/local/secrets/key/versions/latest"))
    repositories = cloud.api("artifactregistry", "v1").projects().locations().repositories()
    operation = cloud.verified("artifactregistry", "v1", "Operation", repositories.create(parent=PARENT, repositoryId="apps", body={"format": "DOCKER"}))
    cloud.finished("v1", operation)
    cloud.verified("artifactregistry", "v1", "Repository", repositories.get(name=f"{PARENT}/repositories/apps"))
    logging = cloud.api("logging", "v2").entries()
    cloud.verified("logging", "v2", "ListLogEntriesResponse", logging.list(body={"resourceNames": ["projects/local"], "orderBy": "timestamp desc"}))
    functions = cloud.api("cloudfunctions", "v2").projects().locations()
    cloud.verified("cloudfunctions", "v2", "ListRuntimesResponse", functions.runtimes().list(parent=PARENT))
    cloud.verified("cloudfunctions", "v2", "GenerateUploadUrlResponse", functions.functions().generateUploadUrl(parent=PARENT, body={"environment": "GEN_2"}))


def main(server, archive, folder):
    state_folder = pathlib.Path(folder) / "state"
    process = subprocess.Popen([server, str(state_folder)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    failed = 0
    try:
        cloud = Cloud(process.stdout.readline().strip())
        state = {}
        for test in (storage_client, run_client, run_documents, events, others):
            try:
                test(cloud, archive, state)
                print(f"ok {test.__name__}", flush=True)
            except Exception:
                failed += 1
                print(f"failed {test.__name__}\n{traceback.format_exc()}", flush=True)
    finally:
        process.stdin.close()
        process.wait(timeout=30)
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main(*sys.argv[1:4])
