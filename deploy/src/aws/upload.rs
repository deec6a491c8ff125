use super::{
    Call, NAME,
    api::{failed, found, is_there_already},
    limits::LARGEST_DIRECT,
};
use crate::{ApplyContext, Code, Error, Event, Result};
use aws_sdk_lambda::{primitives::Blob, types::FunctionCode};
use aws_sdk_s3::{
    primitives::ByteStream,
    types::{
        BucketLocationConstraint, CompletedMultipartUpload, CompletedPart,
        CreateBucketConfiguration,
    },
};
use tokio::task::JoinSet;

/// The archive as a call takes it: itself up to 50 MB, else where it is in a bucket.
pub(super) async fn code(
    call: Call<'_>,
    code: &Code,
    context: &ApplyContext<'_>,
) -> Result<FunctionCode> {
    let artifact = code.artifact();
    let told = |sent: u64| {
        context.progress.on(Event::Uploaded {
            provider: NAME,
            scope: call.scope,
            sent,
            all: artifact.size,
        });
    };
    told(0);
    if artifact.size <= LARGEST_DIRECT {
        return Ok(FunctionCode::builder().zip_file(Blob::new(artifact.archive.clone())).build());
    }
    let bucket = format!("omnifn-{}-{}", call.names.account, call.names.region);
    let key = format!("{}.zip", artifact.sha256);
    make_bucket(call, &bucket).await?;
    let s3 = &call.aws.clients.s3;
    // Of another account's bucket of that name nothing is read, and nothing is sent to it.
    let there = s3
        .head_object()
        .bucket(&bucket)
        .key(&key)
        .expected_bucket_owner(&call.names.account)
        .send()
        .await;
    let there = found(there.map_err(|error| failed("HeadObject", error)))?;
    if there.is_none_or(|there| there.content_length() != i64::try_from(artifact.size).ok()) {
        Upload { call, bucket: &bucket, key: &key }.put(code, told).await?;
    }
    told(artifact.size);
    Ok(FunctionCode::builder().s3_bucket(bucket).s3_key(key).build())
}

/// The size of a part: what is lost when one fails on the way. S3 takes 5 MiB or more
/// (docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html).
const PART: usize = 16 * 1024 * 1024;
/// How many are on the way at the same time.
const AT_ONCE: usize = 4;

/// An object that is sent in parts.
#[derive(Clone, Copy, Debug)]
struct Upload<'a> {
    call: Call<'a>,
    bucket: &'a str,
    key: &'a str,
}

impl Upload<'_> {
    async fn put(self, code: &Code, told: impl Fn(u64)) -> Result<()> {
        let Self { call, bucket, key } = self;
        let (s3, account) = (&call.aws.clients.s3, &call.names.account);
        let create = s3.create_multipart_upload().bucket(bucket).key(key);
        let create = create.expected_bucket_owner(account).send().await;
        let create = create
            .map_err(|error| failed(&format!("CreateMultipartUpload {bucket}/{key}"), error))?;
        let id = create.upload_id().unwrap_or_default();
        let done = match self.parts(id, code, told).await {
            Ok(parts) => self.complete(id, parts).await,
            Err(error) => Err(error),
        };
        if done.is_err() {
            // What was sent costs money until then. The error that led here says more than one of this.
            let abort = s3.abort_multipart_upload().bucket(bucket).key(key).upload_id(id);
            let _ = abort.expected_bucket_owner(account).send().await;
        }
        done
    }

    async fn parts(self, id: &str, code: &Code, told: impl Fn(u64)) -> Result<Vec<CompletedPart>> {
        let archive = &code.artifact().archive;
        let mut waiting = (1..).zip(archive.chunks(PART));
        let mut under_way = JoinSet::new();
        let (mut parts, mut sent) = (Vec::new(), 0);
        loop {
            while under_way.len() < AT_ONCE
                && let Some((number, part)) = waiting.next()
            {
                let upload = self.call.aws.clients.s3.upload_part().bucket(self.bucket);
                let upload = upload.key(self.key).upload_id(id).part_number(number);
                let upload = upload.expected_bucket_owner(&self.call.names.account);
                let upload = upload.body(ByteStream::from(part.to_vec()));
                let size = part.len() as u64;
                under_way.spawn(async move { (number, size, upload.send().await) });
            }
            let Some(next) = under_way.join_next().await else { break };
            let (number, size, part) = next.map_err(|error| Error::Unreachable {
                provider: NAME,
                operation: "UploadPart".to_owned(),
                source: error.into(),
            })?;
            let part = part.map_err(|error| failed(&format!("UploadPart {number}"), error))?;
            let completed = CompletedPart::builder().part_number(number);
            let completed = completed.set_e_tag(part.e_tag).set_checksum_crc32(part.checksum_crc32);
            parts.push(completed.build());
            sent += size;
            told(sent);
        }
        parts.sort_by_key(CompletedPart::part_number);
        Ok(parts)
    }

    async fn complete(self, id: &str, parts: Vec<CompletedPart>) -> Result<()> {
        let s3 = &self.call.aws.clients.s3;
        let parts = CompletedMultipartUpload::builder().set_parts(Some(parts)).build();
        let complete = s3.complete_multipart_upload().bucket(self.bucket).key(self.key);
        let complete = complete.upload_id(id).multipart_upload(parts);
        let complete = complete.expected_bucket_owner(&self.call.names.account).send().await;
        let complete = complete.map(drop).map_err(|error| failed("CompleteMultipartUpload", error));
        // There is no such upload any more where the answer to an earlier try was lost; Lambda finds out whether all is there.
        match complete {
            Err(error) if error.code() == Some("NoSuchUpload") => Ok(()),
            done => done,
        }
    }
}

async fn make_bucket(call: Call<'_>, bucket: &str) -> Result<()> {
    let s3 = &call.aws.clients.s3;
    let head =
        s3.head_bucket().bucket(bucket).expected_bucket_owner(&call.names.account).send().await;
    match found(head.map_err(|error| failed(&format!("HeadBucket {bucket}"), error))) {
        Ok(Some(_)) => return Ok(()),
        Ok(None) => {}
        // The answer to a HEAD has no body that would say more.
        Err(error) if error.code() == Some("403") => {
            let message = format!(
                "the bucket `{bucket}`, through which archives of more than 50 MB go, is another account's, or \
                 `s3:ListBucket` on it is not allowed"
            );
            return Err(Error::Credentials { provider: NAME, message, source: None });
        }
        Err(error) => return Err(error),
    }
    let region = call.names.region.as_str();
    // The first region is the one that must not be named.
    let place = (region != "us-east-1").then(|| {
        let place = BucketLocationConstraint::from(region);
        CreateBucketConfiguration::builder().location_constraint(place).build()
    });
    let create =
        s3.create_bucket().bucket(bucket).set_create_bucket_configuration(place).send().await;
    let create = create.map(drop).map_err(|error| failed(&format!("CreateBucket {bucket}"), error));
    create.or_else(|error| if is_there_already(&error) { Ok(()) } else { Err(error) })
}
