//! The form that every target of `fuzz_targets/` has.

pub use fuzz_harness::Target;
pub use libfuzzer_sys;
use std::sync::OnceLock;

/// Makes a program of the target with this name.
#[macro_export]
macro_rules! target {
    ($name:literal) => {
        use $crate::libfuzzer_sys;
        libfuzzer_sys::fuzz_target!(|input: &[u8]| $crate::named($name).run(input));
    };
}

/// The target with this name.
pub fn named(name: &str) -> Target {
    static TARGET: OnceLock<Target> = OnceLock::new();
    *TARGET.get_or_init(|| name.parse().expect("the program is named after a target"))
}
