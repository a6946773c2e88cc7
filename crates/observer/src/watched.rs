//! Watched: an object as a watch delivers it. Of its metadata only what discovery reads is kept.

use std::borrow::Cow;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::api::ApiResource;
use kube::core::DynamicResourceScope;
use privatelink_discovery::{Kind, Object};
use serde::{Deserialize, Deserializer};

/// An object of the kind `K`.
#[derive(Clone, Debug)]
pub(crate) struct Watched<K> {
    pub(crate) object: Object<K>,
    /// What kube's watcher needs: the version.
    meta: ObjectMeta,
}

impl<'de, K: Kind> Deserialize<'de> for Watched<K> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let object = Object::deserialize(deserializer)?;
        let meta = ObjectMeta {
            resource_version: Some(object.metadata.resource_version.clone()),
            ..ObjectMeta::default()
        };
        Ok(Self { object, meta })
    }
}

impl<K: Kind> kube::Resource for Watched<K> {
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
