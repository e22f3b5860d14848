package providers

import (
	"slices"
	"strings"
	"time"
)

// FeatureContacts is the feature that every account needs: [OAuth.Needs].
const FeatureContacts = "contacts"

// Feature is something that needs permissions of its own, and goes another way, or not at all, without them.
type Feature struct {
	Name  string   // stable, for programs: "change_notices"
	Needs []string // scopes; "a|b": either of them
}

// GrantedFeature says whether an account's grant is enough for a feature.
type GrantedFeature struct {
	Feature string   `json:"feature"`
	Granted bool     `json:"granted"`
	Missing []string `json:"missing" nullable:"false" doc:"Permissions that it needs and that were not granted."`
}

// Granted compares what was granted with what each feature needs. A provider that doesn't say what it granted has granted
// all.
func (o *OAuth) Granted(scopes []string) []GrantedFeature {
	features := append([]Feature{{Name: FeatureContacts, Needs: o.Needs}}, o.Features...)
	list := make([]GrantedFeature, 0, len(features))
	for _, f := range features {
		missing := missing(f.Needs, scopes)
		list = append(list, GrantedFeature{Feature: f.Name, Granted: len(missing) == 0, Missing: missing})
	}
	return list
}

// missing lists the needed scopes that were not granted; never nil.
func missing(needs, granted []string) []string {
	list := []string{}
	if len(granted) == 0 {
		return list
	}
	for _, need := range needs {
		either := strings.Split(need, "|")
		if !slices.ContainsFunc(either, func(scope string) bool { return slices.Contains(granted, scope) }) {
			list = append(list, either[0])
		}
	}
	return list
}

// Renewals is how many access tokens a token host gives for one refresh token in some time; the zero value: any number.
type Renewals struct {
	Most int
	In   time.Duration
}
