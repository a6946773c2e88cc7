//! The objects as the watch says.

use kube::runtime::watcher::Event;
use serde_json::json;

use super::{listed, object, watched};

#[test]
fn a_list_that_is_read_again_replaces_the_objects_only_when_it_is_complete() {
    let host = json!({"host": "kv.vault.azure.net"});
    let mut objects = listed(&[object("a/gone", 0, &host)]);
    let names = |objects: &privatelink_observer::private_link_target::objects::TargetObjects| {
        let mut names: Vec<_> = objects.iter().map(|kept| kept.key.name.clone()).collect();
        names.sort();
        names.join(" ")
    };
    objects.take("", Event::Init);
    objects.take("", Event::InitApply(watched(&object("a/new", 0, &host))));
    assert_eq!(names(&objects), "gone");
    objects.take("", Event::InitDone);
    assert_eq!(names(&objects), "new");
    objects.take("", Event::Apply(watched(&object("a/more", 0, &host))));
    assert_eq!(names(&objects), "more new");
    objects.take(
        "",
        Event::Delete(watched(&object("a/new", 0, &json!("anything")))),
    );
    assert_eq!(names(&objects), "more");
}

#[test]
fn before_the_first_list_is_complete_nothing_is_known() {
    let mut objects = privatelink_observer::private_link_target::objects::TargetObjects::default();
    assert!(!objects.is_complete(""));
    objects.take("", Event::Init);
    assert!(!objects.is_complete(""));
    objects.take("", Event::InitDone);
    assert!(objects.is_complete(""));
}

#[test]
fn of_more_objects_than_there_is_room_for_the_rest_is_counted() {
    let mut objects = privatelink_observer::private_link_target::objects::TargetObjects::default();
    objects.take("", Event::Init);
    let host = json!({"host": "kv.vault.azure.net"});
    for index in 0..20_003 {
        let object = object(&format!("a/{index}"), 0, &host);
        objects.take("", Event::InitApply(watched(&object)));
    }
    objects.take("", Event::InitDone);
    assert_eq!(objects.iter().count(), 20_000);
    assert_eq!(objects.left_out(), 3);
}
