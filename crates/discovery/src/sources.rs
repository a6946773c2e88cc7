//! Sources: a file for each place where objects name services, with the types of the kinds that only it
//! reads.

pub(crate) mod akv2k8s;
pub(crate) mod annotations;
pub(crate) mod api_server;
pub(crate) mod dapr;
pub(crate) mod environment;
pub(crate) mod external_name;
pub(crate) mod external_secrets;
pub(crate) mod flux;
pub(crate) mod images;
pub(crate) mod keda;
pub(crate) mod secret_provider_class;
pub(crate) mod velero;
pub(crate) mod volumes;
