//! What can be wrong, each with its code: the one table that errors, `check` and `explain` take from.

/// Something that can be wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Rule {
    /// `OF0031`; it never changes its meaning.
    pub(crate) code: &'static str,
    /// One clause.
    pub(crate) title: &'static str,
    /// Why it is so, and how to mend it.
    pub(crate) explanation: &'static str,
    /// Where that is written, and when it was read.
    pub(crate) source: &'static str,
}

macro_rules! rules {
    ($($name:ident: $code:literal, $title:literal, $explanation:literal, $source:expr;)*) => {
        $(pub(crate) const $name: Rule = Rule {
            code: $code,
            title: $title,
            explanation: $explanation,
            source: $source,
        };)*
        /// All of them, in the order of their codes.
        pub(crate) const ALL: &[Rule] = &[$($name),*];
    };
}

const OURS: &str = "omnifn's own";
const LAMBDA_LIMITS: &str = "AWS Lambda Developer Guide, \"Lambda quotas\", read 2026-11";
const LAMBDA_MODEL: &str = "the model of AWS Lambda's API (botocore), read 2026-11";
const KNOWN: &str =
    "common knowledge of Cloud Run's documentation; not verified against the service";

rules! {
    UNREADABLE: "OF0001", "a configuration file cannot be read",
        "omnifn.toml, or a Cargo.toml with `[package.metadata.omnifn]`, is missing though it was named, is larger than 4 MiB, is not UTF-8 or is not TOML. The place is where reading failed.", OURS;
    UNKNOWN_KEY: "OF0002", "a key is not known",
        "Keys are in kebab-case, and every one that is not known is refused, since a misspelled key would silently have no effect. `cargo omnifn config schema` prints all keys; editors that read `#:schema` complete them.", OURS;
    WRONG_VALUE: "OF0003", "a value has the wrong form",
        "Values with a unit are texts with it: memory is \"256MiB\" or \"1GiB\", times are \"500ms\", \"30s\", \"5m\", \"2h\", \"14d\". `cargo omnifn config schema` has the form of every key.", OURS;
    UNKNOWN_STAGE: "OF0004", "a stage is not known",
        "A stage is `local`, the default stage, or one that omnifn.toml names in `[stages.<name>]`. Any other name is refused, since a misspelled one would deploy everything a second time. An empty table `[stages.pr-12]` is enough.", OURS;
    UNKNOWN_FUNCTION: "OF0005", "a function is not known",
        "Functions are the binaries of packages that depend on `omnifn`, each under its own name, or the names in `[package.metadata.omnifn.functions]` where one binary has several. `[functions.<name>]` of omnifn.toml must be one of them.", OURS;
    NO_PROVIDER: "OF0006", "no cloud is told",
        "A function goes to the clouds in its `providers = [\"aws\", \"gcp\"]`, else to those that omnifn.toml has a table for (`[providers.aws]`, `[providers.gcp]`, empty ones too), else to those given by `--provider`. Without any of these there is nothing to deploy to.", OURS;
    BAD_NAME: "OF0007", "a name is none that every cloud takes",
        "Apps, stages and functions are written into names, tags and labels: 1 to 40 small letters, digits and hyphens, a letter first and no hyphen last.", "labels of Google Cloud, tags of AWS, as `omnifn-deploy` has them";
    SEVERAL_KINDS: "OF0008", "a function has triggers of several kinds",
        "A deployed function has one kind of event, since its handler has one type. Make two functions of it: one binary may hold both (`App::new().function(..)`).", OURS;
    SAME_NAME: "OF0009", "two functions have one name",
        "Names of functions are unique in a workspace, since they are what is deployed under. Rename one of them, or its binary.", OURS;
    MEMORY: "OF0010", "the memory is out of the cloud's range",
        "AWS has 128 MiB to 10240 MiB. Google has 128 MiB to 32 GiB for a service, 512 MiB at least in its second generation's environment.", "AWS: AWS Lambda Developer Guide, \"Lambda quotas\", read 2026-11. Google: common knowledge; not verified";
    TIMEOUT: "OF0011", "the timeout is out of the cloud's range",
        "AWS has 1 s to 900 s. Google has up to 3600 s for requests.", LAMBDA_LIMITS;
    ENVIRONMENT: "OF0012", "the environment variables are too large",
        "Lambda takes 4 KiB of names and values in all. Put large values into the archive (`build.include`), or into a secret.", LAMBDA_LIMITS;
    RESERVED_NAME: "OF0013", "the cloud keeps an environment variable's name for itself",
        "Lambda sets `AWS_REGION`, `AWS_LAMBDA_*` and others by itself and refuses them in a configuration; omnifn sets `OMNIFN_*` there; Cloud Run sets `PORT` and `K_*`. Choose another name.", "AWS: common knowledge of \"Using Lambda environment variables\"; not verified. Google: Cloud Run's container contract, read 2026-11; `K_CONFIGURATION` from Knative's specification";
    BAD_VARIABLE: "OF0014", "AWS does not take an environment variable's name",
        "Names are letters, digits and underscores, begin with a letter, and are at least two characters long.", LAMBDA_MODEL;
    ARCHITECTURE: "OF0015", "the cloud does not have the processor",
        "Google Cloud Run has x86-64 only; AWS has both. Set `architecture` in the table of one cloud: `[functions.<name>.aws] architecture = \"arm64\"`.", "Google's container contract and AWS's API model, read 2026-11";
    NO_SUCH_TRIGGER: "OF0016", "the cloud has no such trigger",
        "The function is to go to a cloud that cannot deliver its events. Take the cloud out of its `providers`.", OURS;
    TWICE: "OF0017", "a name is both a variable and a secret",
        "`env` and `secrets` both set the variable, and only one of them can. Take one away.", OURS;
    PLAIN_SECRET: "OF0018", "a secret seems to stand in plain text",
        "Environment variables are seen by whoever may look at the function, and stand in the configuration's file. Put the value into the cloud's secret store, and name it in `secrets`; `omnifn::secret` reads it.", OURS;
    TOO_LARGE: "OF0020", "the archive is too large",
        "Lambda takes 250 MiB unpacked, Google 250 MiB of an archive. Strip the binary, include less, or use an image.", LAMBDA_LIMITS;
    UNFIT: "OF0021", "the archive does not start on the cloud",
        "Its program is for another processor, or needs a newer glibc than the cloud's image has. Build with `--compiler zigbuild`, or on an older system.", "the images `provided.al2023` (glibc 2.34) and `google-24` (glibc 2.39), read 2026-11";
    OTHER_KIND: "OF0022", "the program handles another kind of event than its triggers send",
        "The handler's type says which events it takes: a `Request` is of `http`, a `Batch` of `queue`. The triggers in the configuration are of another type. Change one of them.", OURS;
    CRON: "OF0030", "a schedule is not understood",
        "Schedules are the five fields of cron: minute, hour, day of month, month, day of week. Each cloud gets its own dialect of it. AWS cannot say \"this day of the month or that day of the week\": make it two triggers.", "the dialects as `omnifn_deploy::cron` has them";
    PARTIAL_FAILURES: "OF0031", "one failed message brings its whole batch back, or cannot be told",
        "With `partial-failures = true` omnifn sets `ReportBatchItemFailures` on the event source mapping, and the function tells which messages failed. Without it the whole batch is delivered again when one message fails. SNS and Kafka have no such answer: there `partial-failures = true` cannot be had.", "AWS Lambda Developer Guide, \"Handling errors for an SQS event source\", read 2026-11";
    BATCH_SIZE: "OF0032", "a batch's size cannot be had",
        "AWS takes 1 to 10000 messages in a batch. From SQS more than 10 need a `batch-window` of a second or more.", "1 to 10000: the model of AWS Lambda's API (botocore), read 2026-11. That SQS needs a window above 10 is common knowledge; not verified";
    BATCH_WINDOW: "OF0033", "a batch's window is too long",
        "AWS waits 300 s at most for a batch to become full.", LAMBDA_MODEL;
    MAX_CONCURRENCY: "OF0034", "a queue's concurrency cannot be had",
        "`max-concurrency` of an SQS trigger is 2 to 1000.", LAMBDA_MODEL;
    NO_SOURCE: "OF0035", "a trigger does not say where its events come from",
        "On AWS a `database` trigger needs the ARN of its table's stream (`stream`), and an `event` trigger a `pattern`. On Google a `database` trigger needs `document`, and an `event` trigger `filters` with a `type`; Kinesis (`stream`) and Kafka are AWS's only.", OURS;
    SEVERAL_SOURCES: "OF0036", "a trigger has several sources",
        "A queue trigger has one of `queue`, `topic`, `stream` and `kafka`. Make one trigger for each.", OURS;
    NAME_FILTER: "OF0037", "the cloud does not look at objects' names",
        "Cloud Storage's events cannot be filtered by `prefix` or `suffix`: the function gets every object of the bucket, and must look by itself.", "Eventarc's filters for `google.cloud.storage.object.v1.*`; known, not verified";
    ACKNOWLEDGE: "OF0038", "an event is delivered again while it is still being handled",
        "Google gives event-driven functions 540 s. When one takes longer, its event is sent again while the first is still running.", "Google's quota page for functions, read 2026-11";
    CPU_MEMORY: "OF0040", "Google does not have this memory with so many processors",
        "More memory needs more processors: above 512 MiB half of one, above 1 GiB one, above 4 GiB two, above 8 GiB four, above 16 GiB six, above 24 GiB eight; and four processors need 2 GiB, six and eight 4 GiB.", KNOWN;
    FRACTION: "OF0041", "a part of a processor serves one request at a time",
        "With less than one processor Cloud Run needs `concurrency = 1` and `billing = \"request\"`.", KNOWN;
    INSTANCES: "OF0042", "there are to be more instances at least than at most",
        "`min-instances` is larger than `max-instances`, or `provisioned-concurrency` than `reserved-concurrency`.", OURS;
    CPU: "OF0043", "the number of processors cannot be had",
        "Cloud Run has 0.08 to 1 in steps of 0.01, and 1, 2, 4, 6 or 8.", KNOWN;
    CONCURRENCY: "OF0044", "the concurrency cannot be had",
        "Cloud Run gives an instance 1 to 1000 requests at once.", KNOWN;
    STORAGE: "OF0045", "the disk space cannot be had",
        "`/tmp` on Lambda has 512 MiB to 10240 MiB.", LAMBDA_MODEL;
    RETENTION: "OF0046", "logs cannot be kept for this time",
        "CloudWatch Logs keeps logs for 1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288 or 3653 days.", "common knowledge of CloudWatch Logs' PutRetentionPolicy; not verified against its model";
    TOO_MANY: "OF0047", "there are more than the cloud takes",
        "Lambda takes 5 layers, 16 subnets, 5 security groups, and 2 retries of an asynchronous invocation whose event is 60 s to 6 h old.", LAMBDA_MODEL;
    ARN: "OF0048", "this is no ARN",
        "Roles, policies, layers and streams are named by their ARN, which begins with `arn:`.", "common knowledge of AWS; not verified for each setting";
    SERVICE_ACCOUNT: "OF0049", "this is no service account",
        "Service accounts are named by their e-mail address, which ends with `.gserviceaccount.com`.", "common knowledge of Google Cloud's IAM; not verified";
}

/// The one with this code, in whatever case.
pub(crate) fn find(code: &str) -> Option<Rule> {
    ALL.iter().copied().find(|rule| rule.code.eq_ignore_ascii_case(code))
}

#[cfg(test)]
mod tests {
    use super::ALL;

    #[test]
    fn codes_are_in_order_and_titles_are_clauses() {
        assert!(ALL.is_sorted_by(|one, other| one.code < other.code));
        for rule in ALL {
            assert!(rule.code.len() == 6 && rule.code.starts_with("OF"), "{}", rule.code);
            assert!(!rule.title.ends_with('.') && rule.explanation.ends_with('.'), "{}", rule.code);
            assert!(!rule.source.is_empty(), "{}", rule.code);
        }
    }
}
