//! Workload: pods, and the controllers whose templates make pods. What a pod says is read by every source
//! that concerns pods; a controller's template counts although it has no pod at the moment.

use crate::finder::Finder;
use crate::kind::{Kind, Resource};
use crate::lenient::{Present, Texts, record};
use crate::metadata::{HostsAnnotation, Metadata};
use crate::source::Source;
use crate::sources::{
    annotations, api_server, environment, images, secret_provider_class, volumes,
};
use crate::user::{JOB, User};

record! {
    /// A pod.
    pub(crate) Pod {
        /// What it runs.
        spec: PodSpec = "spec",
        /// How far it is.
        status: PodStatus = "status",
    }
}

record! {
    /// How far a pod is.
    pub(crate) PodStatus {
        /// `Succeeded` and `Failed` pods use nothing any more.
        phase: String = "phase",
    }
}

record! {
    /// What a pod runs.
    pub(crate) PodSpec {
        /// Its containers.
        containers: Vec<Container> = "containers",
        /// Those that run before, and sidecars.
        init_containers: Vec<Container> = "initContainers",
        /// Those that a person added to debug it.
        ephemeral_containers: Vec<Container> = "ephemeralContainers",
        /// Its volumes.
        volumes: Vec<Volume> = "volumes",
    }
}

record! {
    /// A container.
    pub(crate) Container {
        /// Its image.
        image: String = "image",
        /// Its environment.
        environment: Vec<Variable> = "env",
        /// Its program.
        command: Vec<String> = "command",
        /// The program's arguments.
        arguments: Vec<String> = "args",
    }
}

record! {
    /// A variable of a container's environment.
    pub(crate) Variable {
        /// The name.
        name: String = "name",
        /// The value, if it is written here.
        value: String = "value",
    }
}

record! {
    /// A volume of a pod.
    pub(crate) Volume {
        /// The name.
        name: String = "name",
        /// A volume of a CSI driver, written in the pod.
        csi: CsiVolume = "csi",
        /// A share of Azure Files, written in the pod.
        azure_file: AzureFile = "azureFile",
        /// A share behind an NFS server.
        nfs: Nfs = "nfs",
        /// A volume of a `FlexVolume` driver.
        flex: FlexVolume = "flexVolume",
        /// The content of an image.
        image: ImageVolume = "image",
        /// A claim.
        claim: ClaimVolume = "persistentVolumeClaim",
        /// A claim that is made for the pod.
        ephemeral: Present = "ephemeral",
    }
}

record! {
    /// A volume of a CSI driver.
    pub(crate) CsiVolume {
        /// The driver's name; empty where there is no such volume.
        driver: String = "driver",
        /// How the driver calls the volume; only of persistent ones.
        handle: String = "volumeHandle",
        /// The driver's settings for it.
        attributes: Texts = "volumeAttributes",
        /// The secret of a persistent volume.
        stage_secret: Present = "nodeStageSecretRef",
        /// The secret of a volume in a pod.
        publish_secret: Present = "nodePublishSecretRef",
    }
}

record! {
    /// A share of Azure Files, without a CSI driver.
    pub(crate) AzureFile {
        /// The secret with the account's name and key; empty where there is no such volume.
        secret_name: String = "secretName",
    }
}

record! {
    /// A share behind an NFS server.
    pub(crate) Nfs {
        /// The server; empty where there is no such volume.
        server: String = "server",
    }
}

record! {
    /// A volume of a `FlexVolume` driver.
    pub(crate) FlexVolume {
        /// The driver's name; empty where there is no such volume.
        driver: String = "driver",
    }
}

record! {
    /// A volume that is the content of an image.
    pub(crate) ImageVolume {
        /// The image's name.
        reference: String = "reference",
    }
}

record! {
    /// A volume that is a claim.
    pub(crate) ClaimVolume {
        /// The claim's name.
        name: String = "claimName",
    }
}

impl PodSpec {
    /// Every container.
    pub(crate) fn all_containers(&self) -> impl Iterator<Item = &Container> {
        let lists = [
            &self.containers,
            &self.init_containers,
            &self.ephemeral_containers,
        ];
        lists.into_iter().flatten()
    }
}

/// What the sources read of a workload.
pub(crate) struct Workload<'a> {
    pub(crate) kind: &'static str,
    pub(crate) metadata: &'a Metadata,
    /// The annotation of the template, where there is one.
    pub(crate) template_hosts: &'a str,
    pub(crate) spec: &'a PodSpec,
    /// The templates of the claims that each of its pods gets.
    pub(crate) claim_templates: &'a [ClaimTemplate],
}

impl Workload<'_> {
    fn find(&self, finder: &mut Finder<'_>) {
        finder.used_by(match self.kind {
            // The pods of other controllers name the controller, so its own owner must not count beside it.
            "Pod" | JOB => User::maker(self.kind, self.metadata),
            kind => User::itself(kind, self.metadata),
        });
        finder.from(Source::Images, |finder| images::find(self, finder));
        finder.from(Source::SecretProviderClasses, |finder| {
            secret_provider_class::mounts(self, finder);
        });
        finder.from(Source::Volumes, |finder| volumes::mounts(self, finder));
        finder.from(Source::ApiServer, |finder| api_server::find(self, finder));
        finder.from(Source::Annotations, |finder| {
            annotations::read(&self.metadata.hosts.0, finder);
            annotations::read(self.template_hosts, finder);
        });
        finder.from(Source::Environment, |finder| {
            environment::find(self, finder);
        });
    }
}

