//! Changes of objects in S3 buckets, in all the ways in which S3 tells them:
//!
//! * a notification, `{"Records": [{eventName, eventTime, s3: {bucket: {name}, object: {key, size, eTag, versionId,
//!   sequencer}}}]}` (docs.aws.amazon.com/AmazonS3/latest/userguide/notification-content-structure.html), whose keys are
//!   encoded as forms are;
//! * through EventBridge, `{"detail-type": "Object Created", detail: {bucket: {name}, object: {key, size, etag, version-id,
//!   sequencer}, deletion-type}}` (.../userguide/ev-events.html), whose keys are not encoded;
//! * either of them as a message of an SQS queue, of an SNS topic, or of a queue that a topic feeds.
//!
//! S3 sends `{"Event": "s3:TestEvent", ..}` when notifications are set up: it holds nothing, and is acknowledged.
//!
//! An item's id is `BUCKET/KEY@SEQUENCER`, the same however often S3 or a queue delivers it, so that duplicates can be
//! recognised; the event's time stands for a sequencer that is missing. A second one in the same batch is followed by
//! `~2`.
//!
//! A message of a queue fails if one of its objects does. A message that is no notification fails alone, again and again
//! until its queue gives up on it, where the queue takes partial answers; else its batch is refused.

use super::{
    Text,
    batch::Source,
    fields::{self, Integer, object},
    wrong,
};
use bytes::Bytes;
use omnifn_core::{Batch, Error, ObjectChange, ObjectEvent, Raw, RawParts, Result, json, rfc3339};
use std::{borrow::Cow, collections::HashMap};

/// What was read of an event.
pub(super) struct Objects {
    pub(super) batch: Batch<ObjectEvent>,
    pub(super) source: Source,
    /// The queue's ARN.
    pub(super) arn: String,
    /// For objects that came through a queue: each one's id with that of its message.
    pub(super) carriers: Vec<(String, String)>,
    /// Messages of the queue that are no notifications, and why.
    pub(super) refused: Vec<(String, Error)>,
}

object! {
    /// Any of the documents: an event of Lambda's, or what is inside a message.
    struct Document<'a> {
        records: Option<Vec<Record<'a>>> = "Records",
        /// `s3:TestEvent`.
        event: Option<Text<'a>> = "Event",
        detail_type: Option<Text<'a>> = "detail-type",
        source: Option<Text<'a>> = "source",
        time: Option<Text<'a>> = "time",
        detail: Option<Detail<'a>> = "detail",
        /// The envelope in which a topic puts a message into a queue.
        topic: Option<Text<'a>> = "TopicArn",
        message: Option<Text<'a>> = "Message",
    }

    struct Record<'a> requires event_source as "eventSource" {
        event_source: Text<'a> = "eventSource" | "EventSource",
        event_name: Option<Text<'a>> = "eventName",
        event_time: Option<Text<'a>> = "eventTime",
        s3: Option<Box<S3<'a>>> = "s3",
        sns: Option<Sns<'a>> = "Sns",
        message_id: Option<Text<'a>> = "messageId",
        body: Option<Text<'a>> = "body",
        attributes: Attributes = "attributes",
        event_source_arn: Option<Text<'a>> = "eventSourceARN",
    }

    struct S3<'a> {
        bucket: Bucket<'a> = "bucket",
        object: Object<'a> = "object",
    }

    struct Bucket<'a> {
        name: Option<Text<'a>> = "name",
    }

    struct Object<'a> {
        key: Option<Text<'a>> = "key",
        size: Integer = "size",
        etag: Option<Text<'a>> = "eTag" | "etag",
        version: Option<Text<'a>> = "versionId" | "version-id",
        sequencer: Option<Text<'a>> = "sequencer",
    }

    struct Detail<'a> {
        bucket: Bucket<'a> = "bucket",
        object: Object<'a> = "object",
        deletion_type: Option<Text<'a>> = "deletion-type",
    }

    struct Sns<'a> {
        message: Option<Text<'a>> = "Message",
    }

    struct Attributes {
        approximate_receive_count: Integer = "ApproximateReceiveCount",
    }
}

