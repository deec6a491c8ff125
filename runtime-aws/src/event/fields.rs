//! The forms in which AWS's events write numbers, bytes and lists.

use super::Text;
use bytes::Bytes;
use omnifn_core::{Error, Result, json};
use serde::{
    Deserialize, Deserializer,
    de::{self, DeserializeSeed, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor},
};
use serde_json::value::RawValue;
use std::{
    fmt,
    marker::PhantomData,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

/// Structs that are read from an object, by the names of its members. Every field has a default, for a member that is not
/// there; which ones must be there, the readers say. What stands in long lists requires one at once: a list of empty
/// objects would take up many times its size. Serde's derive would also read the struct from a list, which took 45
/// KB more of a function's binary for the events that are read so.
macro_rules! object {
    ($(
        $(#[$outer:meta])*
        $visibility:vis struct $name:ident $(<$life:lifetime>)?
        $(requires $required:ident as $required_name:literal)?
        {
            $($(#[$inner:meta])* $field:ident: $ty:ty = $($key:literal)|+,)*
        }
    )*) => {$(
        $(#[$outer])*
        #[derive(Default)]
        $visibility struct $name $(<$life>)? {
            $($(#[$inner])* $field: $ty,)*
        }

        impl<'de $(: $life, $life)?> serde::Deserialize<'de> for $name $(<$life>)? {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                struct Members $(<$life>)? (std::marker::PhantomData<$name $(<$life>)?>);
                impl<'de $(: $life, $life)?> serde::de::Visitor<'de> for Members $(<$life>)? {
                    type Value = $name $(<$life>)?;
                    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                        f.write_str("an object")
                    }
                    fn visit_map<A: serde::de::MapAccess<'de>>(
                        self,
                        mut map: A,
                    ) -> Result<Self::Value, A::Error> {
                        let mut object = $name::default();
                        while let Some($crate::event::Text(name)) = map.next_key()? {
                            match &*name {
                                $($($key)|+ => object.$field = map.next_value()?,)*
                                _ => {
                                    map.next_value::<serde::de::IgnoredAny>()?;
                                }
                            }
                        }
                        $(if $crate::event::fields::Missing::is_missing(&object.$required) {
                            return Err(serde::de::Error::missing_field($required_name));
                        })?
                        Ok(object)
                    }
                }
                deserializer.deserialize_map(Members(std::marker::PhantomData))
            }
        }
    )*};
}
pub(super) use object;

/// Whether a member was not there, or said nothing.
pub(super) trait Missing {
    fn is_missing(&self) -> bool;
}

impl Missing for Text<'_> {
    fn is_missing(&self) -> bool {
        self.0.is_empty()
    }
}

impl Missing for Integer {
    fn is_missing(&self) -> bool {
        self.0.is_none()
    }
}

impl<T> Missing for Option<T> {
    fn is_missing(&self) -> bool {
        self.is_none()
    }
}

/// A whole number that is not negative, as a number or as text. `None` if it is anything else.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Integer(pub(super) Option<u64>);

impl Integer {
    /// Milliseconds since 1970.
    pub(super) fn time(self) -> Option<SystemTime> {
        UNIX_EPOCH.checked_add(Duration::from_millis(self.0?))
    }

    pub(super) fn count(self) -> Option<u32> {
        u32::try_from(self.0?).ok()
    }
}

impl<'de> Deserialize<'de> for Integer {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct AnyInteger;
        impl Visitor<'_> for AnyInteger {
            type Value = Integer;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a whole number, or one as text")
            }
            fn visit_u64<E: de::Error>(self, number: u64) -> Result<Integer, E> {
                Ok(Integer(Some(number)))
            }
            fn visit_i64<E: de::Error>(self, number: i64) -> Result<Integer, E> {
                Ok(Integer(u64::try_from(number).ok()))
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<Integer, E> {
                Ok(Integer(text.parse().ok()))
            }
            fn visit_unit<E: de::Error>(self) -> Result<Integer, E> {
                Ok(Integer(None))
            }
        }
        deserializer.deserialize_any(AnyInteger)
    }
}

/// Seconds since 1970 with a fraction, as a number or as text: the form of Kinesis and of `DynamoDB`. Read to the
/// microsecond, which is what a float of today's seconds still holds.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Seconds(pub(super) Option<SystemTime>);

impl Seconds {
    fn new(seconds: f64) -> Self {
        // 9999-12-31T23:59:59Z: beyond it no time is written in RFC 3339.
        let is_time = (0.0..253_402_300_799.0).contains(&seconds);
        let whole = Duration::try_from_secs_f64(if is_time { seconds } else { 0.0 });
        let whole = whole.ok().filter(|_| is_time).map(|time| {
            let micros = time.subsec_nanos().saturating_add(500) / 1_000;
            Duration::from_secs(time.as_secs()) + Duration::from_micros(micros.into())
        });
        Self(whole.and_then(|time| UNIX_EPOCH.checked_add(time)))
    }
}

impl<'de> Deserialize<'de> for Seconds {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct AnySeconds;
        impl Visitor<'_> for AnySeconds {
            type Value = Seconds;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a number of seconds, or one as text")
            }
            fn visit_u64<E: de::Error>(self, seconds: u64) -> Result<Seconds, E> {
                Ok(Seconds(UNIX_EPOCH.checked_add(Duration::from_secs(seconds))))
            }
            fn visit_i64<E: de::Error>(self, _: i64) -> Result<Seconds, E> {
                Ok(Seconds(None))
            }
            fn visit_f64<E: de::Error>(self, seconds: f64) -> Result<Seconds, E> {
                Ok(Seconds::new(seconds))
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<Seconds, E> {
                Ok(Seconds::new(text.parse().unwrap_or(f64::NAN)))
            }
            fn visit_unit<E: de::Error>(self) -> Result<Seconds, E> {
                Ok(Seconds(None))
            }
        }
        deserializer.deserialize_any(AnySeconds)
    }
}

