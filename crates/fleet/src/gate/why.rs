//! Why the gate cannot tell, or does not judge a target.

use privatelink_verdict::words;

use crate::WhyUncovered;
use crate::words::advised_words;

advised_words! {
    /// Why the gate cannot tell.
    WhyUnknown;
    NoAgent = "no_agent",
        means "The node runs no agent.",
        remedy "Let the DaemonSet of the agents run there (its node selector and tolerations), or excuse such nodes with --allow-uncovered.";
    Windows = "windows",
        means "There is no agent for Windows nodes.",
        remedy "Check these nodes by hand, or excuse them with --allow-uncovered.";
    Virtual = "virtual",
        means "A virtual node runs no DaemonSets, and so no agent.",
        remedy "Check what runs there by hand, or excuse such nodes with --allow-uncovered.";
    NodeNotReady = "node_not_ready",
        means "The node is not ready, and its agent is not heard.",
        remedy "Repair or remove the node, then ask again.";
    AgentNotReady = "agent_not_ready",
        means "The agent's pod on the node is not ready.",
        remedy "Look at the events of the agent's pod on that node.";
    AgentSilent = "agent_silent",
        means "The agent on the node has not answered the observer for over five minutes.",
        remedy "Look for what lies between the observer and the agent's port: a network policy, or the node itself.";
    AgentUnreadable = "agent_unreadable",
        means "The observer cannot read what the agent answers.",
        remedy "Update the agents and the observer to the same version.";
    ClockWrong = "clock_wrong",
        means "The clock of the agent's node is wrong by over a minute, or was when the agent started, so since when names are answered is not known.",
        remedy "Correct the time of the node, then delete the agent's pod on it, so that it starts again.";
    NotRead = "not_read",
        means "The observer has not read the agent yet.",
        remedy "Ask again in a minute.";
    Gap = "gap",
        means "The name was not answered for over five minutes within the window, so its addresses in that time are not known.",
        remedy "Wait until the window holds no gap, or ask with a shorter --window.";
    AgentYoung = "agent_young",
        means "The agent has run for a shorter time than the window, and was away for over five minutes before.",
        remedy "Wait until it has run for the window, or ask with a shorter --window.";
    TargetYoung = "target_young",
        means "The target has been watched for a shorter time than the window.",
        remedy "Wait until it has been watched for the window, or ask with a shorter --window.";
    TargetAbsent = "target_absent",
        means "The agent on the node does not have this target.",
        remedy "Give all agents the same configuration, or wait until they have loaded it.";
    OnePath = "one_path",
        means "Only one path to the target is watched, so the other one is not known.",
        remedy "Configure the resolver of the other path: clusterDns in the chart's values for pods.";
    HistoryYoung = "history_young",
        means "Nodes have been watched for a shorter time than the window, so nodes that left before are not known.",
        remedy "Wait until the observer has watched for the window, or ask with a shorter --window.";
    HistoryLost = "history_lost",
        means "What the observer remembered could not be read after its restart, so it began anew.",
        remedy "Wait until the observer has watched for the window, or ask with a shorter --window.";
    ObserverAway = "observer_away",
        means "The observer was away within the window, or could not watch the nodes, so nodes that came and went in that time are not known.",
        remedy "Wait until the window holds no such time, or ask with a shorter --window.";
    WindowTooLong = "window_too_long",
        means "The window is longer than what is remembered, which is seven days.",
        remedy "Ask with a --window of at most 168h.";
    DepartedForgotten = "departed_forgotten",
        means "So many nodes left within the window that not all are remembered.",
        remedy "Ask with a shorter --window.";
    NodesLeftOff = "nodes_left_off",
        means "The cluster has more nodes than are kept.",
        remedy "Ask the agents of the other nodes directly.";
    PathsLeftOff = "paths_left_off",
        means "The nodes have more targets, resolvers, or different sets of these than are remembered.",
        remedy "Give all agents the same configuration, with fewer targets or resolvers.";
    NodesNotListed = "nodes_not_listed",
        means "The nodes of the cluster cannot be listed now, so those without an agent are not known.",
        remedy "Give the observer the right to list and watch nodes (observer.namespaces takes it away), or excuse such nodes with --allow-uncovered.";
    UnnamedServices = "unnamed_services",
        means "The cluster uses services that discovery could not name, or that agents have no room for or have not taken over, so no agent watches them.",
        remedy "Ask again in two minutes, when agents have the observer's latest targets; then look at the observer's list of what it could not name, and write these hosts as targets, or raise limits.maxTargets.";
    SourcesUnknown = "sources_unknown",
        means "There may be services that no agent watches, since it is not known what these sources of targets say.",
        remedy "Ask the observer, and look at the states of the sources on its page: give it the right to list and watch them, or switch off those that are not used.";
    NoNodes = "no_nodes",
        means "No node was judged: none is selected, or all of them have just joined.",
        remedy "Check the --selector, or ask again in ten minutes.";
    NoPrivateTargets = "no_private_targets",
        means "No target expects a private endpoint.",
        remedy "Write the services as targets with expect: privateEndpoint, or check the name given with --target.";
}

impl WhyUnknown {
    /// Whether `--allow-uncovered` excuses it: no agent can be there, or nobody can say where none is.
    pub(crate) const fn is_excusable(self) -> bool {
        matches!(
            self,
            Self::NoAgent | Self::Windows | Self::Virtual | Self::NodesNotListed
        )
    }
}

impl From<WhyUncovered> for WhyUnknown {
    fn from(why: WhyUncovered) -> Self {
        match why {
            WhyUncovered::NoAgent => Self::NoAgent,
            WhyUncovered::AgentNotReady => Self::AgentNotReady,
            WhyUncovered::NotRead => Self::NotRead,
            WhyUncovered::AgentSilent => Self::AgentSilent,
            WhyUncovered::AgentUnreadable => Self::AgentUnreadable,
            WhyUncovered::NodeNotReady => Self::NodeNotReady,
            WhyUncovered::Windows => Self::Windows,
            WhyUncovered::Virtual => Self::Virtual,
        }
    }
}

words! {
    /// Why the gate does not judge a target.
    WhyNotJudged {
        /// No node expects a private endpoint of it, and none did within the window: it is public today, so whether it needs public access is for you to say.
        Public = "public",
        /// It is reached through a service endpoint, which needs the public address.
        ServiceEndpoint = "service_endpoint",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_has_one_sentence_of_meaning_and_one_of_remedy() {
        for why in WhyUnknown::ALL {
            for sentence in [why.meaning(), why.remedy()] {
                let body = sentence.strip_suffix('.').expect("a full stop");
                assert!(!body.contains(". "), "{why}: two sentences: {sentence}");
                assert!(body.starts_with(char::is_uppercase), "{why}: {sentence}");
                assert!(sentence.len() <= 200, "{why}: {} bytes", sentence.len());
            }
        }
    }
}