/// `is_partial` says of a queue's ARN whether it takes partial answers.
pub(super) fn decode(bytes: &Bytes, is_partial: impl Fn(&str) -> bool) -> Result<Objects> {
    let refuse = |error: Error| wrong::event("storage", "S3", bytes, &error);
    let document: Document<'_> = json::from_slice(bytes).map_err(refuse)?;
    let mut objects = read(document, bytes, is_partial).map_err(refuse)?;
    make_unique(&mut objects);
    Ok(objects)
}

fn read(
    document: Document<'_>,
    bytes: &Bytes,
    is_partial: impl Fn(&str) -> bool,
) -> Result<Objects> {
    let objects = |items, source| Objects {
        batch: Batch::new(items),
        source,
        arn: String::new(),
        carriers: Vec::new(),
        refused: Vec::new(),
    };
    match document
        .records
        .as_ref()
        .and_then(|records| records.first())
        .map(|first| &*first.event_source.0)
    {
        Some("aws:sqs") => queue(document.records.unwrap_or_default(), bytes, is_partial),
        Some("aws:sns") => {
            let mut items = Vec::new();
            for (index, record) in document.records.unwrap_or_default().into_iter().enumerate() {
                let place = || format!("Records[{index}].Sns.Message");
                let message = record.sns.and_then(|sns| sns.message);
                let message = message.ok_or_else(|| missing(&place()))?;
                items.extend(inside(&message.into_bytes(bytes), None).map_err(at(place))?);
            }
            Ok(objects(items, Source::Asynchronous("SNS")))
        }
        _ => {
            let source = if document.detail_type.is_some() { "EventBridge" } else { "S3" };
            Ok(objects(notification(document, bytes)?, Source::Asynchronous(source)))
        }
    }
}

fn queue(
    records: Vec<Record<'_>>,
    bytes: &Bytes,
    is_partial: impl Fn(&str) -> bool,
) -> Result<Objects> {
    let arn = records.first().and_then(|record| record.event_source_arn.as_ref());
    let arn = arn.map(|arn| arn.0.to_string()).unwrap_or_default();
    let is_partial = is_partial(&arn);
    let (mut items, mut carriers, mut refused) = (Vec::new(), Vec::new(), Vec::new());
    for (index, record) in records.into_iter().enumerate() {
        let required = |text: Option<_>, name: &str| {
            text.ok_or_else(|| missing(&format!("Records[{index}].{name}")))
        };
        let id: Text<'_> = required(record.message_id, "messageId")?;
        let body: Text<'_> = required(record.body, "body")?;
        let attempt = record.attributes.approximate_receive_count.count();
        match inside(&body.into_bytes(bytes), attempt) {
            Ok(found) => {
                carriers.extend(found.iter().map(|_| (String::new(), id.0.to_string())));
                items.extend(found);
            }
            Err(error) if is_partial => refused.push((id.0.into_owned(), error)),
            Err(error) => return Err(at(|| format!("Records[{index}].body"))(error)),
        }
    }
    Ok(Objects { batch: Batch::new(items), source: Source::Sqs, arn, carriers, refused })
}

fn at(place: impl FnOnce() -> String) -> impl FnOnce(Error) -> Error {
    move |error| Error::malformed(format!("`{}` holds no notification of S3: {error}", place()))
}

fn missing(place: &str) -> Error {
    Error::malformed(format!("`{place}` is missing"))
}

/// The objects of a message: a notification, or one in the envelope of a topic.
fn inside(body: &Bytes, attempt: Option<u32>) -> Result<Vec<ObjectEvent>> {
    let mut document: Document<'_> = json::from_slice(body)?;
    let enveloped = document.topic.as_ref().and_then(|_| document.message.take());
    let mut items = match enveloped {
        Some(message) => {
            let message = message.into_bytes(body);
            let document: Document<'_> = json::from_slice(&message)
                .map_err(|error| Error::malformed(format!("`Message`: {error}")))?;
            notification(document, &message)?
        }
        None => notification(document, body)?,
    };
    for item in &mut items {
        item.attempt = attempt;
    }
    Ok(items)
}

