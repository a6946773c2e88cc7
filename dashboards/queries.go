package main

// Queries: what the expressions of several panels begin or end with.
//
// They aggregate by cluster, network, node and target, because two pods run on a node during a rollout, and
// because the network tells the agent in the pods' network from the one in the node's.

import "fmt"

const (
	// Of the selected clusters.
	ofClusters = `cluster=~"$cluster"`
	// Of the selected clusters, nodes and targets.
	ofTargets = `cluster=~"$cluster", node=~"$node", target=~"$target"`
	// Of the selected clusters and targets, where a series is about no node.
	ofServices = `cluster=~"$cluster", target=~"$target"`
	// Of the selected clusters and nodes.
	ofNodes = `cluster=~"$cluster", node=~"$node"`
	// Of the one target on the selected nodes.
	ofTarget = `cluster=~"$cluster", node=~"$node", target="$target"`

	// What a step of a graph over all nodes and targets looks at, so that it misses nothing between two steps.
	sinceLastStep = `[$__interval]`

	pair       = `cluster, network, node, target`
	pairReason = `cluster, network, node, target, reason`
)

// asState is `series`, which has a label `reason`, with the number of the reason as its value, for a timeline with a
// line for each `line`.
func asState(line, series string) string {
	return fmt.Sprintf(`max by (%s) (0 * (%s) + on (reason) group_left () (${reasons:raw}))`, line, series)
}

// onPool is `series`, which has one series for each agent, with the label `pool` where that is known.
func onPool(series string) string {
	return fmt.Sprintf(`%s * on (cluster, node) group_left (pool) topk by (cluster, node) (1, privatelink_node_info{%s})`+
		` or on (cluster, network, node) %s`, series, ofClusters, series)
}

// orNone is the number that `counted` yields, 0 if that is nothing.
func orNone(counted string) string {
	return counted + ` or vector(0)`
}
