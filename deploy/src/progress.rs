use crate::{Scope, Step};

/// Told what goes on, as it happens.
pub trait Progress: Send + Sync {
    /// Something happened.
    fn on(&self, event: Event<'_>);
}

/// Every function that takes an [`Event`] will do: `&|event| ...`.
impl<F: Fn(Event<'_>) + Send + Sync> Progress for F {
    fn on(&self, event: Event<'_>) {
        self(event);
    }
}

/// What goes on.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum Event<'a> {
    /// A step begins.
    Started {
        /// Whose.
        provider: &'static str,
        /// For which function.
        scope: &'a Scope,
        /// The step.
        step: &'a Step,
        /// Its number, from 1.
        number: usize,
        /// How many there are.
        all: usize,
    },
    /// Bytes of an archive are on their way.
    Uploaded {
        /// Whose.
        provider: &'static str,
        /// For which function.
        scope: &'a Scope,
        /// How many bytes the provider has.
        sent: u64,
        /// How many there are.
        all: u64,
    },
    /// The provider needs time.
    Waiting {
        /// Whose.
        provider: &'static str,
        /// For which function.
        scope: &'a Scope,
        /// For what.
        what: &'a str,
    },
    /// A call is tried again.
    Retried {
        /// Whose.
        provider: &'static str,
        /// For which function.
        scope: &'a Scope,
        /// The call.
        operation: &'a str,
        /// Why.
        reason: &'a str,
    },
    /// A step is done.
    Finished {
        /// Whose.
        provider: &'static str,
        /// For which function.
        scope: &'a Scope,
        /// The step.
        step: &'a Step,
        /// Its number, from 1.
        number: usize,
        /// How many there are.
        all: usize,
    },
}

/// Tells nobody.
#[derive(Clone, Copy, Debug, Default)]
pub struct Silent;

impl Progress for Silent {
    fn on(&self, _: Event<'_>) {}
}