/// S3's own record, or EventBridge's.
fn notification(document: Document<'_>, bytes: &Bytes) -> Result<Vec<ObjectEvent>> {
    if let Some(records) = document.records {
        let parts = RawParts::new(bytes.clone(), fields::record);
        return records
            .into_iter()
            .enumerate()
            .map(|(index, record)| Ok(object_of_record(record, index)?.with_raw(parts.part(index))))
            .collect();
    }
    if document.event.as_ref().is_some_and(|event| event.0 == "s3:TestEvent") {
        return Ok(Vec::new());
    }
    let Some(detail_type) = document.detail_type else { return Err(missing("Records")) };
    let source = document.source.map(|source| source.0).unwrap_or_default();
    if source != "aws.s3" {
        return Err(Error::malformed(format!("`source` is `{source}`, but `aws.s3` was expected")));
    }
    let detail = document.detail.ok_or_else(|| missing("detail"))?;
    let change =
        change_of_detail(&detail_type.0, detail.deletion_type.as_ref().map(|text| &*text.0));
    let place = |name: &str| format!("detail.{name}");
    let key = detail.object.key.as_ref().map(|key| key.0.to_string());
    let item = object_event(
        (detail.bucket, key, detail.object),
        place,
        change,
        detail_type.0,
        document.time,
    )?;
    Ok(vec![item.with_raw(Raw::whole(bytes.clone()))])
}

fn object_of_record(record: Record<'_>, index: usize) -> Result<ObjectEvent> {
    if record.event_source.0 != "aws:s3" {
        return Err(Error::malformed(format!(
            "`Records[{index}].eventSource` is `{}`, but `aws:s3` was expected",
            record.event_source.0
        )));
    }
    let s3 = record.s3.ok_or_else(|| missing(&format!("Records[{index}].s3")))?;
    let name = record.event_name.ok_or_else(|| missing(&format!("Records[{index}].eventName")))?;
    let change = change_of_record(&name.0);
    let place = |name: &str| format!("Records[{index}].s3.{name}");
    let key = s3.object.key.as_ref().map(|key| form_decode(&key.0));
    object_event((s3.bucket, key, s3.object), place, change, name.0, record.event_time)
}

/// `key` is the object's, decoded.
fn object_event(
    (bucket, key, object): (Bucket<'_>, Option<String>, Object<'_>),
    place: impl Fn(&str) -> String,
    change: ObjectChange,
    kind: Cow<'_, str>,
    time: Option<Text<'_>>,
) -> Result<ObjectEvent> {
    let text = |text: Option<Text<'_>>| {
        text.map(|text| text.0.into_owned()).filter(|text| !text.is_empty())
    };
    let bucket = bucket.name.ok_or_else(|| missing(&place("bucket.name")))?.0.into_owned();
    let key = key.ok_or_else(|| missing(&place("object.key")))?;
    let occasion = text(object.sequencer);
    let occasion = occasion.as_deref().or(time.as_ref().map(|time| &*time.0)).unwrap_or_default();
    let id = format!("{bucket}/{key}@{occasion}");
    let mut item = ObjectEvent::new(id, bucket, key, change);
    item.kind = kind.into_owned();
    item.time = time.and_then(|time| rfc3339::parse(&time.0));
    item.size = object.size.0;
    item.etag = text(object.etag).map(|etag| etag.trim_matches('"').to_owned());
    item.version = text(object.version);
    Ok(item)
}

/// docs.aws.amazon.com/AmazonS3/latest/userguide/notification-how-to-event-types-and-destinations.html
fn change_of_record(name: &str) -> ObjectChange {
    let name = name.strip_prefix("s3:").unwrap_or(name);
    match name.split_once(':').unwrap_or((name, "")) {
        ("ObjectCreated", _) => ObjectChange::Created,
        ("ObjectRemoved" | "LifecycleExpiration", "Delete") => ObjectChange::Deleted,
        ("ObjectRemoved" | "LifecycleExpiration", "DeleteMarkerCreated") => ObjectChange::Archived,
        ("ObjectTagging", _) | ("ObjectAcl", "Put") => ObjectChange::MetadataUpdated,
        _ => ObjectChange::Other,
    }
}

