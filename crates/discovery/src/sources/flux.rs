//! Flux: OCI, Helm and image repositories.

use crate::finder::{Finder, How, Wanted};
use crate::kind::{Kind, Resource};
use crate::lenient::record;
use crate::metadata::Metadata;
use crate::source::Source;
use crate::sources::images;

record! {
    /// A repository with a URL.
    pub(crate) UrlSpec {
        /// `oci://contoso.azurecr.io/manifests`.
        url: String = "url",
    }
}

record! {
    /// A repository of OCI artifacts.
    pub(crate) OciRepository {
        /// Where it is.
        spec: UrlSpec = "spec",
    }
}

impl Kind for OciRepository {
    const RESOURCE: Resource = Resource::custom(
        "source.toolkit.fluxcd.io",
        &["v1", "v1beta2"],
        "OCIRepository",
        "ocirepositories",
    );

    fn find(&self, _: &Metadata, finder: &mut Finder<'_>) {
        finder.from(Source::Flux, |finder| {
            finder.url(&self.spec.url, Wanted::Any, How::default());
        });
    }
}

record! {
    /// A repository of Helm charts: a registry, or files behind HTTPS.
    pub(crate) HelmRepository {
        /// Where it is.
        spec: UrlSpec = "spec",
    }
}

impl Kind for HelmRepository {
    const RESOURCE: Resource = Resource::custom(
        "source.toolkit.fluxcd.io",
        &["v1", "v1beta2"],
        "HelmRepository",
        "helmrepositories",
    );

    fn find(&self, _: &Metadata, finder: &mut Finder<'_>) {
        finder.from(Source::Flux, |finder| {
            finder.url(&self.spec.url, Wanted::Any, How::default());
        });
    }
}

record! {
    /// An image whose tags are watched.
    pub(crate) ImageRepository {
        /// Which.
        spec: ImageSpec = "spec",
    }
}

record! {
    /// The name of an image, without a tag.
    pub(crate) ImageSpec {
        /// `contoso.azurecr.io/app`.
        image: String = "image",
    }
}

impl Kind for ImageRepository {
    const RESOURCE: Resource = Resource::custom(
        "image.toolkit.fluxcd.io",
        &["v1", "v1beta2"],
        "ImageRepository",
        "imagerepositories",
    );

    fn find(&self, _: &Metadata, finder: &mut Finder<'_>) {
        finder.from(Source::Flux, |finder| {
            images::image(&self.spec.image, How::default(), finder);
        });
    }
}
