//! The examples of docs/configuration.md: whole files, each of which the agent takes.

use super::*;

#[test]
fn every_example_of_the_guide_is_a_valid_configuration() {
    let guide = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/configuration.md");
    let guide = std::fs::read_to_string(guide).expect("the guide");
    let examples: Vec<_> = guide.split("```yaml\n").skip(1).collect();
    assert!(examples.len() >= 5, "{} examples", examples.len());
    for example in examples {
        let (example, _) = example.split_once("```").expect("the example's end");
        assert!(!plan(example).targets.is_empty(), "{example}");
    }
}