/// docs.aws.amazon.com/AmazonS3/latest/userguide/EventBridge.html
fn change_of_detail(detail_type: &str, deletion_type: Option<&str>) -> ObjectChange {
    match (detail_type, deletion_type) {
        ("Object Created", _) => ObjectChange::Created,
        ("Object Deleted", Some("Delete Marker Created")) => ObjectChange::Archived,
        ("Object Deleted", _) => ObjectChange::Deleted,
        ("Object Tags Added" | "Object Tags Deleted" | "Object ACL Updated", _) => {
            ObjectChange::MetadataUpdated
        }
        _ => ObjectChange::Other,
    }
}

/// Two items of one id could not be told apart in an answer: S3 delivers at least once, so a queue may hold the same
/// notification twice.
fn make_unique(objects: &mut Objects) {
    let mut seen: HashMap<String, usize> = HashMap::new();
    for item in &mut objects.batch.items {
        let times = seen.entry(item.id.clone()).or_default();
        *times += 1;
        if *times > 1 {
            item.id = format!("{}~{times}", item.id);
        }
    }
    for (item, carrier) in objects.batch.items.iter().zip(&mut objects.carriers) {
        carrier.0.clone_from(&item.id);
    }
}

/// `+` is a space, `%XX` a byte. What is no escape stays as it is, and so does all of a key that would not be UTF-8.
fn form_decode(text: &str) -> String {
    let bytes = text.as_bytes();
    if !bytes.iter().any(|byte| matches!(byte, b'+' | b'%')) {
        return text.to_owned();
    }
    let digit = |at: usize| char::from(*bytes.get(at)?).to_digit(16);
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let escaped = match bytes[at] {
            b'%' => digit(at + 1).zip(digit(at + 2)).map(|(high, low)| high * 16 + low),
            _ => None,
        };
        if let Some(byte) = escaped.and_then(|byte| u8::try_from(byte).ok()) {
            decoded.push(byte);
            at += 3;
        } else {
            decoded.push(if bytes[at] == b'+' { b' ' } else { bytes[at] });
            at += 1;
        }
    }
    String::from_utf8(decoded).unwrap_or_else(|_| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::{ObjectChange, change_of_detail, change_of_record, decode, form_decode};
    use bytes::Bytes;
    use serde_json::{Value, json};

    #[test]
    fn keys_are_decoded_as_forms_are() {
        for (encoded, decoded) in [
            ("plain.jpg", "plain.jpg"),
            ("2026/a+b.jpg", "2026/a b.jpg"),
            ("a%20b%2Bc%2f", "a b+c/"),
            ("%C3%BC", "ü"),
            ("100%", "100%"),
            ("%zz%4", "%zz%4"),
            ("%+1", "% 1"),
            ("a%FFb", "a%FFb"),
            ("", ""),
        ] {
            assert_eq!(form_decode(encoded), decoded, "{encoded}");
        }
    }

    #[test]
    fn changes_have_the_same_words_as_other_clouds() {
        for (name, change) in [
            ("ObjectCreated:Put", ObjectChange::Created),
            ("s3:ObjectCreated:CompleteMultipartUpload", ObjectChange::Created),
            ("ObjectRemoved:Delete", ObjectChange::Deleted),
            ("LifecycleExpiration:Delete", ObjectChange::Deleted),
            ("ObjectRemoved:DeleteMarkerCreated", ObjectChange::Archived),
            ("s3:LifecycleExpiration:DeleteMarkerCreated", ObjectChange::Archived),
            ("ObjectTagging:Put", ObjectChange::MetadataUpdated),
            ("ObjectTagging:Delete", ObjectChange::MetadataUpdated),
            ("ObjectAcl:Put", ObjectChange::MetadataUpdated),
            ("ObjectRestore:Completed", ObjectChange::Other),
            ("LifecycleTransition", ObjectChange::Other),
            ("", ObjectChange::Other),
        ] {
            assert_eq!(change_of_record(name), change, "{name}");
        }
        for (name, deletion, change) in [
            ("Object Created", None, ObjectChange::Created),
            ("Object Deleted", Some("Permanently Deleted"), ObjectChange::Deleted),
            ("Object Deleted", None, ObjectChange::Deleted),
            ("Object Deleted", Some("Delete Marker Created"), ObjectChange::Archived),
            ("Object Tags Added", None, ObjectChange::MetadataUpdated),
            ("Object Tags Deleted", None, ObjectChange::MetadataUpdated),
            ("Object ACL Updated", None, ObjectChange::MetadataUpdated),
            ("Object Restore Completed", None, ObjectChange::Other),
        ] {
            assert_eq!(change_of_detail(name, deletion), change, "{name} {deletion:?}");
        }
    }

    fn record(key: &str) -> Value {
        json!({"eventSource": "aws:s3", "eventName": "ObjectCreated:Put",
            "s3": {"bucket": {"name": "b"}, "object": {"key": key, "sequencer": "1"}}})
    }

    fn message(id: &str, body: &Value) -> Value {
        json!({"messageId": id, "eventSource": "aws:sqs", "eventSourceARN": "q",
            "attributes": {"ApproximateReceiveCount": "2"}, "body": body.to_string()})
    }

    #[test]
    fn every_object_leads_back_to_its_message() {
        let envelope = json!({"Type": "Notification", "TopicArn": "t",
            "Message": json!({"Records": [record("c")]}).to_string()});
        let event = json!({"Records": [
            message("m1", &json!({"Records": [record("a"), record("b")]})),
            message("m2", &json!({"Event": "s3:TestEvent"})),
            message("m3", &envelope),
            message("m4", &json!({"Records": [record("a")]})),
        ]});
        let found = decode(&Bytes::from(event.to_string()), |_| false).unwrap();
        let carriers: Vec<(&str, &str)> =
            found.carriers.iter().map(|(item, message)| (&**item, &**message)).collect();
        assert_eq!(
            carriers,
            [("b/a@1", "m1"), ("b/b@1", "m1"), ("b/c@1", "m3"), ("b/a@1~2", "m4")]
        );
        let ids: Vec<_> = found.batch.items.iter().map(|item| item.id.clone()).collect();
        assert_eq!(ids, ["b/a@1", "b/b@1", "b/c@1", "b/a@1~2"]);
        assert!(found.batch.items.iter().all(|item| item.attempt == Some(2)));
        let raw = |index: usize| {
            let raw = found.batch.items[index].raw().unwrap();
            serde_json::from_slice::<Value>(&raw).unwrap()
        };
        assert_eq!([raw(1), raw(2)], [record("b"), record("c")]);
    }

    #[test]
    fn a_message_that_is_no_notification_poisons_others_only_where_it_must() {
        let event = json!({"Records": [
            message("m1", &json!({"Records": [record("a")]})),
            message("m2", &json!({"hello": 1})),
            message("m3", &json!({"Records": [{"eventSource": "aws:sqs", "messageId": "x", "body": "{}"}]})),
        ]});
        let event = Bytes::from(event.to_string());
        let found = decode(&event, |arn| arn == "q").unwrap();
        assert_eq!(found.batch.items.len(), 1);
        let refused: Vec<_> =
            found.refused.iter().map(|(id, error)| (&**id, error.to_string())).collect();
        assert_eq!(refused[0], ("m2", "`Records` is missing".to_owned()));
        assert_eq!(refused[1].0, "m3");
        let Err(error) = decode(&event, |_| false) else { panic!("must be refused") };
        assert_eq!(
            error.to_string(),
            "this function handles storage events (from S3), but the payload is an event of `aws:sqs`: \
             `Records[1].body` holds no notification of S3: `Records` is missing"
        );
    }

    #[test]
    fn a_list_of_empty_records_ends_at_the_first() {
        let event = Bytes::from(format!("{{\"Records\":[{}{{}}]}}", "{},".repeat(1_000)));
        let Err(error) = decode(&event, |_| true) else { panic!("must be refused") };
        let end = "missing field `eventSource` at line 1 column 14";
        assert!(error.to_string().ends_with(end), "{error}");
    }

    #[test]
    fn a_test_event_holds_nothing() {
        let test = json!({"Service": "Amazon S3", "Event": "s3:TestEvent", "Bucket": "b"});
        let sns =
            json!({"Records": [{"EventSource": "aws:sns", "Sns": {"Message": test.to_string()}}]});
        for event in [test, sns] {
            let found = decode(&Bytes::from(event.to_string()), |_| false).unwrap();
            assert!(found.batch.items.is_empty());
        }
    }
}
