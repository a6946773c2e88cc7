//! Observer: the one part that knows Kubernetes. It watches what the cluster says that it uses, and
//! publishes the targets that the agents read.
