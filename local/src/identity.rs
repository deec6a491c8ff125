//! Ids in the forms the clouds give them. Made up: nothing here needs to be hard to guess.

use std::{
    hash::{BuildHasher as _, Hasher as _, RandomState},
    time::{SystemTime, UNIX_EPOCH},
};

/// 64 random bits.
pub(crate) fn random() -> u64 {
    RandomState::new().build_hasher().finish()
}

/// A random UUID, as request ids are.
pub(crate) fn uuid() -> String {
    let (high, low) = (random(), random());
    format!(
        "{:08x}-{:04x}-4{:03x}-{:04x}-{:012x}",
        high >> 32,
        high >> 16 & 0xffff,
        high & 0xfff,
        low >> 48 & 0x3fff | 0x8000,
        low & 0xffff_ffff_ffff
    )
}

/// A fresh `X-Amzn-Trace-Id`, sampled.
pub(crate) fn xray_trace(now: SystemTime) -> String {
    let seconds = unix_millis(now) / 1000;
    format!(
        "Root=1-{seconds:08x}-{:08x}{:016x};Parent={:016x};Sampled=1",
        random() >> 32,
        random(),
        random()
    )
}

/// A fresh `X-Cloud-Trace-Context`, sampled.
pub(crate) fn cloud_trace() -> String {
    format!("{:016x}{:016x}/{};o=1", random(), random(), random())
}

/// Milliseconds since 1970; 0 for what was before.
pub(crate) fn unix_millis(time: SystemTime) -> u128 {
    time.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis())
}

#[cfg(test)]
mod tests {
    use super::{uuid, xray_trace};
    use std::time::{Duration, UNIX_EPOCH};

    #[test]
    fn ids_have_the_form_of_the_clouds() {
        let id = uuid();
        assert_eq!(id.len(), 36, "{id}");
        assert_eq!(&id[14..15], "4", "{id}");
        assert_ne!(id, uuid());
        let trace = xray_trace(UNIX_EPOCH + Duration::from_secs(0x5f00_0000));
        assert!(trace.starts_with("Root=1-5f000000-"), "{trace}");
        assert_eq!(trace.len(), "Root=1-5f000000-;Parent=;Sampled=1".len() + 24 + 16, "{trace}");
    }
}
