//! Which triggers a binary has functions of, said so that the optimizer can read it.
//!
//! A codec is told the trigger as a value, so by itself it brings every trigger's decoder into every binary. Each flag
//! here is set in one place only: where a function of its trigger is made. A binary that makes none never writes the
//! flag, so link-time optimization knows its value, and what hangs on it is removed. Without that optimization the flags
//! change nothing.

use super::{FromEvent, Trigger};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

macro_rules! flags {
    ($($trigger:ident: $flag:ident,)*) => {
        $(static $flag: AtomicBool = AtomicBool::new(false);)*

        /// Notes that there is a function that takes `E`. What it notes is decided by the compiler.
        pub(crate) fn note<E: FromEvent>() {
            match E::TRIGGER {
                $(Trigger::$trigger => $flag.store(true, Relaxed),)*
            }
        }

        /// The trigger of a function that was made, as it is.
        #[inline]
        pub(crate) fn used(trigger: Trigger) -> Trigger {
            match trigger {
                $(Trigger::$trigger if $flag.load(Relaxed) => Trigger::$trigger,)*
                // Never reached: the function's maker has noted its trigger.
                _ => Trigger::Http,
            }
        }
    };
}

flags! {
    Http: HTTP,
    Queue: QUEUE,
    Timer: TIMER,
    Storage: STORAGE,
    Database: DATABASE,
    Event: EVENT,
    Direct: DIRECT,
}
