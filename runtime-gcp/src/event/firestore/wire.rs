//! Protobuf's wire format (protobuf.dev/programming-guides/encoding): fields of a number and a payload, one after the
//! other. Groups are refused: proto3 has none.

/// What is wrong with a message, and where: `value.fields.address.city`.
#[derive(Debug)]
pub(super) struct Broken {
    path: String,
    what: &'static str,
}

impl Broken {
    pub(super) fn new(what: &'static str) -> Self {
        Self { path: String::new(), what }
    }

    /// The same, seen from the message around it. A name comes from outside and may be of any length.
    pub(super) fn within(mut self, name: &str) -> Self {
        const LONGEST: usize = 64;
        let name: String = name.chars().take(LONGEST).collect();
        if self.path.is_empty() {
            self.path = name;
        } else if self.path.len() < 8 * LONGEST {
            self.path = format!("{name}.{}", self.path);
        }
        self
    }
}

impl From<Broken> for omnifn_core::Error {
    fn from(broken: Broken) -> Self {
        let Broken { path, what } = broken;
        let place = if path.is_empty() { String::new() } else { format!(" at `{path}`") };
        Self::malformed(format!("the Firestore event's data is broken{place}: {what}"))
    }
}

/// What a field holds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Payload<'a> {
    Varint(u64),
    Fixed64(u64),
    /// Text, bytes or a message.
    Bytes(&'a [u8]),
    Fixed32,
}

const WRONG: &str = "a field has a payload of another kind than its type";

impl<'a> Payload<'a> {
    pub(super) fn bytes(self) -> Result<&'a [u8], Broken> {
        match self {
            Self::Bytes(bytes) => Ok(bytes),
            _ => Err(Broken::new(WRONG)),
        }
    }

    pub(super) fn text(self) -> Result<&'a str, Broken> {
        std::str::from_utf8(self.bytes()?).map_err(|_| Broken::new("a text is not UTF-8"))
    }

    pub(super) fn varint(self) -> Result<u64, Broken> {
        match self {
            Self::Varint(number) => Ok(number),
            _ => Err(Broken::new(WRONG)),
        }
    }

    /// Negative numbers are varints of ten bytes.
    pub(super) fn int64(self) -> Result<i64, Broken> {
        Ok(i64::from_ne_bytes(self.varint()?.to_ne_bytes()))
    }

    /// The lower half: that is what a reader makes of more bits than there should be.
    pub(super) fn int32(self) -> Result<i32, Broken> {
        let [a, b, c, d, ..] = self.varint()?.to_le_bytes();
        Ok(i32::from_le_bytes([a, b, c, d]))
    }

    pub(super) fn double(self) -> Result<f64, Broken> {
        match self {
            Self::Fixed64(bits) => Ok(f64::from_bits(bits)),
            _ => Err(Broken::new(WRONG)),
        }
    }
}

/// The fields of a message, in their order. After a failure there are no more.
#[derive(Clone, Debug)]
pub(super) struct Fields<'a> {
    rest: &'a [u8],
}

impl<'a> Fields<'a> {
    pub(super) fn of(message: &'a [u8]) -> Self {
        Self { rest: message }
    }

    fn read(&mut self) -> Result<(u32, Payload<'a>), Broken> {
        let key = u32::try_from(self.varint()?);
        let key = key.map_err(|_| Broken::new("a field's number is too large"))?;
        let (number, kind) = (key >> 3, key & 7);
        if number == 0 {
            return Err(Broken::new("a field has the number 0"));
        }
        let payload = match kind {
            0 => Payload::Varint(self.varint()?),
            1 => Payload::Fixed64(u64::from_le_bytes(self.fixed()?)),
            2 => {
                let length = usize::try_from(self.varint()?).unwrap_or(usize::MAX);
                let Some((bytes, rest)) = self.rest.split_at_checked(length) else {
                    return Err(Broken::new("a field is longer than the message that holds it"));
                };
                self.rest = rest;
                Payload::Bytes(bytes)
            }
            3 | 4 => return Err(Broken::new("it holds a group, which proto3 does not have")),
            5 => {
                let _: [u8; 4] = self.fixed()?;
                Payload::Fixed32
            }
            _ => return Err(Broken::new("a field's payload is of a kind that does not exist")),
        };
        Ok((number, payload))
    }

    /// Seven bits a byte, the lowest first; the tenth byte has room for one bit.
    fn varint(&mut self) -> Result<u64, Broken> {
        let mut number = 0;
        for index in 0..10 {
            let Some((byte, rest)) = self.rest.split_first() else {
                return Err(Broken::new("it ends within a number"));
            };
            self.rest = rest;
            if index == 9 && *byte > 1 {
                break;
            }
            number |= u64::from(byte & 0x7f) << (7 * index);
            if byte & 0x80 == 0 {
                return Ok(number);
            }
        }
        Err(Broken::new("a number has more than 64 bits"))
    }

    fn fixed<const N: usize>(&mut self) -> Result<[u8; N], Broken> {
        let Some((bytes, rest)) = self.rest.split_first_chunk() else {
            return Err(Broken::new("it ends within a number"));
        };
        self.rest = rest;
        Ok(*bytes)
    }
}

impl<'a> Iterator for Fields<'a> {
    type Item = Result<(u32, Payload<'a>), Broken>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let field = self.read();
        if field.is_err() {
            self.rest = &[];
        }
        Some(field)
    }
}
