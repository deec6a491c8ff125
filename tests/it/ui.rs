//! What the compiler says of the five mistakes that users make most: one error each, that names the mistake.

#[test]
fn each_mistake_gets_one_precise_error() {
    trybuild::TestCases::new().compile_fail("ui/*.rs");
}
