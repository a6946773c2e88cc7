package main

// Words: what the words and numbers of the metrics look like. A colour never stands alone, the word is there
// too. Red is broken, orange works but not as it should, blue is worth knowing, green is well, purple says
// nothing about the service.

import (
	"fmt"
	"os"
	"strconv"
	"strings"

	"github.com/grafana/grafana-foundation-sdk/go/dashboard"
)

// reason is a row of docs/reasons.md.
type reason struct {
	stage, word, severity string
}

func readReasons(path string) ([]reason, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var reasons []reason
	for line := range strings.Lines(string(text)) {
		cells := strings.Split(line, "|")
		if len(cells) < 5 || !strings.Contains(cells[2], "`") {
			continue
		}
		reasons = append(reasons, reason{
			stage:    strings.TrimSpace(cells[1]),
			word:     strings.Trim(cells[2], " `"),
			severity: strings.TrimSpace(cells[3]),
		})
	}
	if len(reasons) == 0 {
		return nil, fmt.Errorf("%s has no reasons", path)
	}
	return reasons, nil
}

// Shades tell the stages of a failure apart.
var failures = map[string]string{
	"agent": "purple", "dns": "dark-red", "address": "red", "connect": "semi-dark-red", "tls": "light-red", "http": "light-red",
}

var severities = map[string]string{"warn": "orange", "info": "blue"}

// byWord and byNumber are the colours of the reasons, where a cell holds the word, and where it holds what
// `numbers` makes of it.
func byWord(reasons []reason) []dashboard.ValueMapping {
	var states []state
	for _, reason := range reasons {
		states = append(states, state{reason.word, "", reason.colour()})
	}
	return mapped(states...)
}

func byNumber(reasons []reason) []dashboard.ValueMapping {
	var states []state
	for number, reason := range reasons {
		states = append(states, state{strconv.Itoa(number), reason.word, reason.colour()})
	}
	return mapped(states...)
}

// numbers is an expression with a series for each reason, whose value is its number: a timeline draws values,
// and in the metrics a reason is a label.
func numbers(reasons []reason) string {
	var series []string
	for number, reason := range reasons {
		series = append(series, fmt.Sprintf(`label_replace(vector(%d), "reason", "%s", "", "")`, number, reason.word))
	}
	return strings.Join(series, " or ")
}

func (reason reason) colour() string {
	if reason.word == "ok" {
		return "green"
	}
	if colour, found := severities[reason.severity]; found {
		return colour
	}
	return failures[reason.stage]
}

// below is a regular expression of the reasons that are less than `severity`, and so are left out.
func below(severity string, reasons []reason) string {
	var words []string
	for _, reason := range reasons {
		if reason.severity == "info" || reason.severity == "warn" && severity == "fail" {
			words = append(words, reason.word)
		}
	}
	return strings.Join(words, "|")
}

var (
	outcomes = mapped(
		state{"0", "pass", "green"},
		state{"1", "warn", "orange"},
		state{"2", "fail", "red"},
	)
	// The numbers add up: 1 for private addresses, 2 for public ones, 4 for those that no service has, and 8
	// where no private endpoint is expected, so that a public address is as it should be.
	classes = mapped(
		state{"0", "no address", "#808080"},
		state{"1", "private", "green"},
		state{"2", "public", "red"},
		state{"3", "private and public", "dark-red"},
		state{"4", "reserved", "purple"},
		state{"5", "private and reserved", "purple"},
		state{"6", "public and reserved", "purple"},
		state{"7", "private, public and reserved", "purple"},
		state{"8", "no address", "#808080"},
		state{"9", "private, though none is expected", "light-green"},
		state{"10", "public, as expected", "blue"},
		state{"11", "private and public, though none is expected", "orange"},
		state{"12", "reserved", "purple"},
	)
	agreements = mapped(
		state{"0", "differs", "orange"},
		state{"1", "agrees", "green"},
	)
	mismatches = mapped(
		state{"0", "its own names", "green"},
		state{"1", "other names", "red"},
	)
	gates = mapped(
		state{"0", "yes", "green"},
		state{"1", "cannot tell", "orange"},
		state{"2", "no", "red"},
	)
	sourceStates = mapped(
		state{"0", "ok", "green"},
		state{"1", "stale", "orange"},
		state{"2", "absent", "#808080"},
		state{"3", "forbidden", "red"},
	)
	reloads = mapped(
		state{"0", "refused", "red"},
		state{"1", "in use", "green"},
	)
	leads = mapped(
		state{"0", "stands by", "blue"},
		state{"1", "leads", "green"},
	)
	publishes = mapped(
		state{"0", "cannot publish", "red"},
		state{"1", "publishes", "green"},
	)
)

// state is a value, the word for it where the value is none, and its colour.
type state struct {
	value, text, colour string
}

func mapped(states ...state) []dashboard.ValueMapping {
	options := make(map[string]dashboard.ValueMappingResult)
	for i, state := range states {
		index := int32(i)
		result := dashboard.ValueMappingResult{Color: &state.colour, Index: &index}
		if state.text != "" {
			result.Text = &state.text
		}
		options[state.value] = result
	}
	return []dashboard.ValueMapping{{ValueMap: &dashboard.ValueMap{
		Type:    dashboard.MappingTypeValueToText,
		Options: options,
	}}}
}
