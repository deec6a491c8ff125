use super::Cloud;
use std::sync::Weak;
pub(super) async fn fire(_: Weak<Cloud>) {}
