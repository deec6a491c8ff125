use super::{
    Call, NAME,
    api::{failed, found, is_there_already},
    limits::LARGEST_DIRECT,
};
use crate::{ApplyContext, Code, Error, Event, Result};
use aws_sdk_lambda::{primitives::Blob, types::FunctionCode};
use aws_sdk_s3::{
    primitives::ByteStream,
    types::{BucketLocationConstraint, CreateBucketConfiguration},
};

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
        let body = ByteStream::from(artifact.archive.clone());
        let put =
            s3.put_object().bucket(&bucket).key(&key).expected_bucket_owner(&call.names.account);
        put.body(body)
            .send()
            .await
            .map_err(|error| failed(&format!("PutObject {bucket}/{key}"), error))?;
    }
    told(artifact.size);
    Ok(FunctionCode::builder().s3_bucket(bucket).s3_key(key).build())
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
