// Package dashboard is the page that enlace serves to people: its files, and the words that it shows.
//
// status is a plain page without a build step: what is connected, how far each sync is, and the acts on it. It reads the
// documented API with the browser's session and knows no other way in. Its sentences are those of package words, exported;
// only the few labels around them are its own.
package dashboard

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"html/template"
	"io/fs"
	"slices"

	"example.com/enlace/providers"
	"example.com/enlace/providers/words"
)

//go:embed status
var source embed.FS

// Options are what the page must be told; all else it asks the API.
type Options struct {
	Demo      bool                  // whoever sits at this machine may enter without a key
	Providers []*providers.Provider // those with OAuth can be connected
}

// Files makes the page: index.html, and assets in a folder whose name changes with their content, so that browsers may keep
// them for ever.
func Files(o Options) (fs.FS, error) {
	assets, err := assets()
	if err != nil {
		return nil, err
	}
	folder := "assets/" + fingerprint(assets)
	index, err := index(o, folder)
	if err != nil {
		return nil, err
	}
	all := files{"index.html": index}
	for name, content := range assets {
		all[folder+"/"+name] = content
	}
	return all, nil
}

// assets are the embedded files but index.html, and the words in each language.
func assets() (map[string][]byte, error) {
	entries, err := fs.ReadDir(source, "status")
	if err != nil {
		return nil, fmt.Errorf("read the page: %w", err)
	}
	found := make(map[string][]byte)
	for _, entry := range entries {
		if entry.Name() == "index.html" {
			continue
		}
		if found[entry.Name()], err = source.ReadFile("status/" + entry.Name()); err != nil {
			return nil, fmt.Errorf("read the page: %w", err)
		}
	}
	for _, lang := range []words.Lang{words.En, words.Es} {
		if found["words."+string(lang)+".json"], err = wordsIn(lang); err != nil {
			return nil, err
		}
	}
	return found, nil
}

func fingerprint(assets map[string][]byte) string {
	names := make([]string, 0, len(assets))
	for name := range assets {
		names = append(names, name)
	}
	slices.Sort(names)
	h := sha256.New()
	for _, name := range names {
		fmt.Fprintf(h, "%s %d\n", name, len(assets[name]))
		h.Write(assets[name])
	}
	return hex.EncodeToString(h.Sum(nil)[:8])
}

// connectable is a provider whose accounts can be connected.
type connectable struct {
	Name  string `json:"name"`
	Title string `json:"title"`
}

func index(o Options, folder string) ([]byte, error) {
	text, err := source.ReadFile("status/index.html")
	if err != nil {
		return nil, fmt.Errorf("read the page: %w", err)
	}
	page, err := template.New("index").Parse(string(text))
	if err != nil {
		return nil, fmt.Errorf("parse the page: %w", err)
	}
	list := []connectable{}
	for _, p := range o.Providers {
		if p.OAuth != nil {
			list = append(list, connectable{p.Name, p.Title})
		}
	}
	encoded, err := json.Marshal(list)
	if err != nil {
		return nil, fmt.Errorf("write the page: %w", err)
	}
	var out bytes.Buffer
	if err := page.Execute(&out, map[string]any{"Assets": folder, "Demo": o.Demo, "Providers": string(encoded)}); err != nil {
		return nil, fmt.Errorf("write the page: %w", err)
	}
	return out.Bytes(), nil
}
