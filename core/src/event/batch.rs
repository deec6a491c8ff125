use super::{CloudEvent, DocumentChange, Message, ObjectEvent};

/// What a cloud delivered in one go, in its order.
///
/// ```
/// use omnifn_core::{Batch, BatchOutcome, Context, Message};
///
/// // All at once; `each(handler)` takes them one by one.
/// async fn archive(batch: Batch<Message>, _: Context) -> BatchOutcome {
///     let mut outcome = BatchOutcome::success();
///     for message in &batch.items {
///         if message.json::<serde_json::Value>().is_err() {
///             outcome.fail(&message.id);
///         }
///     }
///     outcome
/// }
/// # let _ = omnifn_core::Function::new(archive);
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Batch<T> {
    /// What was delivered.
    pub items: Vec<T>,
}

impl<T> Batch<T> {
    /// A batch of these items.
    pub fn new(items: Vec<T>) -> Self {
        Self { items }
    }
}

/// One of the things that come in a [`Batch`], which [`each`](crate::each) hands to a handler one by one: [`Message`],
/// [`ObjectEvent`], [`DocumentChange`], [`CloudEvent`].
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not come in a batch",
    label = "`each` hands over a `Message`, an `ObjectEvent` or a `DocumentChange`"
)]
pub trait Item: Send + 'static {
    /// What names it in a [`BatchOutcome`](crate::BatchOutcome).
    fn id(&self) -> &str;
    /// Items with the same key are handled one after the other.
    fn order_key(&self) -> Option<&str>;
    /// Which delivery this is, if the provider says.
    fn attempt(&self) -> Option<u32>;
}

macro_rules! items {
    ($($ty:ty: $order_key:expr;)*) => {$(
        impl Item for $ty {
            fn id(&self) -> &str {
                &self.id
            }
            fn order_key(&self) -> Option<&str> {
                let order_key: fn(&Self) -> Option<&str> = $order_key;
                order_key(self)
            }
            fn attempt(&self) -> Option<u32> {
                self.attempt
            }
        }
    )*};
}

items! {
    Message: |message| message.order_key.as_deref();
    ObjectEvent: |_| None;
    DocumentChange: |change| change.order_key.as_deref();
}

impl Item for CloudEvent {
    fn id(&self) -> &str {
        &self.id
    }
    fn order_key(&self) -> Option<&str> {
        None
    }
    fn attempt(&self) -> Option<u32> {
        None
    }
}