impl Kind for Pod {
    const RESOURCE: Resource = Resource::built_in("", "Pod", "pods");

    fn find(&self, metadata: &Metadata, finder: &mut Finder<'_>) {
        if matches!(self.status.phase.as_str(), "Succeeded" | "Failed") {
            return;
        }
        let workload = Workload {
            kind: Self::RESOURCE.kind,
            metadata,
            template_hosts: "",
            spec: &self.spec,
            claim_templates: &[],
        };
        workload.find(finder);
    }
}

record! {
    /// The pods that a controller makes.
    pub(crate) Template {
        /// Their metadata.
        metadata: TemplateMetadata = "metadata",
        /// What they run.
        spec: PodSpec = "spec",
    }
}

record! {
    /// The metadata of the pods that a controller makes.
    pub(crate) TemplateMetadata {
        /// Their annotations.
        hosts: HostsAnnotation = "annotations",
    }
}

record! {
    /// What a controller makes.
    pub(crate) ControllerSpec {
        /// Its pods.
        template: Template = "template",
        /// The claims that each pod of a `StatefulSet` gets.
        claim_templates: Vec<ClaimTemplate> = "volumeClaimTemplates",
    }
}

record! {
    /// A claim that each pod of a `StatefulSet` gets.
    pub(crate) ClaimTemplate {
        /// Its metadata.
        metadata: ClaimMetadata = "metadata",
    }
}

record! {
    /// The metadata of such a claim.
    pub(crate) ClaimMetadata {
        /// What its name begins with.
        name: String = "name",
    }
}

impl ControllerSpec {
    fn find(&self, kind: &'static str, metadata: &Metadata, finder: &mut Finder<'_>) {
        let Template {
            metadata: of_pods,
            spec,
        } = &self.template;
        let workload = Workload {
            kind,
            metadata,
            template_hosts: &of_pods.hosts.0,
            spec,
            claim_templates: &self.claim_templates,
        };
        workload.find(finder);
    }
}

/// Defines a controller whose pods are in `spec.template`.
macro_rules! controllers {
    ($($(#[$about:meta])* $name:ident $plural:literal,)+) => {
        $(record! {
            $(#[$about])*
            pub(crate) $name {
                /// What it makes.
                spec: ControllerSpec = "spec",
            }
        }

        impl Kind for $name {
            const RESOURCE: Resource = Resource::built_in("apps", stringify!($name), $plural);

            fn find(&self, metadata: &Metadata, finder: &mut Finder<'_>) {
                self.spec.find(Self::RESOURCE.kind, metadata, finder);
            }
        })+
    };
}

controllers! {
    /// A Deployment.
    Deployment "deployments",
    /// A `StatefulSet`.
    StatefulSet "statefulsets",
    /// A `DaemonSet`.
    DaemonSet "daemonsets",
}

record! {
    /// A Job. Where it is a `CronJob`'s, that is the user.
    pub(crate) Job {
        /// What it makes.
        spec: ControllerSpec = "spec",
        /// How far it is.
        status: JobStatus = "status",
    }
}

record! {
    /// How far a Job is.
    pub(crate) JobStatus {
        /// What is true of it.
        conditions: Vec<Condition> = "conditions",
    }
}

record! {
    /// What is true of a Job.
    pub(crate) Condition {
        /// What.
        kind: String = "type",
        /// `True`, unless it is not.
        status: String = "status",
    }
}

impl Kind for Job {
    const RESOURCE: Resource = Resource::built_in("batch", "Job", "jobs");

    fn find(&self, metadata: &Metadata, finder: &mut Finder<'_>) {
        let is_over = |condition: &Condition| {
            matches!(condition.kind.as_str(), "Complete" | "Failed") && condition.status == "True"
        };
        if !self.status.conditions.iter().any(is_over) {
            self.spec.find(Self::RESOURCE.kind, metadata, finder);
        }
    }
}

record! {
    /// A `CronJob`.
    pub(crate) CronJob {
        /// What it makes.
        spec: CronJobSpec = "spec",
    }
}

record! {
    /// What a `CronJob` makes.
    pub(crate) CronJobSpec {
        /// Its Jobs.
        job: JobTemplate = "jobTemplate",
    }
}

record! {
    /// The Jobs that a `CronJob` makes.
    pub(crate) JobTemplate {
        /// What they make.
        spec: ControllerSpec = "spec",
    }
}

impl Kind for CronJob {
    const RESOURCE: Resource = Resource::built_in("batch", "CronJob", "cronjobs");

    fn find(&self, metadata: &Metadata, finder: &mut Finder<'_>) {
        let jobs = &self.spec.job.spec;
        jobs.find(Self::RESOURCE.kind, metadata, finder);
    }
}