/// Bytes as Java writes them: a list of numbers from -128 to 127. 128 to 255 are taken too.
#[derive(Debug, Default)]
pub(super) struct SignedBytes(pub(super) Vec<u8>);

impl<'de> Deserialize<'de> for SignedBytes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Byte(u8);
        impl<'de> Deserialize<'de> for Byte {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let number = i16::deserialize(deserializer)?;
                if !(-128..=255).contains(&number) {
                    return Err(D::Error::custom(format_args!("{number} is no byte")));
                }
                Ok(Self(number.to_le_bytes()[0]))
            }
        }
        struct List;
        impl<'de> Visitor<'de> for List {
            type Value = SignedBytes;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list of bytes as numbers")
            }
            fn visit_seq<A: de::SeqAccess<'de>>(
                self,
                mut list: A,
            ) -> Result<Self::Value, A::Error> {
                let mut bytes = Vec::new();
                while let Some(Byte(byte)) = list.next_element()? {
                    bytes.push(byte);
                }
                Ok(SignedBytes(bytes))
            }
        }
        deserializer.deserialize_seq(List)
    }
}

/// The members of an object in their order.
#[derive(Debug)]
pub(super) struct Entries<K, V>(pub(super) Vec<(K, V)>);

impl<'de, K: Deserialize<'de>, V: Deserialize<'de>> Deserialize<'de> for Entries<K, V> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Members<K, V>(PhantomData<(K, V)>);
        impl<'de, K: Deserialize<'de>, V: Deserialize<'de>> Visitor<'de> for Members<K, V> {
            type Value = Entries<K, V>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut entries = Vec::new();
                while let Some(entry) = map.next_entry()? {
                    entries.push(entry);
                }
                Ok(Entries(entries))
            }
        }
        deserializer.deserialize_map(Members(PhantomData))
    }
}

/// Reads a list item by item, and gives each with its place to a function: what that does not keep is gone.
pub(super) struct Each<T, F> {
    function: F,
    item: PhantomData<fn(T)>,
}

impl<T, F: FnMut(usize, T)> Each<T, F> {
    pub(super) fn new(function: F) -> Self {
        Self { function, item: PhantomData }
    }
}

impl<'de, T: Deserialize<'de>, F: FnMut(usize, T)> DeserializeSeed<'de> for Each<T, F> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de, T: Deserialize<'de>, F: FnMut(usize, T)> Visitor<'de> for Each<T, F> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list")
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut items: A) -> Result<(), A::Error> {
        let mut index = 0;
        while let Some(item) = items.next_element()? {
            (self.function)(index, item);
            index += 1;
        }
        Ok(())
    }
}

/// A member that is there, whatever it holds.
#[derive(Debug, Default)]
pub(super) struct Present(pub(super) bool);

impl<'de> Deserialize<'de> for Present {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        IgnoredAny::deserialize(deserializer).map(|_| Self(true))
    }
}

/// The text at the named place, which may be large: it is unescaped into no more memory than it takes.
pub(super) fn text(raw: &RawValue, place: impl FnOnce() -> String) -> Result<Text<'_>> {
    match json::text(raw) {
        Some(text) => Ok(Text(text)),
        None => Err(Error::malformed(format!("`{}` is no text", place()))),
    }
}

