//! Shape: what is no configuration at all, whatever it says.

use super::*;

#[test]
fn an_unknown_field_is_answered_with_the_nearest() {
    let text = concat!("intervall: 30s\n", "targets: [{host: a.example.com}]\n",);
    insta::assert_snapshot!(refused(text), @"
    error: unknown field `intervall`
     --> config.yaml:1:1
      |
    1 | intervall: 30s
      | ^^^^^^^^^
      |
      = help: did you mean `interval`?
    ");
}

#[test]
fn an_unknown_field_of_a_target_is_shown_where_it_stands() {
    let text = concat!(
        "targets:\n",
        "  - host: a.example.com\n",
        "    expectedcidr: [10.0.0.0/8]\n",
    );
    insta::assert_snapshot!(refused(text), @"
    error: unknown field `expectedcidr`
     --> config.yaml:3:5
      |
    3 |     expectedcidr: [10.0.0.0/8]
      |     ^^^^^^^^^^^^
      |
      = help: did you mean `expectedCidrs`?
    ");
}

#[test]
fn an_unknown_field_without_a_near_one_is_answered_with_all() {
    let text = concat!(
        "limits: {colour: 3}\n",
        "targets: [{host: a.example.com}]\n",
    );
    insta::assert_snapshot!(refused(text), @"
    error: unknown field `colour`
     --> config.yaml:1:10
      |
    1 | limits: {colour: 3}
      |          ^^^^^^
      |
      = help: valid fields are maxTargets, maxConcurrent, minInterval, maxDnsQps
    ");
}

#[test]
fn a_field_written_twice_is_refused() {
    let text = concat!(
        "targets:\n",
        "  - host: a.example.com\n",
        "    host: b.example.com\n",
    );
    insta::assert_snapshot!(refused(text), @"
    error: the field `host` is written twice
     --> config.yaml:3:5
      |
    3 |     host: b.example.com
      |     ^^^^
      |
      = help: keep one of them
    ");
}

#[test]
fn yes_is_no_boolean() {
    let text = concat!("targets:\n", "  - host: a.example.com\n", "    http: yes\n",);
    insta::assert_snapshot!(refused(text), @"
    error: expected `true` or `false`
     --> config.yaml:3:11
      |
    3 |     http: yes
      |           ^^^
      |
      = help: write it without quotes; `yes` and `on` are not booleans
    ");
}

#[test]
fn a_word_is_no_number() {
    let text = concat!(
        "targets:\n",
        "  - host: a.example.com\n",
        "    port: https\n",
    );
    insta::assert_snapshot!(refused(text), @"
    error: expected a whole number
     --> config.yaml:3:11
      |
    3 |     port: https
      |           ^^^^^
    ");
}

#[test]
fn a_list_is_no_text() {
    let text = concat!("targets:\n", "  - host: [a, b]\n",);
    insta::assert_snapshot!(refused(text), @"
    error: expected a text
     --> config.yaml:2:11
      |
    2 |   - host: [a, b]
      |           ^
    ");
}

#[test]
fn a_mapping_is_no_list() {
    let text = concat!("targets:\n", "  host: a.example.com\n",);
    insta::assert_snapshot!(refused(text), @"
    error: expected a list (`- item`, or `[item, item]`)
     --> config.yaml:2:3
      |
    2 |   host: a.example.com
      |   ^^^^
    ");
}

#[test]
fn a_text_is_no_mapping() {
    let text = "targets: [a.example.com]\n";
    insta::assert_snapshot!(refused(text), @"
    error: expected a mapping (`field: value`)
     --> config.yaml:1:11
      |
    1 | targets: [a.example.com]
      |           ^^^^^^^^^^^^^
    ");
}

#[test]
fn a_target_needs_a_host() {
    let text = concat!("targets:\n", "  - name: a\n",);
    insta::assert_snapshot!(refused(text), @"
    error: the field `host` is missing
     --> config.yaml:2:5
      |
    2 |   - name: a
      |     ^^^^
    ");
}

#[test]
fn a_field_without_a_value_is_refused_where_one_is_needed() {
    let text = concat!("targets:\n", "  - host:\n",);
    insta::assert_snapshot!(refused(text), @"
    error: expected a text, found nothing
     --> config.yaml:2:9
      |
    2 |   - host:
      |         ^
      |
      = help: write a value, or drop the field
    ");
}

#[test]
fn an_empty_file_has_no_targets() {
    let text = "";
    insta::assert_snapshot!(refused(text), @"
    error: config.yaml: no targets: there is nothing to probe
     |
     = help: write at least one `host` under `targets`
    ");
}

#[test]
fn nothing_but_comments_or_null_is_an_empty_file() {
    for text in [
        "# targets: later\n",
        "\n\n",
        "null\n",
        "~",
        "---\n",
        "targets:\n",
        "{}",
    ] {
        assert!(refused(text).contains("no targets"), "{text:?}");
    }
}

#[test]
fn a_second_document_is_refused() {
    let text = concat!(
        "targets: [{host: a.example.com}]\n",
        "---\n",
        "targets: []\n",
    );
    insta::assert_snapshot!(refused(text), @"
    error: expected one YAML document, found another one
     --> config.yaml:3:1
      |
    3 | targets: []
      | ^^^^^^^
      |
      = help: remove `---` and what follows it
    ");
}

#[test]
fn broken_yaml_is_shown_where_it_breaks() {
    let text = concat!("targets:\n", "  - host: a.example.com\n", "   port: 3\n",);
    insta::assert_snapshot!(refused(text), @"
    error: while parsing a block collection, did not find expected '-' indicator
     --> config.yaml:3:4
      |
    3 |    port: 3
      |    ^
    ");
}

#[test]
fn an_alias_of_itself_is_refused() {
    let text = "targets: &a [*a]\n";
    insta::assert_snapshot!(refused(text), @"
    error: Recursive reference not allowed here
     --> config.yaml:1:14
      |
    1 | targets: &a [*a]
      |              ^^
    ");
}
