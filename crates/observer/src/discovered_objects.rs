//! Discovered objects: the objects that discovery reads, as a watch delivers them. What each says is kept
//! in the index, and of the object itself nothing.

use std::borrow::Cow;
use std::marker::PhantomData;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::api::ApiResource;
use kube::core::{DynamicResourceScope, GroupVersionKind};
use kube::runtime::watcher;
use kube::{Api, Client};
use privatelink_discovery::{Event, Key, Kind, Object, Resource};
use serde::{Deserialize, Deserializer};

use crate::Shared;
use crate::watch::Watched;

/// Pods that ended use nothing any more, so the API server need not send them.
const RUNNING: &str = "status.phase!=Succeeded,status.phase!=Failed";

/// The objects of the kind `K`.
pub(crate) struct Objects<K>(PhantomData<K>);

impl<K: Kind> Watched for Objects<K> {
    type Object = SlimObject<K>;

    const RESOURCE: Resource = K::RESOURCE;

    fn api(client: Client, namespace: &str, version: &str) -> Api<SlimObject<K>> {
        let Resource {
            group,
            kind,
            plural,
            ..
        } = K::RESOURCE;
        let gvk = GroupVersionKind::gvk(group, version, kind);
        let resource = ApiResource::from_gvk_with_plural(&gvk, plural);
        if namespace.is_empty() {
            Api::all_with(client, &resource)
        } else {
            Api::namespaced_with(client, namespace, &resource)
        }
    }

    fn config(_: &Shared, config: watcher::Config) -> watcher::Config {
        if K::RESOURCE.kind == "Pod" {
            config.fields(RUNNING)
        } else {
            config
        }
    }

    fn take(shared: &Shared, scope: &str, event: watcher::Event<SlimObject<K>>) {
        let found = |slim: &SlimObject<K>| slim.object.find(&shared.rules.borrow().discovery);
        let event = match event {
            watcher::Event::Init => Event::Init,
            watcher::Event::InitApply(slim) => Event::InitApply(slim.key(), found(&slim)),
            watcher::Event::InitDone => Event::InitDone,
            watcher::Event::Apply(slim) => Event::Apply(slim.key(), found(&slim)),
            watcher::Event::Delete(slim) => Event::Delete(slim.key()),
        };
        shared.index().take(K::RESOURCE.kind, scope, event);
    }
}

/// An object of the kind `K`. Of its metadata only what discovery reads is there.
#[derive(Clone, Debug)]
pub(crate) struct SlimObject<K> {
    object: Object<K>,
    /// What kube's watcher needs: the version.
    meta: ObjectMeta,
}

impl<K> SlimObject<K> {
    fn key(&self) -> Key {
        let metadata = &self.object.metadata;
        Key {
            namespace: metadata.namespace.clone(),
            name: metadata.name.clone(),
        }
    }
}

impl<'de, K: Kind> Deserialize<'de> for SlimObject<K> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let object = Object::deserialize(deserializer)?;
        let meta = ObjectMeta {
            resource_version: Some(object.metadata.resource_version.clone()),
            ..ObjectMeta::default()
        };
        Ok(Self { object, meta })
    }
}

impl<K: Kind> kube::Resource for SlimObject<K> {
    type DynamicType = ApiResource;
    type Scope = DynamicResourceScope;

    fn kind(resource: &ApiResource) -> Cow<'_, str> {
        resource.kind.as_str().into()
    }

    fn group(resource: &ApiResource) -> Cow<'_, str> {
        resource.group.as_str().into()
    }

    fn version(resource: &ApiResource) -> Cow<'_, str> {
        resource.version.as_str().into()
    }

    fn plural(resource: &ApiResource) -> Cow<'_, str> {
        resource.plural.as_str().into()
    }

    fn meta(&self) -> &ObjectMeta {
        &self.meta
    }

    fn meta_mut(&mut self) -> &mut ObjectMeta {
        &mut self.meta
    }
}
