//! A function of objects in a bucket.

use omnifn::{Context, ObjectChange, ObjectEvent, Result, each};

async fn thumbnail(object: ObjectEvent, _: Context) -> Result<()> {
    if object.change == ObjectChange::Created {
        println!("a thumbnail of {}/{}", object.bucket, object.key);
    }
    Ok(())
}

fn main() -> Result<()> {
    omnifn::run(each(thumbnail))
}

#[cfg(test)]
mod tests {
    use super::thumbnail;
    use omnifn::{Function, each, testing};

    #[tokio::test]
    async fn a_new_photo_is_taken_on_every_cloud() {
        let function = Function::new(each(thumbnail));
        let objects = testing::batch([testing::object("photos", "black cat.jpg").created()]);
        let answer = testing::invoke(&function, objects.clone()).answer().await.unwrap();
        assert_eq!(answer.to_string(), "all handled");
        testing::assert_parity(&function, [objects]).await;
    }
}