/// Bytes that stand as base64 at the named place.
pub(super) fn base64(raw: &RawValue, place: impl Fn() -> String) -> Result<Bytes> {
    use base64::prelude::{BASE64_STANDARD, Engine as _};
    BASE64_STANDARD
        .decode(text(raw, &place)?.0.as_bytes())
        // Without room to spare, `Bytes` need nothing beside it.
        .map(|bytes| bytes.into_boxed_slice().into())
        .map_err(|error| Error::malformed(format!("`{}` is not base64: {error}", place())))
}

/// Text where the bytes are UTF-8, else base64.
pub(super) fn text_or_base64(bytes: Vec<u8>) -> String {
    use base64::prelude::{BASE64_STANDARD, Engine as _};
    String::from_utf8(bytes).unwrap_or_else(|error| BASE64_STANDARD.encode(error.as_bytes()))
}

/// The record of this index in `{"Records": [..]}`.
pub(super) fn record(event: &Bytes, index: usize) -> Option<Bytes> {
    item(event, "Records", index)
}

/// The item of this index in a member of the event, which is a list.
pub(super) fn item(event: &Bytes, name: &str, index: usize) -> Option<Bytes> {
    let list: Vec<&RawValue> = serde_json::from_str(member(event, name)?).ok()?;
    list.get(index).map(|item| event.slice_ref(item.get().as_bytes()))
}

/// The item of this index in a member of the event, which is an object of lists.
pub(super) fn item_of_lists(event: &Bytes, name: &str, mut index: usize) -> Option<Bytes> {
    let lists: Entries<Text<'_>, &RawValue> = serde_json::from_str(member(event, name)?).ok()?;
    for (_, list) in lists.0 {
        let list: Vec<&RawValue> = serde_json::from_str(list.get()).ok()?;
        match list.get(index) {
            Some(item) => return Some(event.slice_ref(item.get().as_bytes())),
            None => index -= list.len(),
        }
    }
    None
}

fn member<'a>(event: &'a Bytes, name: &str) -> Option<&'a str> {
    let members: Entries<Text<'_>, &RawValue> = json::from_slice(event).ok()?;
    let found = members.0.into_iter().find(|(member, _)| member.0 == name)?;
    Some(found.1.get())
}

#[cfg(test)]
mod tests {
    use super::{Integer, Seconds, SignedBytes};
    use omnifn_core::rfc3339;

    #[test]
    fn integers_are_numbers_or_text() {
        let read = |json: &str| serde_json::from_str::<Integer>(json).unwrap().0;
        assert_eq!(read("7"), Some(7));
        assert_eq!(read("\"7\""), Some(7));
        for json in ["-1", "\"-1\"", "\"x\"", "null", "\"\"", "\"99999999999999999999\""] {
            assert_eq!(read(json), None, "{json}");
        }
        assert!(serde_json::from_str::<Integer>("[]").is_err());
    }

    #[test]
    fn seconds_keep_their_milliseconds() {
        let read =
            |json: &str| serde_json::from_str::<Seconds>(json).unwrap().0.map(rfc3339::format);
        for (json, time) in [
            ("1772600767.089", "2026-03-04T05:06:07.089Z"),
            ("\"1772600767.089\"", "2026-03-04T05:06:07.089Z"),
            ("1772600767", "2026-03-04T05:06:07Z"),
            ("1772600767.9999999", "2026-03-04T05:06:08Z"),
            ("1.772600767089E9", "2026-03-04T05:06:07.089Z"),
        ] {
            assert_eq!(read(json).as_deref(), Some(time), "{json}");
        }
        for milliseconds in 0..1000 {
            let json = format!("1480641523.{milliseconds:03}");
            let time = serde_json::from_str::<Seconds>(&json).unwrap().0.unwrap();
            let since = time.duration_since(std::time::UNIX_EPOCH).unwrap();
            assert_eq!(since.as_micros(), 1_480_641_523_000_000 + milliseconds * 1000);
        }
        for json in ["-1", "-1.5", "null", "1e300", "\"soon\"", "\"NaN\"", "18446744073709551615"] {
            assert_eq!(read(json).filter(|time| !time.starts_with("9999")), None, "{json}");
        }
    }

    #[test]
    fn bytes_may_have_a_sign() {
        let read = |json: &str| serde_json::from_str::<SignedBytes>(json).map(|bytes| bytes.0);
        assert_eq!(read("[104, -61, -68, 195, 188]").unwrap(), "hüü".as_bytes());
        assert!(read("[256]").is_err());
        assert!(read("[-129]").is_err());
        assert!(read("\"a\"").is_err());
    }
}
