//! The objects as the watch says.

use kube::runtime::watcher::Event;
use privatelink_observer::private_link_target::objects::TargetObjects;
use serde_json::json;

use super::{listed, object, watched};

#[test]
fn a_list_that_is_read_again_replaces_the_objects_only_when_it_is_complete() {
    let host = json!({"host": "kv.vault.azure.net"});
    let mut objects = listed(&[object("a/gone", 0, &host)]);
    let names = |objects: &TargetObjects| {
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
    let mut objects = TargetObjects::default();
    assert!(!objects.is_complete(""));
    objects.take("", Event::Init);
    assert!(!objects.is_complete(""));
    objects.take("", Event::InitDone);
    assert!(objects.is_complete(""));
}

/// The objects of a list that has these names.
fn kept(names: impl Iterator<Item = String>) -> TargetObjects {
    let mut objects = TargetObjects::default();
    objects.take("", Event::Init);
    let host = json!({"host": "10.1.2.3"});
    for name in names {
        objects.take("", Event::InitApply(watched(&object(&name, 0, &host))));
    }
    objects.take("", Event::InitDone);
    objects
}

#[test]
fn of_more_objects_than_there_is_room_for_the_rest_is_counted() {
    let objects = kept((0..20_003).map(|index| format!("n-{}/o-{index}", index % 40)));
    assert_eq!(objects.iter().count(), 20_000);
    assert_eq!(objects.left_out(), 3);
}

#[test]
fn a_namespace_full_of_objects_takes_no_room_of_the_others() {
    let many = (0..1_002).map(|index| format!("a/o-{index}"));
    let mut objects = kept(many.chain(["b/own".to_owned()]));
    assert_eq!(objects.left_out(), 2);
    assert!(objects.iter().any(|kept| kept.key.namespace == "b"));
    assert_eq!(objects.iter().count(), 1_001);
    // What is kept can change, and what goes makes room.
    let host = json!({"host": "kv.vault.azure.net"});
    objects.take("", Event::Apply(watched(&object("a/o-1", 0, &host))));
    assert_eq!(objects.left_out(), 2);
    objects.take("", Event::Delete(watched(&object("a/o-1", 0, &host))));
    objects.take("", Event::Apply(watched(&object("a/o-1001", 0, &host))));
    assert_eq!((objects.left_out(), objects.iter().count()), (2, 1_001));
}
