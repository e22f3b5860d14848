package main

import (
	"example.com/enlace/providers"
	"example.com/enlace/providers/words"
	"example.com/enlace/store"
)

// sentence is what integration_sync_logs.error_message says: the words of the run's code, in English, as dashboards that
// know nothing of codes show it.
func sentence(list []*providers.Provider) store.Sentence {
	titles := make(map[string]string, len(list))
	for _, p := range list {
		titles[p.Name] = p.Title
	}
	return func(provider string, end store.RunEnd) string {
		title := titles[provider]
		if title == "" {
			title = provider
		}
		text := words.Render(words.En, words.Code(end.Code), end.Variant, words.Args{Provider: title, Detail: end.Detail})
		return text.Title + ". " + text.Sentence
	}
}
